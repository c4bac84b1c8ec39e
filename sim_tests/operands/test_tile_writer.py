"""Token tiles into the operand memory: blocks, flags, anchors, room, one block per cycle."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden import MX6, quantize
from hw.contract.job_codes import JobKind, Selection
from hw.contract.tile_block import tile_block_layout
from hw.operands.tile_writer import TileWriter
from sim_tests import bench, drive
from sim_tests.accelerator.store_watch import StoreWatch, Tile
from sim_tests.stimuli.operands import configuration, handed_over, matrix, mixed, small_config
from sim_tests.stimuli.tile_blocks import TiledJob, job_words, stream_fields


def draw(rng, config, m, k, share=0.5, nans=1):
    """Draw a job's activations and the precision of each tile's K-blocks; one in four is untagged.

    Most rows have no residual, so that a tile's flag depends on one row, be it the first or last.
    """
    x = matrix(rng, m, k, nans)
    exact = quantize(x, MX6).dequantize()
    x = np.where(rng.random((m, 1)) < 0.7, exact, x).astype(np.float32)
    if rng.random() < 0.25:
        return untagged(x)
    tags = rng.random((-(-m // config.rows), -(-k // 16))) < share
    kind = JobKind.GEMM if rng.random() < 0.5 else JobKind.GEMM_PACKED
    return TiledJob(x, mixed(x, np.repeat(tags, config.rows, axis=0)[:m]), kind)


def untagged(x):
    """Make a job whose tiles come row by row."""
    return TiledJob(x, quantize(x, MX6), policy={"selection": Selection.HEAD.value, "units": 0})


async def store(dut, jobs, idle=0.0, keep=0.0, hold=0):
    """Store the activations of jobs and compare tiles; return the cycle in which each was ready."""
    config = configuration()
    await drive.reset(dut)
    words = [word for fields in stream_fields(config, jobs)
             for word in drive.pack(tile_block_layout(config), fields)]
    tiles = [Tile(tensor, tensor.exponent.shape[1])
             for job in jobs for _, tensor in job.tiles(config)]
    watch = StoreWatch(dut, lanes=config.rows, depth=config.act_depth, slots=config.tile_slots,
                       tiles=tiles)
    watching = cocotb.start_soon(watch.follow())
    sending = [cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs), idle)),
               cocotb.start_soon(drive.send(dut, "i", words, idle))]
    if hold:
        await drive.ticks(dut, hold)
        assert watch.ready == watch.most_held(), (
            f"{watch.ready} tiles came while {watch.most_held()} have room")
    await gather(watch.release(keep=keep), *sending)
    watching.cancel()
    return watch.ready_at


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], keep=[0.0, 0.98])
async def stores_jobs_of_every_row_length(dut, idle, keep):
    rng, config = drive.rng(), configuration()
    lengths = [1, 16, 17, 33, 64, 80, 81, 97, 100, config.k_max, 1, 40]
    await store(dut, [draw(rng, config, int(rng.integers(1, 3 * config.rows + 2)), k)
                      for k in lengths], idle, keep)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(blocks=[1, 2, 8])
async def stores_a_block_per_cycle_from_tile_to_tile_and_from_job_to_job(dut, blocks):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config, rows, 16 * blocks)
            for rows in (config.rows, 2 * config.rows, 1, config.rows)]
    cycles = np.diff(await store(dut, jobs))
    rows = [len(tensor.exponent) for job in jobs for _, tensor in job.tiles(config)]
    assert list(cycles) == [blocks * count for count in rows[1:]]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], keep=[0.0, 0.98])
async def stores_rows_of_untagged_tiles_where_k_blocks_of_others_go(dut, idle, keep):
    rng, config = drive.rng(), configuration()
    jobs = []
    for k in (1, 33, config.k_max, 80):
        jobs += [untagged(matrix(rng, int(rng.integers(1, 3 * config.rows + 2)), k, 1)),
                 draw(rng, config, config.rows + 1, 48)]
    await store(dut, jobs, idle, keep)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(row=[0, 1, -1])
async def finds_the_residual_of_any_row(dut, row):
    rng, config = drive.rng(), configuration()
    x = quantize(matrix(rng, config.rows, 64), MX6).dequantize()
    x[row % config.rows] = rng.standard_normal(64)
    await store(dut, [TiledJob(x, mixed(x, np.full((config.rows, 4), True)))])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(block=[0, 2, -1])
async def finds_the_anchor_in_any_block(dut, block):
    rng, config = drive.rng(), configuration()
    x = rng.standard_normal((2 * config.rows, 80)).astype(np.float32)
    x.reshape(len(x), 5, 16)[::2, block] *= 2.0**40
    x[-1, 16 * block + 3] = np.inf  # a NaN block's 255 is the largest of all
    await store(dut, [TiledJob(x, mixed(x, rng.random(5) < 0.5))])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def leaves_the_flags_of_rows_that_are_not_there_out(dut):
    """A short tile without residuals lands where whole tiles with residuals have been."""
    rng, config = drive.rng(), configuration()
    full = rng.standard_normal((3 * config.rows, config.k_max)).astype(np.float32)
    short = quantize(full[:1], MX6).dequantize()
    blocks = -(-config.k_max // 16)
    await store(dut, [TiledJob(x, mixed(x, np.full(blocks, True)))
                      for x in (full, short, full, short)])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(k=[16, 100])
async def waits_for_room(dut, k):
    rng, config = drive.rng(), configuration()
    await store(dut, [draw(rng, config, 12 * config.rows, k)], hold=1_000)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def survives_a_long_pause(dut):
    rng, config = drive.rng(), configuration()
    await store(dut, [draw(rng, config, 2 * config.rows, 50)], idle=drive.LongPause(5, 300))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def forgets_everything_at_reset(dut):
    rng, config = drive.rng(), configuration()
    jobs = [draw(rng, config, 3 * config.rows, 50) for _ in range(2)]
    words = [word for fields in stream_fields(config, jobs)
             for word in drive.pack(tile_block_layout(config), fields)]
    for count in (1, config.rows, len(words) // 2 - 1):
        await drive.reset(dut)
        sending = cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs)))
        await drive.send(dut, "i", words[:count])
        sending.cancel()
        await store(dut, jobs)


@pytest.mark.parametrize("rows, cols, slots", [(3, 5, 4), (1, 2, 8)])
def test_tile_writer(rows, cols, slots):
    config = small_config(rows=rows, cols=cols, tile_slots=slots, k_max=160, act_depth=23)
    bench.simulate(TileWriter(config), __name__, f"tile_writer_{rows}",
                   parameters=handed_over(config))
