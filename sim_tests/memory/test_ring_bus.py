"""A bus that fails, falls silent or is left: the ring stands still with nothing owed."""

import cocotb

from golden.memory import Fault
from golden.memory.jobs import Output
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run
from sim_tests.memory.slave import Manners


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def can_be_switched_off_at_any_moment(dut, manners):
    """The bus falls quiet; switched on again the ring goes on at the command that had not ended."""
    rng = drive.rng()
    for _ in range(drive.amount(3, 60)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(4):
            lists.gemm(config.rows + 1, config.cols + 1, 40, has_bias=True)
        lists.convert(config.cols + 1, 40)
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
            before = both.slave.asked
            await drive.ticks(dut, 200)
            assert both.slave.asked == before
            both.set("RING_ENABLE", 1)
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


async def run_with_errors(dut, manners, errors):
    """Run a small list; return it, and the bus's slave."""
    lists = Lists(drive.rng())
    config = lists.config
    lists.gemm(config.rows + 1, config.cols + 1, 20, has_bias=True)
    lists.convert(config.cols + 1, 20)
    lists.gemm(config.rows, 3, 20, output=Output.FP16)
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
    assert transfers > 20
    some = rng.choice(transfers, min(transfers, drive.amount(10, transfers)), replace=False)
    # The first are reads, the last are writes.
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
        assert both.get("RING_COMPLETED") == 3
        both.end()
    assert len(seen) == 4, seen


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(channel=["ar", "r", "aw", "w", "b"])
async def a_bus_that_falls_silent_stops_the_ring(dut, channel):
    """Software hears of it while it is silent; when it answers at last, all goes on."""
    rng = drive.rng()
    for after in (5, 40, 200):
        lists = Lists(rng)
        for _ in range(12):
            lists.gemm(lists.config.rows, 3, 20, interrupt=1)
        both = Run(dut, lists)
        await both.begin()
        both.set("BUS_TIMEOUT", 300)
        await drive.ticks(dut, after)
        both.slave.silent.add(channel)
        begin = drive.cycle()
        while not both.stops:
            await drive.ticks(dut, 1)
            assert drive.cycle() - begin < 3_000
        assert drive.cycle() - begin > 290
        assert both.status("timed_out") and both.status("fault") == Fault.TIMEOUT
        await drive.ticks(dut, 400)
        assert not both.status("idle")
        both.slave.silent.clear()
        await drive.ticks(dut, 600)
        assert both.status("idle") and not both.status("timed_out")
        await both.order("resume")
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_slow_bus_is_not_a_silent_one(dut):
    lists = Lists(drive.rng())
    for _ in range(4):
        lists.gemm(lists.config.rows, 3, 20)
    latency = drive.in_bus_cycles(250)
    both = Run(dut, lists, Manners(read_latency=latency, write_latency=latency))
    await both.begin()
    both.set("BUS_TIMEOUT", 270)
    await both.wait()
    lists.ring.doorbell(4)
    both.compare()


@every_machine
def test_ring_bus(name):
    simulate(name, __name__)
