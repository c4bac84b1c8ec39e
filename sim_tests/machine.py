"""The whole accelerator inside the simulator: its streams, its registers, and whole jobs."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from golden import FloatFormat, MXTensor
from golden.formats import FLOAT_FORMATS
from golden.packing import activation_rows, weight_stream
from hw.config import Config
from hw.driver import Driver, Job, result_rows, weight_passes

Counters = dict[str, int]
"""What the machine counted over a job, by name."""

STREAMS = ("s_axis_act", "s_axis_wgt", "m_axis_out")


@dataclass(frozen=True)
class Work:
    """A job and what it works on.

    Attributes
    ----------
    job : Job
    activations : ndarray, shape (m, k)
        Floats, or bits with `job.float_format`.
    weights : MXTensor
        Of a matrix (k, n), blocked along axis 0.
    """

    job: Job
    activations: np.ndarray
    weights: MXTensor

    @property
    def pattern_format(self) -> FloatFormat | None:
        """Format of the activations if they are bits, None if they are floats."""
        is_bits = self.activations.dtype.kind == "u"
        return FLOAT_FORMATS[self.job.float_format] if is_bits else None


class Machine:
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
        Clock(dut.aclk, 2, "ns").start()
        dut.aresetn.value = 0
        self.act = self._stream(AxiStreamSource, "s_axis_act")
        self.weight = self._stream(AxiStreamSource, "s_axis_wgt")
        self.out = self._stream(AxiStreamSink, "m_axis_out")
        bus = AxiLiteBus.from_prefix(dut, "s_axil")
        self.axil = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
        self.axil.write_if.log.setLevel(logging.WARNING)
        self.axil.read_if.log.setLevel(logging.WARNING)
        self.driver = Driver(self.axil.read_dword, self.axil.write_dword)

    def _stream(self, kind: type, prefix: str) -> Any:
        bus = AxiStreamBus.from_prefix(self.dut, prefix)
        end = kind(bus, self.dut.aclk, self.dut.aresetn, reset_active_level=False)
        end.log.setLevel(logging.WARNING)
        return end

    async def reset(self) -> None:
        """Hold reset for some cycles."""
        self.dut.aresetn.value = 0
        await self.ticks(4)
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
            end = {"s_axis_act": self.act, "s_axis_wgt": self.weight, "m_axis_out": self.out}[name]
            end.set_pause_generator(_pauses(share, cocotb.RANDOM_SEED + index))

    def feed(self, work: Work) -> None:
        """Queue a job's streams."""
        for row in activation_rows(work.activations, work.pattern_format):
            self.act.send_nowait(AxiStreamFrame(row))
        packets = weight_stream(work.weights, self.config.cols, self.config.weight_bytes)
        for _ in range(weight_passes(self.config, work.job)):
            for packet in packets:
                self.weight.send_nowait(AxiStreamFrame(packet))

    async def collect(self, job: Job) -> np.ndarray:
        """Receive a job's results: FP32 patterns, shape (m, n)."""
        results = np.zeros((job.m, job.n), np.uint32)
        for row, col, cols in result_rows(self.config, job):
            frame = await self.out.recv(compact=True)
            values = np.frombuffer(bytes(frame.tdata), "<u4")
            assert len(values) == cols, (
                f"the packet of row {row}, columns {col}… has {len(values)} results, not {cols}")
            results[row, col : col + cols] = values
        return results

    async def run(self, work: Work) -> tuple[np.ndarray, Counters]:
        """Run one job alone: its results and its counters."""
        ended = await self.driver.read("JOBS_ENDED")
        await self.driver.start(work.job)
        self.feed(work)
        results = await self.collect(work.job)
        await self.driver.wait(ended + 1)
        await self.driver.check()
        return results, await self.driver.counters()

    async def run_all(self, works: Iterable[Work]) -> list[tuple[np.ndarray, Counters | None]]:
        """Run jobs back to back, as many under way as the machine takes.

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
                self.feed(works[started])
                await self.driver.start(works[started].job)
                started += 1
            await self.driver.wait(ended_before + len(counters) + 1)
            latched = await self.driver.counters()
            ended = await self.driver.read("JOBS_ENDED")
            counters.append(latched if ended == ended_before + len(counters) + 1 else None)
        await self.driver.check()
        return list(zip(await collected, counters, strict=True))

    async def _collect_all(self, works: list[Work]) -> list[np.ndarray]:
        return [await self.collect(work.job) for work in works]


def _pauses(share: float, seed: int) -> Iterator[bool]:
    generator = np.random.default_rng(seed)
    while True:
        yield from (bool(flip) for flip in generator.random(256) < share)
