"""Faults of commands: each stops the ring where it is, by the name that golden gives it."""

import cocotb

from golden.memory import Command, Fault
from golden.memory.jobs import JobKind, Output
from hw.registers.codes import Refusal
from sim_tests import drive
from sim_tests.memory.lists import SPOILT, Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, packed, stops_at

FAULTY = {
    "no count": {"count_1": 0}, "unaligned": {"b": 0x4020}, "refused": {"tiles": 0},
    "no such kind": {"kind": 9}, "unaligned step": {"c_step_0": 1},
    "no such address": {"a": 1 << 40}, "rows that overlap": {"c_stride": 4},
}


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=list(FAULTY), goes_on=[0, 1])
async def a_bad_descriptor_stops_the_ring_where_it_is(dut, name, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    for number in range(5):
        bad = FAULTY[name] | {"goes_on": goes_on} if number == 2 else {}
        lists.gemm(config.rows + number, config.cols + 1, 30, interrupt=1, **bad)
    await stops_at(dut, lists, goes_on)


def packed_too_long(lists, what, **values):
    """Add a job one of whose packed tiles is longer than its stride."""
    config = lists.config
    rows, cols = 2 * config.rows, 2 * config.cols
    match what:
        case "a":
            lists.gemm(rows, 3, 100, kind=JobKind.GEMM_PACKED, a_stride=64, **values)
        case "b":
            lists.gemm(3, cols, 100, b_stride=64, **values)
        case "a conversion":
            lists.convert(cols, 100, c_stride=64, **values)
        case "results":
            lists.gemm(rows, 100, 20, output=Output.MX9, c_stride=64, **values)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(what=["a", "b", "a conversion", "results"], goes_on=[0, 1])
async def a_packed_tile_is_no_longer_than_its_stride(dut, what, goes_on):
    """Neither of what is read nor of what is written: and nothing else is written."""
    lists = Lists(drive.rng())
    config = lists.config
    if what == "results" and not config.packs_results:
        return
    lists.gemm(config.rows + 1, config.cols + 1, 30)
    packed_too_long(lists, what, goes_on=goes_on, interrupt=1)
    lists.gemm(config.rows, config.cols + 2, 30, interrupt=1)
    await stops_at(dut, lists, goes_on, Fault.OVERLONG)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(byte=[0, 1, 150])
async def what_cannot_be_read_does_not_ask_to_go_on(dut, byte):
    """Of another version or operation, or with a bit that is kept for others."""
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20, goes_on=1, interrupt=1)
    wrong = bytearray(packed(lists.commands[1]))
    wrong[byte] ^= 0x40
    lists.commands[1] = bytes(wrong)
    await stops_at(dut, lists, 0)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_golden_refuses_is_refused_by_the_same_name(dut, manners):
    """Commands of which one to three fields are any, on both: the same faults, the same bytes."""
    rng, seen = drive.rng(), set()
    for _ in range(drive.amount(12, 200)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(8):
            kind = rng.choice([JobKind.GEMM, JobKind.GEMM_PACKED])
            if rng.random() < 0.3:
                lists.convert(config.cols + 1, 40, transposed=bool(rng.integers(2)))
            else:
                lists.gemm(config.rows + 1, config.cols + 1, 40, kind=kind, has_bias=True)
        lists.room(1 << 16)
        # Whatever a command becomes, it writes where nobody reads, since nothing waits for it.
        for number, command in enumerate(lists.commands):
            spoilt = {name: int(rng.choice(SPOILT[name]))
                      for name in rng.choice(list(SPOILT), rng.integers(0, 4), replace=False)}
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


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_tail_too_far_ahead_stops_the_ring(dut):
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(3)
    both.compare()
    tail = 3 + lists.ring.size + 1
    both.set("RING_TAIL", tail)
    await drive.ticks(dut, 100)
    lists.ring.doorbell(tail)
    assert lists.ring.fault is Fault.OVERRUN
    both.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_ring_that_lies_between_is_a_fault(dut):
    lists = Lists(drive.rng())
    lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists)
    await both.begin()
    both.set("RING_BASE", lists.base + 32)
    await both.wait()
    assert both.status("fault") == Fault.UNALIGNED and not both.get("RING_COMPLETED")


@every_machine
def test_ring_faults(name):
    simulate(name, __name__)
