"""What stands around `Engines` in a bench: it fills tables, starts jobs, and moves the streams."""

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, gather
from numpy.typing import NDArray

from hw.contract.config import JOBS_UNDER_WAY
from hw.host.tables import Tables
from hw.host.work import Work
from sim_tests import drive
from sim_tests.drive import Pause
from sim_tests.engines.watch import STREAMS, EnginesWatch, Task, beats_of
from sim_tests.stimuli.operands import configuration
from simulation.works.expected import expected_maxima

PATIENCE = 3_000
"""Cycles without a beat of results, though they would be taken, after which the engines hang."""

MAXIMUM_CYCLES = 5
"""From the cycle in which a channel is chosen to that in which its maximum is there."""


class Host:
    """Play controller, software and streams for the engines; a watch compares what they show.

    Parameters
    ----------
    dut : handle

    Attributes
    ----------
    watch : EnginesWatch
    widths : dict of str to int
        Bytes of a beat, by input.
    """

    def __init__(self, dut: Any):
        self.dut, self.config, self.rng = dut, configuration(), drive.rng("host")
        self.watch, self.tables = EnginesWatch(dut, self.config), Tables()
        self.widths = {"act": self.config.act_bytes, "weight": self.config.weight_bytes}
        self.edge = RisingEdge(dut.clk)

    async def reset(self) -> None:
        """Begin as the whole machine does: nothing is measured yet."""
        await drive.reset(self.dut)
        self.dut.rst.value = self.dut.forget_maxima.value = 1
        await self.edge
        self.dut.rst.value = self.dut.forget_maxima.value = 0
        await self.edge
        cocotb.start_soon(self.watch.run())

    def scramble(self, *names: str) -> None:
        """Put noise where nothing is offered."""
        for name in names:
            port = getattr(self.dut, name)
            port.value = int.from_bytes(self.rng.bytes(len(port) // 8 + 1), "little") & (
                (1 << len(port)) - 1)

    async def start(self, tasks: Sequence[Task], pause: float = 0.0) -> None:
        """Start jobs as early as there is room and their tables are free, or later."""
        dut = self.dut
        for task in tasks:
            await self.load(task.work)
            while True:
                await self.edge
                under_way = (int(dut.under_way.value) + int(dut.jobs__valid.value)
                             - int(dut.job_ended.value))
                if under_way < JOBS_UNDER_WAY and self.rng.random() >= pause:
                    break
                self.stop_starting()
            dut.jobs__valid.value, dut.jobs__payload.value = 1, task.word
            self.scramble("channel")
        await self.edge
        self.stop_starting()

    def stop(self) -> None:
        """Offer no job and write no table."""
        self.stop_starting()
        for port in ("order_write", "tag_write"):
            getattr(self.dut, f"{port}__valid").value = 0

    def stop_starting(self) -> None:
        """Offer no job."""
        self.dut.jobs__valid.value = 0
        self.scramble("jobs__payload")

    async def load(self, work: Work) -> None:
        """Write what lacks of a job's table, once it is free."""
        dut, missing = self.dut, self.tables.missing(work)
        if not missing:
            return
        await self.edge
        self.stop_starting()
        await self.edge
        while int(dut.tables_in_use.value) >> work.job.table & 1:
            await self.edge
        self.tables.forget(work.job.table, list(missing))
        for name, entries in missing.items():
            port = {"order": "order_write", "tags": "tag_write"}[name]
            for place in self.rng.permutation(len(entries)):
                fields = ({"channel": entries[place], "place": place} if name == "order"
                          else {"k_block": place, "is_mx9": entries[place]})
                for field, value in ({"valid": 1, "table": work.job.table} | fields).items():
                    getattr(dut, f"{port}__{field}").value = int(value)
                await self.edge
                if self.rng.random() < 0.2:
                    getattr(dut, f"{port}__valid").value = 0
                    self.scramble(*(f"{port}__{field}" for field in ("table", *fields)))
                    await self.edge
            getattr(dut, f"{port}__valid").value = 0
            self.scramble(*(f"{port}__{field}" for field in ("table", *fields)))
        self.tables.note(work.job.table, missing)

    def sources(self, tasks: Sequence[Task], act: Pause = 0.0, weight: Pause = 0.0
                ) -> list[Coroutine]:
        """Send the packets of jobs, one after the other."""
        idle = {"act": act, "weight": weight}
        return [drive.send(self.dut, name, [
            word for task in tasks for packet in task.delivery.packets[stream]
            for word in beats_of(packet, self.widths[name])], idle[name])
            for name, (stream, *_) in STREAMS.items()]

    def sink(self, tasks: Sequence[Task], stall: Pause = 0.0) -> Coroutine:
        """Take the results of jobs; the watch compares them."""
        beats = sum(len(task.beats) for task in tasks)
        return drive.receive(self.dut, "o", beats, stall, PATIENCE)

    async def run(self, tasks: Sequence[Task], act: Pause = 0.0, weight: Pause = 0.0,
                  o: Pause = 0.0, starts: float = 0.0) -> None:
        """Run jobs, with pauses at each port."""
        self.watch.planned.extend(tasks)
        await gather(self.start(tasks, starts), self.sink(tasks, o),
                     *self.sources(tasks, act, weight))
        await drive.ticks(self.dut, 4)
        self.watch.check_done()

    async def maxima(self, channels: Iterable[int]) -> NDArray[np.integer]:
        """Read the maxima of channels."""
        found = []
        for channel in channels:
            self.dut.channel.value = int(channel)
            await drive.ticks(self.dut, MAXIMUM_CYCLES)
            found.append(int(self.dut.maximum.value))
        return np.array(found)

    async def check_maxima(self, tasks: Sequence[Task]) -> None:
        """Compare what the last of these jobs to measure has left, and channels beyond."""
        work = [task.work for task in tasks if task.job.measure][-1]
        channels = self.rng.permutation(work.job.k)
        drive.compare(await self.maxima(channels), expected_maxima(work)[channels], "maxima",
                      **asdict(work.job))
        beyond = -(-work.job.k // 16) * 16
        assert not (await self.maxima([beyond, 1 << 15])).any()
