"""All that a machine says during a job, so that two runs of the job can be compared."""

from dataclasses import dataclass
from typing import NamedTuple

import cocotb
from cocotb.triggers import RisingEdge

from hw.host.results import Counters, packet_count
from hw.host.work import Work
from hw.registers.map import Command
from sim_tests import drive
from sim_tests.machine import BenchMachine
from sim_tests.stimuli.broken_packets import Delivery

TIMED = ("cycles", "act_stalls", "weight_stalls", "result_stalls")
"""Counters that depend on when what arrives."""


class Beat(NamedTuple):
    """A beat of ``m_axis_out``, all bytes of it, and the cycle in which it was taken."""

    cycle: int
    data: int
    keep: int
    last: int


@dataclass(frozen=True)
class Record:
    """What a job gave: its beats, their cycles counted from START; JOB_FAULTS; every counter."""

    beats: tuple[Beat, ...]
    faults: int
    counters: Counters

    def without_time(self) -> "Record":
        """Leave out what depends on when the job ran."""
        untimed = {name: count for name, count in self.counters.items() if name not in TIMED}
        return Record(without_cycles(self.beats), self.faults, untimed)


def without_cycles(beats: tuple[Beat, ...]) -> tuple[Beat, ...]:
    """Leave out when beats were taken."""
    return tuple(beat._replace(cycle=0) for beat in beats)


async def look_up_anew(machine: BenchMachine, work: Work) -> None:
    """Let a job with an order wait a cycle for its first block, whichever table was read before.

    Its order is loaded once more.
    """
    if work.order is not None:
        await machine.driver.load_table(work.job.table, order=work.order)


class Recorder:
    """Run jobs on a machine and record all that they give.

    Parameters
    ----------
    machine : BenchMachine
        Its streams do not pause.
    """

    def __init__(self, machine: BenchMachine):
        self.machine = machine
        self._beats: list[Beat] = []
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        dut = self.machine.dut
        names = [getattr(dut, f"m_axis_out_{name}") for name in ("tdata", "tkeep", "tlast")]
        edge = RisingEdge(dut.aclk)
        while True:
            await edge
            if int(dut.m_axis_out_tvalid.value) and int(dut.m_axis_out_tready.value):
                self._beats.append(Beat(drive.cycle(), *(int(name.value) for name in names)))

    async def run(self, work: Work, delivery: Delivery) -> Record:
        """Run a job on an idle machine, its packets waiting when it starts."""
        driver = self.machine.driver
        await self.machine.load_table(work)
        await look_up_anew(self.machine, work)
        await self._write(work)
        ended = await driver.read("JOBS_ENDED")
        self.feed(delivery)
        await self.machine.ticks(8)
        self._beats.clear()
        since = drive.cycle()
        await driver.write("CONTROL", Command.START.value)
        return await self._end(ended + 1, since)

    async def run_two(self, first: Work, its: Delivery, second: Work,
                      others: Delivery) -> tuple[tuple[Beat, ...], Record]:
        """Run a job behind another: the beats of the first, and all that the second gives."""
        machine, driver = self.machine, self.machine.driver
        for work in (first, second):
            await machine.load_table(work)
        ended = await driver.read("JOBS_ENDED")
        self._beats.clear()
        await driver.start(first.job)
        await self._write(second)
        self.feed(its)
        self.feed(others)
        await driver.write("CONTROL", Command.START.value)
        both = await self._end(ended + 2, 0)
        lasts = [index for index, beat in enumerate(both.beats) if beat.last]
        until = lasts[packet_count(machine.config, first.job) - 1] + 1
        return both.beats[:until], Record(both.beats[until:], both.faults, both.counters)

    def feed(self, delivery: Delivery) -> None:
        """Queue packets as they are delivered."""
        for stream, packets in delivery.packets.items():
            for packet in packets:
                self.machine.ends[stream].send_nowait(packet.frame())

    async def settle(self) -> None:
        """Wait until the sources have sent all, and forget what has arrived."""
        machine = self.machine
        while not (machine.act.idle() and machine.weight.idle()):
            await machine.ticks(1)
        machine.out.clear()
        await machine.driver.write("IRQ_PENDING", 0xFFFFFFFF)

    async def _end(self, ended: int, since: int) -> Record:
        driver = self.machine.driver
        await driver.wait(ended)
        await self.settle()
        faults, counters = await driver.read("JOB_FAULTS"), await driver.counters()
        beats = tuple(beat._replace(cycle=beat.cycle - since) for beat in self._beats)
        return Record(beats, faults, counters)

    async def _write(self, work: Work) -> None:
        for name, value in work.job.registers().items():
            await self.machine.driver.write(name, value)
