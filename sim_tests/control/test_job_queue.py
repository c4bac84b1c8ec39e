"""The queue of jobs: every engine gets the jobs of its kinds, in order, each at its own pace."""

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hw.contract.config import JOBS_UNDER_WAY, Config
from hw.contract.job import job_layout
from hw.contract.job_codes import AnyKind, JobKind
from hw.control.job_queue import JobQueue
from hw.host.driver import Job
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, job_words

ENGINES = [set(JobKind), {JobKind.GEMM}, {JobKind.GEMM_PACKED, JobKind.CONVERT},
           {JobKind.CONVERT_TRANSPOSED}, {JobKind.GEMM, AnyKind.VECTOR},
           set(JobKind) | {AnyKind.VECTOR_PACKED}, set(AnyKind)]
"""Kinds of passes are nothing to a machine that has none."""


def words_of(config, kinds):
    """Pack jobs of kinds, all else of them anything."""
    layout = job_layout(config)
    others = {name for name, _ in layout} - {"kind"}
    words = job_words(config, [Job(kind=JobKind.GEMM, n=1, k=1) for _ in kinds], sorted(others))
    return [word | kind.value for word, kind in zip(words, kinds, strict=True)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(ready=[0.1, 0.5, 1.0])
async def hands_out_jobs_in_order(dut, ready):
    rng, config = drive.rng(), configuration()
    kinds = list(AnyKind if config.vector_lanes else JobKind)
    jobs = [kinds[rng.integers(len(kinds))] for _ in range(drive.amount(200, 2_000))]
    words = words_of(config, jobs)
    wanted = [[index for index, job in enumerate(jobs)
               if job.value in {kind.value for kind in engine}] for engine in ENGINES]
    taken = [[] for _ in ENGINES]
    await drive.reset(dut)
    sent = 0
    while any(len(got) < len(want) for got, want in zip(taken, wanted, strict=True)):
        # A job has ended when all engines that want it have taken it.
        ended = min((want[len(got)] for got, want in zip(taken, wanted, strict=True)
                     if len(got) < len(want)), default=len(jobs))
        is_sent = sent < len(jobs) and sent - ended < JOBS_UNDER_WAY and rng.random() < 0.5
        dut.i__valid.value = is_sent
        if is_sent:
            dut.i__payload.value = words[sent]
        flips = rng.random(len(ENGINES)) < ready
        for index, flip in enumerate(flips):
            getattr(dut, f"o__{index}__ready").value = int(flip)
        await RisingEdge(dut.clk)
        sent += is_sent
        for index, flip in enumerate(flips):
            if flip and int(getattr(dut, f"o__{index}__valid").value):
                at = len(taken[index])
                assert at < len(wanted[index]), f"engine {index} got a job too many"
                job = wanted[index][at]
                assert int(getattr(dut, f"o__{index}__payload").value) == words[job], (
                    f"engine {index}: not job {job} ({jobs[job].name})")
                taken[index].append(job)
    assert sent == len(jobs)


@pytest.mark.parametrize("config", [Config()])
def test_job_queue(config):
    bench.simulate(JobQueue(config, ENGINES), __name__, "job_queue",
                   parameters=handed_over(config))


def test_job_queue_of_passes():
    config = Config.sized(rows=2, cols=2, k_max=64, bus_bytes=8, vector_lanes=2)
    bench.simulate(JobQueue(config, ENGINES), __name__, "queue_of_passes",
                   parameters=handed_over(config))
