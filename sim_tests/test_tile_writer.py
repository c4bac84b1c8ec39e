"""Token tiles into the operand memory: tags, rounding, flags, anchors, room, counters."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import gather

from golden import MX6, quantize
from golden.mx import saturated_count, to_blocks
from hw.block_aligner import BlockAligner
from hw.driver import Job
from hw.outlier_policy import Tag
from hw.tile_writer import CONVERSION_COUNTS, TileWriter
from hw.widen import Elements
from sim_tests import bench, drive
from sim_tests.operands import (
    configuration,
    handed_over,
    job_words,
    matrix,
    mixed,
    small_config,
)
from sim_tests.store_watch import StoreWatch, Tile


class AlignedTileWriter(wiring.Component):
    """A `TileWriter` behind the `BlockAligner` that feeds it; ``i`` takes FP32 blocks."""

    def __init__(self, config):
        self.writer = TileWriter(config)
        members = dict(self.writer.signature.members)
        super().__init__(members | {
            "i": In(stream.Signature(Elements)),
            "counts": Out(CONVERSION_COUNTS), "counts_valid": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.aligner = aligner = BlockAligner()
        m.submodules.writer = writer = self.writer
        wiring.connect(m, wiring.flipped(self.i), aligner.i)
        m.d.comb += [
            writer.i.p.eq(aligner.o.p.block), writer.i.valid.eq(aligner.o.valid),
            aligner.o.ready.eq(writer.i.ready),
            self.counts.eq(writer.counts.payload), self.counts_valid.eq(writer.counts.valid),
            writer.released.eq(self.released), writer.released_blocks.eq(self.released_blocks),
            self.ready.eq(writer.ready),
        ]
        wiring.connect(m, wiring.flipped(self.jobs), writer.jobs)
        wiring.connect(m, wiring.flipped(self.tags), writer.tags)
        wiring.connect(m, writer.store, wiring.flipped(self.store))
        return m


def draw(rng, config, m, k, share=0.5, nans=1):
    """Draw activations (m, k) and their precision (m, blocks), the same for a tile's rows.

    Most rows have no residual, so that a tile's flag depends on one row, be it the first or last.
    """
    x = matrix(rng, m, k, nans)
    exact = quantize(x, MX6).dequantize()
    x = np.where(rng.random((m, 1)) < 0.7, exact, x)
    tiles = -(-m // config.rows)
    tags = rng.random((tiles, -(-k // 16))) < share
    return x, np.repeat(tags, config.rows, axis=0)[:m]


def tiles_of(config, x, is_mx9):
    """Cut a tensor into the tiles that must be stored."""
    tensor = mixed(x, is_mx9)
    names = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    for row in range(0, len(x), config.rows):
        part = slice(row, row + config.rows)
        yield Tile(replace(tensor, **{name: getattr(tensor, name)[part] for name in names}),
                   is_mx9.shape[1])


def expected_counts(x, is_mx9, config):
    """Ask golden what a job's counters must say."""
    tensor = mixed(x, is_mx9)
    return {"mx9_units": int(is_mx9[:: config.rows].sum()), "nan_blocks": tensor.nan_blocks,
            "saturated_elements": saturated_count(x, tensor)}


