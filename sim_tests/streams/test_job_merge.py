"""Two streams whose jobs take turns: what is early waits, jobs without payloads pass by."""

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import data, wiring
from cocotb.triggers import gather

from hw.contract.config import Config
from hw.contract.job import converts, is_pass, job_layout
from hw.contract.job_codes import AnyKind
from hw.streams.job_merge import JobMerge
from hw.streams.stream_buffer import StreamBuffer
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over

PAYLOAD = data.StructLayout({"number": 15, "last": 1})
"""Of the bench's streams."""

SECOND = (AnyKind.VECTOR, AnyKind.VECTOR_PACKED)
NONE = (AnyKind.CONVERT, AnyKind.CONVERT_TRANSPOSED)


class BufferedMerge(wiring.Component):
    """A `JobMerge` of passes with others, conversions having nothing, and a buffer behind it."""

    def __init__(self, config):
        self.merge = JobMerge(config, PAYLOAD, from_second=lambda job: is_pass(job.kind),
                              passes_by=lambda job: converts(job.kind),
                              ends=lambda payload: payload.last)
        super().__init__(self.merge.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.merge = merge = self.merge
        m.submodules.buffer = buffer = StreamBuffer(PAYLOAD)
        wiring.connect(m, merge.o, buffer.i)
        for inner, outer in ((merge.jobs, self.jobs), (merge.first, self.first),
                             (merge.second, self.second), (buffer.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))
        return m


def draw_jobs(rng, count):
    """Draw kinds of jobs, and how many payloads each has."""
    kinds = [list(AnyKind)[rng.integers(len(AnyKind))] for _ in range(count)]
    return [(kind, 0 if kind in NONE else int(rng.integers(1, 6))) for kind in kinds]


def words_of(jobs):
    """List the payloads of each stream, and of both as they must leave."""
    streams, number = {"first": [], "second": [], "o": []}, 0
    for kind, size in jobs:
        for place in range(size):
            word, = drive.pack(PAYLOAD, {"number": [number], "last": [place == size - 1]})
            streams["second" if kind in SECOND else "first"].append(word)
            streams["o"].append(word)
            number += 1
    return streams


def job_words(jobs):
    return drive.pack(job_layout(configuration()), {"kind": [kind.value for kind, _ in jobs]})


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(late=["nobody", "jobs", "first", "second", "o", "all"])
async def jobs_take_turns(dut, late):
    rng = drive.rng()
    await drive.reset(dut)
    jobs = draw_jobs(rng, drive.amount(300, 3_000))
    words = words_of(jobs)
    pause = {name: 0.7 if late in (name, "all") else 0.0
             for name in ("jobs", "first", "second", "o")}
    received, *_ = await gather(
        drive.receive(dut, "o", len(words["o"]), pause["o"]),
        drive.send(dut, "jobs", job_words(jobs), pause["jobs"]),
        *(drive.send(dut, name, words[name], pause[name]) for name in ("first", "second")))
    assert received == words["o"]
    dut.o__ready.value = 1
    await drive.ticks(dut, 4)
    assert not int(dut.o__valid.value)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def takes_a_payload_per_cycle(dut):
    """And a cycle for each job that has none."""
    rng = drive.rng()
    await drive.reset(dut)
    jobs = draw_jobs(rng, 100)
    words = words_of(jobs)
    begin = drive.cycle()
    await gather(drive.receive(dut, "o", len(words["o"])),
                 drive.send(dut, "jobs", job_words(jobs)),
                 *(drive.send(dut, name, words[name]) for name in ("first", "second")))
    none = sum(size == 0 for _, size in jobs)
    assert drive.cycle() - begin <= len(words["o"]) + none + 2


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(kind=[AnyKind.GEMM, AnyKind.VECTOR, AnyKind.CONVERT])
async def nothing_leaves_without_its_job(dut, kind):
    """Neither before there is one, nor of the other stream, nor behind a job's last payload."""
    await drive.reset(dut)
    last, = drive.pack(PAYLOAD, {"number": [1], "last": [1]})
    dut.o__ready.value = dut.first__valid.value = dut.second__valid.value = 1
    dut.first__payload.value = dut.second__payload.value = last
    own, other = ("second", "first") if kind in SECOND else ("first", "second")

    def readies():
        return [int(getattr(dut, f"{name}__ready").value) for name in (own, other)]

    await drive.ticks(dut, 4)
    assert not int(dut.o__valid.value) and readies() == [0, 0]
    dut.jobs__valid.value, dut.jobs__payload.value = 1, job_words([(kind, 1)])[0]
    await drive.ticks(dut, 1)
    takes = int(kind not in NONE)
    assert int(dut.jobs__ready.value) and readies() == [takes, 0]
    dut.jobs__valid.value = 0
    await drive.ticks(dut, 1)
    assert int(dut.o__valid.value) == takes and readies() == [0, 0]


@pytest.mark.parametrize("lanes", [4])
def test_job_merge(lanes):
    config = Config.sized(rows=3, cols=4, k_max=64, bus_bytes=32, vector_lanes=lanes)
    bench.simulate(BufferedMerge(config), __name__, "jobs_in_turn",
                   parameters=handed_over(config))
