"""Rows of passes between those of other jobs: tiles of R rows, marked, and the end of each job."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest

from hw.activations.row_unpacker import RowUnpacker
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import AnyKind, JobKind
from sim_tests import bench, drive
from sim_tests.activations.test_row_unpacker import (
    IGNORED,
    draw_job,
    draw_rows,
    expected_blocks,
    packets_of,
    unpack,
    with_noise,
)
from sim_tests.stimuli.operands import configuration, handed_over, job_words

PASSES = (AnyKind.VECTOR, AnyKind.VECTOR_PACKED)


def draw(rng, config, lines, k):
    """Draw a job of any kind, and what the machine knows it by; of a pass software's is a GEMM."""
    kind = list(AnyKind)[rng.integers(len(AnyKind))]
    if kind is AnyKind.GEMM_PACKED:
        kind = AnyKind.GEMM
    job = draw_job(rng, config, lines, k, JobKind.GEMM if kind in PASSES else JobKind(kind.value))
    return replace(job, reorder=False, measure=False) if kind in PASSES else job, kind


def words_of(config, jobs, kinds):
    """Pack jobs with their kinds."""
    width = job_layout(config)["kind"].width
    return [word >> width << width | kind.value for word, kind in zip(
        job_words(config, with_noise(jobs), IGNORED), kinds, strict=True)]


def with_marks(blocks, first, kind):
    """Say of a job's blocks what a machine with a vector unit says of them besides."""
    count = len(first)
    blocks["job"] |= {"is_pass": np.full(count, kind in PASSES),
                      "packs": np.full(count, kind is AnyKind.VECTOR_PACKED)}
    blocks["job_last"] = np.arange(count) == count - 1
    return blocks, first


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def marks_what_goes_through_the_vector_unit(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    jobs, kinds, packets, expected = [], [], [], []
    for _ in range(drive.amount(24, 200)):
        job, kind = draw(rng, config, int(rng.integers(1, 3 * config.rows + 2)),
                         int(rng.integers(1, config.k_max + 1)))
        rows = draw_rows(rng, config, job)
        jobs.append(job)
        kinds.append(kind)
        packets += packets_of(config, job, rows)
        expected.append(with_marks(*expected_blocks(config, job, rows), kind))
    await unpack(dut, jobs, packets, expected, idle, stall, words_of(config, jobs, kinds))


@pytest.mark.parametrize("act_bytes", [4, 32])
def test_rows_of_passes(act_bytes):
    config = Config.sized(rows=3, cols=4, k_max=60, act_bytes=act_bytes, bus_bytes=32,
                          vector_lanes=4)
    bench.simulate(RowUnpacker(config), __name__, f"rows_of_passes_{act_bytes}",
                   parameters=handed_over(config))
