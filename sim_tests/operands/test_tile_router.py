"""Tiles of jobs of all kinds come to who needs them, in the order of jobs, and are counted."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from hw.contract.config import Config
from hw.contract.counts import CONVERSION_COUNTS
from hw.contract.job_codes import AnyKind, JobKind
from hw.contract.tile_block import tile_block_layout
from hw.operands.tile_router import TileRouter
from sim_tests import bench, drive
from sim_tests.operands.test_conversion_counter import draw, expected
from sim_tests.stimuli.operands import configuration, handed_over, small_config
from sim_tests.stimuli.tile_blocks import job_words, stream_fields

TAKERS = {JobKind.CONVERT: "conversions", JobKind.CONVERT_TRANSPOSED: "conversions",
          AnyKind.VECTOR_PACKED: "passes"}
"""Who wants a job's tiles, if not the operands."""


def takers():
    """List those of the machine."""
    return ["operands", "conversions"] + ["passes"] * bool(configuration().vector_lanes)


async def collect(dut, reports, count):
    """Collect the counters of jobs as they are reported."""
    while len(reports) < count:
        await drive.ticks(dut, 1)
        if int(dut.counts__valid.value):
            reports.append(int(dut.counts__payload.value))


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5, drive.LongPause(40, 300)],
                    stall=[0.0, 0.5, drive.LongPause(25, 300)])
async def sends_the_tiles_of_every_job_where_it_wants_them(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    kinds = [JobKind(kind) for kind in rng.permutation([0, 1, 2, 3] * 4)]
    kinds += [JobKind.GEMM, JobKind.CONVERT, JobKind.GEMM_PACKED, JobKind.CONVERT]
    if config.vector_lanes:
        places = rng.integers(0, len(kinds) + 1, 8)
        for place in sorted(map(int, places), reverse=True):
            kinds.insert(place, AnyKind.VECTOR_PACKED)
    jobs = [draw(rng, config, int(rng.integers(1, 9)), int(rng.integers(1, 65)), kind)
            for kind in kinds]
    words = [drive.pack(tile_block_layout(config), fields)
             for fields in each_jobs_fields(config, jobs)]
    sent = {"packed": [], "floating": []}
    wanted = {name: [] for name in takers()}
    for job, blocks in zip(jobs, words, strict=True):
        sent["packed" if job.kind is JobKind.GEMM_PACKED else "floating"] += blocks
        wanted[TAKERS.get(job.kind, "operands")] += blocks
    reports = []
    received = await gather(
        drive.send(dut, "jobs", job_words(config, jobs), idle),
        *(drive.send(dut, name, blocks, idle) for name, blocks in sent.items()),
        *(drive.receive(dut, name, len(blocks), stall) for name, blocks in wanted.items()),
        collect(dut, reports, len(jobs)))
    for (name, blocks), got in zip(wanted.items(), received[3:-1], strict=True):
        wrong = [place for place, pair in enumerate(zip(got, blocks, strict=True))
                 if pair[0] != pair[1]]
        assert not wrong, f"{name}: {len(wrong)} of {len(blocks)} are wrong, from {wrong[0]} on"
    counts = [expected(config, job) for job in jobs]
    drive.compare(drive.unpack(CONVERSION_COUNTS, reports),
                  {name: [count[name] for count in counts] for name in counts[0]}, "counts")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def packed_tiles_do_not_wait_for_what_conversions_wait_for(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    jobs = [draw(rng, config, rows, k, kind) for rows, k, kind in (
        (5, 40, JobKind.GEMM_PACKED), (3, 20, JobKind.CONVERT), (5, 40, JobKind.GEMM))]
    packed, converted, rounded = (drive.pack(tile_block_layout(config), fields)
                                  for fields in each_jobs_fields(config, jobs))
    sending = [cocotb.start_soon(drive.send(dut, name, words)) for name, words in (
        ("jobs", job_words(config, jobs)), ("packed", packed), ("floating", converted + rounded))]
    dut.conversions__ready.value = 0
    assert await drive.receive(dut, "operands", len(packed)) == packed
    dut.operands__ready.value = 1
    await drive.ticks(dut, 50)  # the GEMM behind the conversion waits for it
    assert not int(dut.operands__valid.value)
    dut.operands__ready.value = 0
    assert await drive.receive(dut, "conversions", len(converted)) == converted
    assert await drive.receive(dut, "operands", len(rounded)) == rounded
    await gather(*sending)


def each_jobs_fields(config, jobs):
    """List the blocks of each job by itself."""
    for job in jobs:
        tiles = list(stream_fields(config, [job]))
        yield {key: _joined([tile[key] for tile in tiles]) for key in tiles[0]}


def _joined(parts):
    """Put fields of tiles behind each other."""
    if isinstance(parts[0], dict):
        return {key: _joined([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate([np.atleast_1d(part) for part in parts])


def test_tile_router_of_passes():
    config = Config.sized(rows=3, cols=4, k_max=64, bus_bytes=16, vector_lanes=2)
    bench.simulate(TileRouter(config), __name__, "tile_router_of_passes",
                   parameters=handed_over(config))


@pytest.mark.parametrize("rows, cols", [(2, 3), (4, 1)])
def test_tile_router(rows, cols):
    config = small_config(rows=rows, cols=cols, k_max=64)
    bench.simulate(TileRouter(config), __name__, f"tile_router_{rows}x{cols}",
                   parameters=handed_over(config))
