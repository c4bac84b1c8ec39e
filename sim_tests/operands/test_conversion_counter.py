"""Counters of a job's conversion, over jobs of all sizes and with idle cycles between blocks."""

import cocotb
import numpy as np
from cocotb.triggers import gather

from golden.mx import saturated_count
from hw.contract.counts import CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job_codes import JobKind
from hw.contract.tile_block import tile_block_layout
from hw.operands.conversion_counter import ConversionCounter
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, matrix, mixed, small_config
from sim_tests.stimuli.tile_blocks import OF_ROWS, TiledJob, stream_fields


def draw(rng, config, rows, k, kind):
    """Draw a job in which much saturates, with some NaN blocks."""
    x = matrix(rng, rows, k, nans=rows // 2)
    near = rng.random(x.shape) < 0.2
    x[near] = np.float32(1.9999) * rng.choice([-1, 1], int(near.sum()))
    x[-1] = np.float32(1.9999)  # every element of its blocks saturates
    lanes = config.rows if kind in OF_ROWS else config.cols
    tags = rng.random((-(-rows // lanes), -(-k // 16))) < 0.5
    return TiledJob(x, mixed(x, np.repeat(tags, lanes, axis=0)[:rows]), kind)


def expected(config, job):
    """Ask golden what a job's counters must say."""
    return {"mx9_units": sum(int(tensor.is_mx9[0].sum()) for _, tensor in job.tiles(config)),
            "nan_blocks": job.tensor.nan_blocks,
            "saturated_elements": saturated_count(job.x, job.tensor)}


async def show(dut, words, idle):
    """Present blocks; in idle cycles there is one too, but it is not transferred."""
    rng = drive.rng("idle")
    for word in words:
        dut.block.value = word
        while rng.random() < idle:
            dut.transfer.value = 0
            await drive.ticks(dut, 1)
        dut.transfer.value = 1
        await drive.ticks(dut, 1)
    dut.transfer.value = 0
    await drive.ticks(dut, 3)  # a report too many would come now


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5])
async def counts_each_job_by_itself(dut, idle):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    jobs = [draw(rng, config, rows, k, kind) for rows, k, kind in (
        (1, 1, JobKind.GEMM), (7, 50, JobKind.CONVERT), (1, 16, JobKind.CONVERT),
        (5, 64, JobKind.GEMM_PACKED), (6, 33, JobKind.GEMM), (9, 64, JobKind.CONVERT))]
    words = [word for fields in stream_fields(config, jobs)
             for word in drive.pack(tile_block_layout(config), fields)]
    reports = []

    async def watch():
        while True:
            await drive.ticks(dut, 1)
            if int(dut.counts__valid.value):
                reports.append(int(dut.counts__payload.value))

    watching = cocotb.start_soon(watch())
    await gather(show(dut, words, idle))
    watching.cancel()
    counts = [expected(config, job) for job in jobs]
    assert sum(count["saturated_elements"] for count in counts) > 10
    assert sum(count["nan_blocks"] for count in counts) > 3
    drive.compare(drive.unpack(CONVERSION_COUNTS, reports),
                  {name: [count[name] for count in counts] for name in counts[0]}, "counts")


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(before=[(1 << 48) - 1, 0x555555555555, 0xAAAAAAAAAAAA, (1 << 32) - 1])
async def counts_on_from_any_number(dut, before):
    """What would take days is set: the counters carry through all of their bits, and wrap."""
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    job = draw(rng, config, 6, 64, JobKind.CONVERT)
    (dut.so_far.value,) = drive.pack(
        CONVERSION_COUNTS, {name: [before] for name, _ in CONVERSION_COUNTS})
    words = [word for fields in stream_fields(config, [job])
             for word in drive.pack(tile_block_layout(config), fields)]
    sending = cocotb.start_soon(show(dut, words, 0.0))
    while not int(dut.counts__valid.value):
        await drive.ticks(dut, 1)
    wanted = {name: [(before + count) % (1 << COUNT_BITS)]
              for name, count in expected(config, job).items()}
    assert all(count > 0 for count in expected(config, job).values())
    drive.compare(drive.unpack(CONVERSION_COUNTS, [int(dut.counts__payload.value)]), wanted,
                  "counts", before=before)
    await sending


def test_conversion_counter():
    config = small_config(rows=2, cols=3, k_max=64)
    bench.simulate(ConversionCounter(config), __name__, "conversion_counter", opened=["so_far"],
                   parameters=handed_over(config))


def test_counters_have_48_bits():
    assert COUNT_BITS == 48 and CONVERSION_COUNTS.size == 3 * 48
