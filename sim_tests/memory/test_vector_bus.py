"""Passes on a bus that fails or is left, in a window, and at the last address."""

import cocotb

from golden.memory import Fault
from golden.memory.jobs import Output
from hw.contract.config import PAGE_BYTES
from sim_tests import drive
from sim_tests.memory.lists import LAST, SIZE, Lists
from sim_tests.memory.machines import every_vector_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, run, stops_at

BESIDE = {"has_bias": True, "has_channel": True, "residual": "rows"}


def some_passes(lists, **values):
    """Add passes of every form of results, with all that may lie beside their rows."""
    config = lists.config
    lists.vector_pass(config.rows + 1, config.cols + 1, **BESIDE, **values)
    if config.packs_results:
        lists.vector_pass(config.rows + 1, 20, output=Output.MX9, **BESIDE, **values)
    lists.vector_pass(config.rows, 21, output=Output.FP16, float_format="bf16", has_channel=True,
                      residual="shift", **values)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def passes_tell_that_they_have_ended(dut, manners):
    lists = Lists(drive.rng(), notify=True)
    for _ in range(3):
        some_passes(lists, notify=1, interrupt=1)
    await run(dut, lists, manners)


async def run_with_errors(dut, manners, errors):
    """Run a small list; return it, and the bus's slave."""
    lists = Lists(drive.rng())
    some_passes(lists)
    both = Run(dut, lists, manners, errors)
    await both.begin()
    await both.wait()
    return both


@cocotb.test(timeout_time=40, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def an_error_in_every_transfer_in_turn(dut, manners):
    """Wherever the bus fails, the ring stops at a command, and all is well after a resume."""
    rng, seen = drive.rng(), set()
    both = await run_with_errors(dut, manners, {})
    transfers = both.slave.asked
    both.end()
    assert transfers > 15
    some = rng.choice(transfers, min(transfers, drive.amount(20, transfers)), replace=False)
    for transfer in sorted({0, 1, transfers - 2, transfers - 1, *some.tolist()}):
        answer = 2 + transfer % 2
        both = await run_with_errors(dut, manners, {transfer: answer})
        fault = both.status("fault")
        assert fault in (Fault.READ_SLVERR, Fault.READ_DECERR, Fault.WRITE_SLVERR,
                         Fault.WRITE_DECERR), f"transfer {transfer}: {fault}"
        assert (fault % 2 == 1) == (answer == 2)
        seen.add(fault)
        await both.order("resume")
        await both.wait()
        both.lists.ring.doorbell(len(both.lists.commands))
        both.compare()
        assert both.get("RING_COMPLETED") == len(both.lists.commands)
        both.end()
    assert len(seen) == 4, seen


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def can_be_switched_off_at_any_moment(dut, manners):
    """The bus falls quiet; switched on again the ring goes on at the command that had not ended."""
    rng = drive.rng()
    for _ in range(drive.amount(3, 60)):
        lists = Lists(rng)
        for _ in range(2):
            some_passes(lists)
        both = Run(dut, lists, manners)
        await both.begin()
        for _ in range(3):
            await drive.ticks(dut, int(rng.integers(1, 700)))
            both.set("RING_ENABLE", 0)
            await drive.ticks(dut, 2)
            for _ in range(3_000):
                if both.status("idle"):
                    break
                await drive.ticks(dut, 1)
            assert both.status("idle") and both.slave.is_idle
            both.set("RING_ENABLE", 1)
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def nothing_outside_of_the_window_is_touched(dut, manners):
    """Windows of any pages: of all that lies beside rows too."""
    rng, seen = drive.rng(), set()
    for _ in range(drive.amount(12, 200)):
        first, end = sorted(int(each) for each in rng.integers(0, SIZE // 4, 2))
        if rng.random() < 0.7:
            first, end = 0, int(rng.choice([end, SIZE - PAGE_BYTES]))  # with the ring, or with all
        lists = Lists(rng, window=(first, end + PAGE_BYTES))
        config = lists.config
        for _ in range(5):
            lists.room(int(rng.integers(SIZE // 16)))
            lists.vector_pass(config.rows + 1, 20, interrupt=1, goes_on=int(rng.integers(2)),
                              output=rng.choice([Output.FP32, Output.BF16]), **BESIDE)
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        for _ in lists.commands:
            await both.wait()
            both.compare()
            seen.add(lists.ring.fault)
            if lists.ring.fault is Fault.NONE:
                break
            await both.order("skip")
            lists.ring.skip()
        low, high = lists.ring.window
        for address, beats in (*both.slave.seen.reads, *both.slave.seen.writes):
            assert low <= address and address + beats * config.bus_bytes <= high
        both.end()
    assert seen == {Fault.NONE, Fault.OUTSIDE}


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=["residual_stride", "channel_step_0", "residual_step_0", "residual_step_1",
                          "bias_step_1"])
async def addresses_do_not_begin_again_behind_the_last(dut, name):
    """A stride or a step leads beyond the last address that there is."""
    lists = Lists(drive.rng(), base=LAST)
    for number in range(3):
        lists.vector_pass(lists.config.rows + 1, 19, batch=(2, 2), **BESIDE)
        if number == 1:
            lists.change(**{name: (1 << 32) - 64})
    await stops_at(dut, lists, 0, Fault.OUTSIDE)


@every_vector_machine
def test_vector_bus(name):
    simulate(name, __name__)
