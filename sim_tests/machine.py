"""The whole accelerator inside the simulator: its streams, its registers, and whole jobs."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from hw.contract.config import Config
from hw.host.driver import BusError, Driver, Job
from hw.host.packet_order import number_bytes, result_packets, weight_passes
from hw.host.results import Counters, Results, packet_count
from hw.host.tables import Tables
from hw.host.work import Work, act_packets, weight_packets
from sim_tests.stimuli.packets import read_rows

STREAMS = ("s_axis_act", "s_axis_wgt", "m_axis_out")


class BenchMachine:
    """Drive one accelerator; make it once per test, then `await reset()`.

    Parameters
    ----------
    dut : handle
        The top.
    config : Config
        What it was built from.
    """

    def __init__(self, dut: Any, config: Config):
        for name in ("cocotb.mixdit", f"cocotb.{dut._name}"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.dut, self.config = dut, config
        self.clock = Clock(dut.aclk, 2, "ns")
        self.clock.start()
        dut.aresetn.value = 0
        self.act = self._stream(AxiStreamSource, "s_axis_act")
        self.weight = self._stream(AxiStreamSource, "s_axis_wgt")
        self.out = self._stream(AxiStreamSink, "m_axis_out")
        self.ends = dict(zip(STREAMS, (self.act, self.weight, self.out), strict=True))
        bus = AxiLiteBus.from_prefix(dut, "s_axil")
        self.axil = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        self.axil.write_if.log.setLevel(logging.WARNING)
        self.axil.read_if.log.setLevel(logging.WARNING)
        self.driver = Driver(self.read, self.write)
        self.tables = Tables()

    def _stream(self, kind: type, prefix: str) -> Any:
        bus = AxiStreamBus.from_prefix(self.dut, prefix)
        end = kind(bus, self.dut.aclk, self.dut.aresetn, reset_active_level=False)
        end.log.setLevel(logging.WARNING)
        return end

    async def reset(self, cycles: int = 4) -> None:
        """Hold reset for some cycles, of the streams' ends too; tables do not outlast it."""
        self.tables.clear()
        self.dut.aresetn.value = 0
        await self.ticks(cycles)
        for end in self.ends.values():
            end.clear()
        self.dut.aresetn.value = 1
        await self.ticks(2)

    async def ticks(self, cycles: int) -> None:
        """Wait for some rising edges."""
        edge = RisingEdge(self.dut.aclk)
        for _ in range(cycles):
            await edge

    def pause(self, shares: dict[str, float]) -> None:
        """Make streams idle (sources) or stall (sink) in a random share of cycles, by name."""
        for index, (name, share) in enumerate(shares.items()):
            self.ends[name].set_pause_generator(_pauses(share, cocotb.RANDOM_SEED + index))

    async def read(self, address: int) -> int:
        """Read a register."""
        response = await self.axil.read(address, 4)
        if response.resp != AxiResp.OKAY:
            raise BusError(f"reading {address:#05x} was answered with {response.resp.name}")
        return int.from_bytes(response.data, "little")

    async def write(self, address: int, value: int) -> None:
        """Write a register."""
        response = await self.axil.write(address, value.to_bytes(4, "little"))
        if response.resp != AxiResp.OKAY:
            raise BusError(f"writing {address:#05x} was answered with {response.resp.name}")

    async def start(self, work: Work) -> None:
        """Start a job; load its calibration table first, unless that is there already."""
        await self.load_table(work)
        await self.driver.start(work.job)

    async def load_table(self, work: Work) -> None:
        """Load a job's calibration table, unless it is there already."""
        missing = self.tables.missing(work)
        if missing:
            await self.driver.load_table(work.job.table, **missing)
            self.tables.note(work.job.table, missing)

    async def start_if_free(self, work: Work) -> bool:
        """Start a job, unless a job under way uses the table that it would have to load."""
        try:
            await self.start(work)
        except BusError:
            return False
        return True

    def feed(self, work: Work) -> None:
        """Queue a job's streams."""
        for packet in act_packets(self.config, work):
            self.act.send_nowait(AxiStreamFrame(packet))
        packets = weight_packets(self.config, work)
        for _ in range(weight_passes(self.config, work.job)):
            for packet in packets:
                self.weight.send_nowait(AxiStreamFrame(packet))

    async def collect(self, job: Job) -> Results:
        """Receive a job's results."""
        if job.converts or job.is_packed:
            packets = [await self._packet() for _ in range(packet_count(self.config, job))]
            return [bytes(data[keep]) for data, keep in packets]
        results = np.zeros((job.m, job.n), f"<u{number_bytes(job.output)}")
        for part in result_packets(self.config, job):
            data, keep = await self._packet()
            results[part.row : part.row + part.rows, part.col : part.col + part.cols] = read_rows(
                self.config, job, part, data, keep)
        return results

    async def _packet(self) -> tuple[np.ndarray, np.ndarray]:
        """Receive a packet: all bytes of its beats, and which of them ``tkeep`` marks."""
        frame = await self.out.recv(compact=False)
        return np.frombuffer(bytes(frame.tdata), np.uint8), np.array(frame.tkeep, np.bool_)

    async def run(self, work: Work) -> tuple[Results, Counters]:
        """Run one job alone: its results and its counters."""
        ended = await self.driver.read("JOBS_ENDED")
        await self.start(work)
        self.feed(work)
        results = await self.collect(work.job)
        await self.driver.wait(ended + 1)
        await self.driver.check()
        return results, await self.driver.counters()

    async def run_all(self, works: Iterable[Work]) -> list[tuple[Results, Counters | None]]:
        """Run jobs back to back, as many under way as the machine and its tables take.

        The counters are those of the job that ended last: None for a job whose successor ended
        before they were read.
        """
        works = list(works)
        slots = await self.driver.read("JOB_SLOTS")
        ended_before = await self.driver.read("JOBS_ENDED")
        collected = cocotb.start_soon(self._collect_all(works))
        counters = []
        started = 0
        while len(counters) < len(works):
            while started < len(works) and started - len(counters) < slots:
                if self.tables.must_wait(works[started], works[len(counters) : started]):
                    break
                self.feed(works[started])
                await self.start(works[started])
                started += 1
            await self.driver.wait(ended_before + len(counters) + 1)
            latched = await self.driver.counters()
            ended = await self.driver.read("JOBS_ENDED")
            counters.append(latched if ended == ended_before + len(counters) + 1 else None)
        await self.driver.check()
        return list(zip(await collected, counters, strict=True))

    async def _collect_all(self, works: list[Work]) -> list[Results]:
        return [await self.collect(work.job) for work in works]


def _pauses(share: float, seed: int) -> Iterator[bool]:
    generator = np.random.default_rng(seed)
    while True:
        yield from (bool(flip) for flip in generator.random(256) < share)
