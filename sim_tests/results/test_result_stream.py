"""Results of several engines on one stream: the order of jobs, no gap, and the end of each job."""

from dataclasses import dataclass

import cocotb
import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from cocotb.triggers import gather

from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import JobKind, Output
from hw.contract.result_rows import packet_beat_layout
from hw.results.result_stream import ResultStream
from hw.streams.packet_guard import beat_layout
from sim_tests import bench, drive

CONFIG = Config.sized(rows=2, cols=2, k_max=16, act_bytes=8, weight_bytes=8)
WIDTH = 8 * CONFIG.result_bytes
SOURCES = ("floats", "blocks", "conversions")
FLOATS = (Output.FP32, Output.FP16, Output.BF16)


class Clocked(wiring.Component):
    """A `ResultStream`, which is combinational, with a clock for the bench to count by."""

    def __init__(self):
        self.merger = ResultStream(CONFIG)
        super().__init__({**self.merger.signature.members, "cycle": Out(16)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.merger = self.merger
        m.d.sync += self.cycle.eq(self.cycle + 1)
        for name in ("jobs", *SOURCES):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(self.merger, name))
        wiring.connect(m, self.merger.o, wiring.flipped(self.o))
        m.d.comb += self.job_ended.eq(self.merger.job_ended)
        return m


@dataclass
class Work:
    """A job and the beats of its packets."""

    kind: JobKind
    output: Output
    beats: list[dict]

    @property
    def source(self):
        """The stream on which its packets arrive."""
        if self.kind in (JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED):
            return "conversions"
        return "floats" if self.output in FLOATS else "blocks"


def draw_works(rng, count):
    """Draw jobs of every kind with every output; some are a single beat."""
    pairs = [(kind, output) for kind in JobKind for output in Output]
    works = []
    for number in range(count):
        kind, output = pairs[number * 7 % len(pairs) if number < len(pairs)
                             else int(rng.integers(len(pairs)))]
        beats = []
        for _ in range(int(rng.integers(1, 5))):
            length = int(rng.integers(1, 5))
            beats += [{"data": rng.integers(0, 1 << 63), "keep": rng.integers(1, 256),
                       "last": index == length - 1, "job_last": 0} for index in range(length)]
        # Every beat of the last packet may carry job_last: it means something with last only.
        tail = max([0] + [at + 1 for at, beat in enumerate(beats[:-1]) if beat["last"]])
        for beat in beats[tail if number % 2 else -1 :]:
            beat["job_last"] = 1
        works.append(Work(kind, output, beats))
    return works


def packed(layout, beats):
    """Pack beats, or the part of them that the layout has."""
    names = [name for name, _ in layout]
    return drive.pack(layout, {name: np.array([int(beat[name]) for beat in beats], np.uint64)
                               for name in names}) if beats else []


async def watch_ends(dut, ends):
    """Record how many beats had left before this cycle, whenever a job has ended."""
    left = 0
    while True:
        await drive.ticks(dut, 1)
        if int(dut.job_ended.value):
            ends.append(left)
        left += int(dut.o__valid.value) & int(dut.o__ready.value)


async def merge(dut, works, pauses=(0.0, 0.0, 0.0, 0.0), stall=0.0):
    """Run jobs, each source as far ahead as it gets, and compare all; return the cycles."""
    ends = []
    watching = cocotb.start_soon(watch_ends(dut, ends))
    layout = packet_beat_layout(CONFIG)
    jobs = drive.pack(job_layout(CONFIG), {
        "kind": np.array([work.kind.value for work in works]),
        "output": np.array([work.output.value for work in works])})
    senders = [drive.send(dut, "jobs", jobs, pauses[0])]
    for source, pause in zip(SOURCES, pauses[1:], strict=True):
        beats = [beat for work in works if work.source == source for beat in work.beats]
        senders.append(drive.send(dut, source, packed(layout, beats), pause))
    beats = [beat for work in works for beat in work.beats]
    start = drive.cycle()
    received, *_ = await gather(drive.receive(dut, "o", len(beats), stall), *senders)
    cycles = drive.cycle() - start
    expected = packed(beat_layout(CONFIG.result_bytes), beats)
    wrong = [at for at, pair in enumerate(zip(received, expected, strict=True))
             if pair[0] != pair[1]]
    assert not wrong, f"beat {wrong[0]} is {received[wrong[0]]:#x}, not {expected[wrong[0]]:#x}"
    dut.o__ready.value = 1
    await drive.ticks(dut, 5)
    assert ends == np.cumsum([len(work.beats) for work in works]).tolist()
    assert not int(dut.o__valid.value)
    watching.cancel()
    return cycles


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def sends_packets_in_the_order_of_jobs(dut, idle, stall):
    await drive.reset(dut)
    works = draw_works(drive.rng(), drive.amount(60, 2_000))
    await merge(dut, works, (idle,) * 4, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(late=["jobs", *SOURCES])
async def waits_for_whoever_is_late(dut, late):
    await drive.reset(dut)
    pauses = [drive.LongPause(20, 200) if name == late else 0.0 for name in ("jobs", *SOURCES)]
    await merge(dut, draw_works(drive.rng(), 40), pauses)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def leaves_no_gap_between_jobs(dut):
    await drive.reset(dut)
    works = draw_works(drive.rng(), 40)
    assert await merge(dut, works) == sum(len(work.beats) for work in works)


def test_result_stream():
    assert CONFIG.result_bytes == 8, "the bench draws data and keep for this width"
    bench.simulate(Clocked(), __name__, "result_stream")