async def store(dut, works, idle=0.0, keep=0.0, hold=0):
    """Store the activations of jobs, compare tiles and counters, return cycles between tiles."""
    config = configuration()
    await drive.reset(dut)
    jobs = [Job(m=x.shape[0], n=1, k=x.shape[1]) for x, _ in works]
    blocks = np.concatenate([to_blocks(x, -1).reshape(-1, 16) for x, _ in works])
    tags = [{"is_outlier": row, "last": np.arange(len(row)) == len(row) - 1}
            for _, is_mx9 in works for row in is_mx9[:: config.rows]]
    counted = []

    async def count():
        while True:
            await drive.ticks(dut, 1)
            if int(dut.counts_valid.value):
                counted.append(int(dut.counts.value))

    tiles = [tile for work in works for tile in tiles_of(config, *work)]
    watch = StoreWatch(dut, lanes=config.rows, depth=config.act_depth, slots=config.tile_slots,
                       tiles=tiles)
    for task in (watch.follow(), count(), drive.send(dut, "jobs", job_words(config, jobs))):
        cocotb.start_soon(task)
    sending = [
        cocotb.start_soon(drive.send(
            dut, "i", drive.pack(Elements, blocks.view(np.uint32)), idle)),
        cocotb.start_soon(drive.send(
            dut, "tags", [word for tag in tags for word in drive.pack(Tag, tag)], idle)),
    ]
    if hold:
        await drive.ticks(dut, hold)
        assert watch.ready == watch.most_held(), (
            f"{watch.ready} tiles came while {watch.most_held()} have room")
    await gather(watch.release(keep=keep), *sending)
    expected = [expected_counts(*work, config) for work in works]
    actual = drive.unpack(CONVERSION_COUNTS, counted)
    drive.compare(actual, {name: [one[name] for one in expected] for name in expected[0]}, "counts")
    return list(np.diff(watch.ready_at))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], keep=[0.0, 0.98])
async def stores_jobs_of_every_row_length(dut, idle, keep):
    rng, config = drive.rng(), configuration()
    lengths = [1, 16, 17, 33, 64, 80, 81, 97, 100, config.k_max, 1, 40]  # 1 to 8 blocks and more
    works = [draw(rng, config, int(rng.integers(1, 3 * config.rows + 2)), k) for k in lengths]
    await store(dut, works, idle, keep)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(blocks=[1, 2, 3, 4], idle=[0.0, 0.5])
async def reuses_the_first_rows_tags_in_all_rows(dut, blocks, idle):
    rng, config = drive.rng(), configuration()
    await store(dut, [draw(rng, config, 6 * config.rows, 16 * blocks)], idle)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(blocks=[1, 2, 3], cycles=range(1, 9))
async def reads_no_flag_that_is_being_written(dut, blocks, cycles):
    """The second row's last block comes late, so the third row follows at its heels."""
    rng, config = drive.rng(), configuration()
    pause = drive.LongPause(2 * blocks - 1, cycles)
    await store(dut, [draw(rng, config, 2 * config.rows, 16 * blocks)], pause)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def stores_a_block_per_cycle_and_rests_one_cycle_between_tiles(dut):
    rng, config = drive.rng(), configuration()
    tiles, blocks = min(config.tile_slots, 2), 8
    cycles = await store(dut, [draw(rng, config, tiles * config.rows, 16 * blocks)])
    assert cycles == [config.rows * blocks + 1] * (tiles - 1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(row=[0, 1, -1])
async def finds_the_residual_of_any_row(dut, row):
    rng, config = drive.rng(), configuration()
    x = quantize(matrix(rng, config.rows, 64), MX6).dequantize()
    x[row % config.rows] = rng.standard_normal(64)
    await store(dut, [(x, np.full((config.rows, 4), True))])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(k=[16, 100])
async def waits_for_room(dut, k):
    rng, config = drive.rng(), configuration()
    await store(dut, [draw(rng, config, 7 * config.rows, k)], hold=1_000)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def survives_a_long_pause(dut):
    rng, config = drive.rng(), configuration()
    await store(dut, [draw(rng, config, 2 * config.rows, 50)], idle=drive.LongPause(5, 300))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def rounds_ties_and_saturates(dut):
    config = configuration()
    significand = 0x3F800000 | np.arange(256, dtype=np.uint32) << 15  # guard and sticky bits, all
    x = significand.view(np.float32).reshape(-1, 32)
    x = np.concatenate([x, -x, x * (1 + 2.0**-20)]).astype(np.float32)
    tags = np.repeat(np.arange(2 * -(-len(x) // config.rows)).reshape(-1, 2) % 3 == 0,
                     config.rows, axis=0)[: len(x)]
    await store(dut, [(x, tags), (x, ~tags)])


@pytest.mark.parametrize("rows, slots", [(3, 2), (1, 4)])
def test_tile_writer(rows, slots):
    config = small_config(rows=rows, tile_slots=slots, k_max=160, act_depth=23)
    bench.simulate(AlignedTileWriter(config), __name__, f"tile_writer_{rows}",
                   parameters=handed_over(config))
