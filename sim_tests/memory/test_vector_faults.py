"""Faults of passes: each stops the ring where it is, by the name that golden gives it."""

import cocotb
import numpy as np

from golden.memory import Command, Fault
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import Function, JobKind, Output, Rows
from hw.registers.codes import Refusal
from sim_tests import drive
from sim_tests.memory.lists import SPOILT, Lists
from sim_tests.memory.machines import every_vector_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, stops_at

BESIDE = {"has_bias": True, "has_channel": True, "residual": "rows"}

FAULTY = {
    "no count": {"count_0": 0}, "unaligned factors": {"channel": 0x4002},
    "unaligned residual": {"residual": 0x4002}, "unaligned stride": {"residual_stride": 402},
    "unaligned step": {"channel_step_1": 2}, "unaligned step of the residual": {
        "residual_step_0": 1},
    "no such address": {"channel": 1 << 40}, "no such residual": {"residual": 1 << 63},
    "rows that overlap": {"c_stride": 4}, "too long a row": {"n": 257, "c_stride": 2000},
    "no rows": {"m": 0}, "no such function": {"function": 4}, "no such measure": {"rows": 5},
    "a sum of rows": {"rows": Rows.SUM}, "a bias with a norm": {"rows": Rows.LAYER_NORM},
    "a gate with factors": {"function": Function.GELU},
    "no such flag": {"flags": 128}, "reordered": {"flags": JobFlag.REORDER},
    "tagged": {"flags": JobFlag.TAGGED}, "no such output": {"output": 5},
    "no such format": {"format": 3},
}


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(name=list(FAULTY), goes_on=[0, 1])
async def a_bad_pass_stops_the_ring_where_it_is(dut, name, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    for number in range(5):
        lists.vector_pass(config.rows + number, config.cols + 1, interrupt=1, **BESIDE)
        if number == 2:
            lists.change(goes_on=goes_on, **FAULTY[name])
    await stops_at(dut, lists, goes_on)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(chosen=[{"scalar": 0}, {"scalar": 0x7F800000}, {"scalar": 0x80000000},
                            {"scalar": 1}])
async def epsilon_is_a_positive_normal_number(dut, chosen):
    lists = Lists(drive.rng())
    for number in range(3):
        lists.vector_pass(lists.config.rows, 17, rows=Rows.RMS_NORM)
        if number == 1:
            lists.change(**chosen)
    await stops_at(dut, lists, 0, Fault.REFUSED)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(bad=[{"rows": Rows.MAXIMUM}, {"rows": Rows.LAYER_NORM}, {"rows": Rows.SUM},
                         {"flags": JobFlag.CHANNEL, "function": Function.GELU},
                         {"flags": JobFlag.TAGGED}, {"flags": 128}])
async def products_do_not_have_every_stage(dut, bad):
    lists = Lists(drive.rng())
    for number in range(3):
        lists.gemm(lists.config.rows, 5, 20, **(bad if number == 1 else {}))
    await stops_at(dut, lists, 0, Fault.REFUSED)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(operand=["a", "bias", "channel", "residual", "tags", "c"], goes_on=[0, 1])
async def an_operand_that_is_not_there(dut, operand, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    elsewhere = lists.base ^ 1 << 39
    for number in range(5):
        tags = {} if operand != "tags" else lists.tables(19, tags=[1, 0]) | {"output": Output.MX6}
        if tags and not config.packs_results:
            return
        lists.vector_pass(config.rows + number, 19, interrupt=1, **BESIDE | tags)
        if number == 2:
            lists.change(**{operand: elsewhere, "goes_on": goes_on})
    await stops_at(dut, lists, goes_on,
                   Fault.WRITE_DECERR if operand == "c" else Fault.READ_DECERR)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(operand=["bias", "channel", "residual"])
async def a_later_iteration_that_is_not_there(dut, operand):
    lists = Lists(drive.rng())
    for number in range(3):
        bad = {f"{operand}_step_0": 1 << 31} if number == 1 else {}
        lists.vector_pass(lists.config.rows, 19, batch=(2, 2), **BESIDE | bad)
    await stops_at(dut, lists, 0)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(goes_on=[0, 1])
async def a_packed_tile_is_no_longer_than_its_stride(dut, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    if not config.packs_results:
        return
    for number in range(3):
        bad = {"c_stride": 64, "goes_on": goes_on} if number == 1 else {}
        lists.vector_pass(2 * config.rows, 100, output=Output.MX9, **bad)
    await stops_at(dut, lists, goes_on, Fault.OVERLONG)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(output=[Output.FP32, Output.MX9], goes_on=[0, 1])
@cocotb.parametrize(number=[95.99, 96.0, float("inf"), float("nan")])
async def powers_that_do_not_exist(dut, output, goes_on, number):
    """One number of one iteration, whatever comes before and behind."""
    lists = Lists(drive.rng())
    config = lists.config
    if output is Output.MX9 and not config.packs_results:
        return
    saturates = number >= 96
    for place in range(4):
        x = lists.rng.standard_normal((2 * config.rows, 23)).astype(np.float32)
        if place == 1:
            x[config.rows + 1, 22] = number
        lists.vector_pass(config.rows, 23, function=Function.EXP2, output=output, x=x,
                          batch=(2, 1), interrupt=1, goes_on=goes_on)
    await stops_at(dut, lists, goes_on or not saturates, Fault.SATURATED if saturates else None)


@cocotb.test(timeout_time=30, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_golden_refuses_is_refused_by_the_same_name(dut, manners):
    """Passes and jobs of which one to three fields are any: the same faults, the same bytes."""
    rng, seen = drive.rng(), set()
    spoilt_of = SPOILT | {
        "function": (0, 1, 2, 3, 4, 255), "rows": (0, 1, 2, 3, 4, 5, 255),
        "flags": (0, 1, 2, 4, 8, 16, 32, 48, 49, 64, 128), "scalar": (0, 1, 0x3F800000, 1 << 31),
        "channel": (0, 2, 1 << 40), "residual": (0, 2, 1 << 41), "residual_stride": (0, 3, 128),
        "channel_step_0": (0, 2, 4), "wait_residual": (1, 255), "operation": (0, 1, 3, 4)}
    for _ in range(drive.amount(12, 200)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(8):
            if rng.random() < 0.2:
                lists.gemm(config.rows + 1, config.cols + 1, 40, kind=rng.choice(
                    [JobKind.GEMM, JobKind.GEMM_PACKED]), has_bias=True)
            else:
                lists.vector_pass(config.rows + 1, config.cols + 1, **BESIDE)
        lists.room(1 << 16)
        # Whatever a command becomes, it writes where nobody reads, since nothing waits for it.
        for number, command in enumerate(lists.commands):
            spoilt = {name: int(rng.choice(spoilt_of[name]))
                      for name in rng.choice(list(spoilt_of), rng.integers(0, 4), replace=False)}
            lists.commands[number] = Command(**(
                command.describe() | {"c": lists.room(8192)} | spoilt))
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        for _ in lists.commands:
            await both.wait()
            both.compare()
            if lists.ring.fault is Fault.REFUSED:
                assert Refusal(both.get("REFUSAL")).name == lists.ring.refusal
                seen.add(lists.ring.refusal)
            seen.add(lists.ring.fault)
            if lists.ring.fault is Fault.NONE:
                break
            await both.order("skip")
            lists.ring.skip()
        await both.wait()
        both.compare()
        both.end()
    assert len(seen) > 8, seen


@every_vector_machine
def test_vector_faults(name):
    simulate(name, __name__)
