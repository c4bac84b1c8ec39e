"""Output tiles through the array: all beats, any spacing, groups of rows in order, sums."""

import cocotb
import numpy as np
import pytest

from golden import gemm
from golden.accumulator import beat_shift, block_product, round_shift, to_fp32_bits
from golden.formats import BLOCK_SIZE
from hw.array.mac_array import MACArray
from hw.contract.operand_block import operand_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import (
    anchors,
    beat_fields,
    configuration,
    handed_over,
    matrix,
    mixed,
    pack_lanes,
    small_config,
    split_lanes,
)

KINDS = [(False, False), (True, False), (False, True), (True, True)]
"""Which operands, of A and of B, are residuals: H·H, L·H, H·L, L·L."""


def draw_tile(rng, config, k_blocks, mx9_share):
    """Draw a tile's operands: the rows of A, and B with its columns as lines."""
    a, b = (matrix(rng, lines, BLOCK_SIZE * k_blocks) for lines in (config.rows, config.cols))
    marks = rng.random((2, k_blocks)) < mx9_share
    return mixed(a, marks[0]), mixed(b.T, marks[1], axis=0)


def beats_of(a, b):
    """List a tile's beats as (K-block, residual of A, residual of B), base beats first."""
    return [(block, *kind) for block in range(a.is_mx9.shape[1]) for kind in KINDS
            if kind[0] <= a.is_mx9[0, block] and kind[1] <= b.is_mx9[0, block]]


def expected_sums(config, a, b):
    """Add up golden's beats, and see that golden's GEMM says the same."""
    parts = {False: lambda t: t.base, True: lambda t: t.residual}
    sums = 0
    for block, *kind in beats_of(a, b):
        x, y = (parts[residual](tensor)[:, block]
                for tensor, residual in zip((a, b), kind, strict=True))
        d = block_product(
            x[:, None], a.sign[:, None, block], a.microexponent[:, None, block],
            y[None], b.sign[None, :, block], b.microexponent[None, :, block])
        distances = (anchors(t) - t.exponent[:, block] for t in (a, b))
        row, column = (np.where(t.exponent[:, block] == 0, 0, distance)
                       for t, distance in zip((a, b), distances, strict=True))
        sums = sums + round_shift(d, beat_shift(row[:, None], column, sum(kind)),
                                  config.fraction_bits)
    rounded = to_fp32_bits(sums, anchors(a)[:, None] + anchors(b), config.fraction_bits)
    whole = gemm(a, b, acc_width=config.acc_width, k_max=config.k_max)
    drive.compare(rounded, whole.view(np.uint32), "sum of beats against golden.gemm")
    return sums


def schedule(rng, config, tiles, idle):
    """Place every beat in a cycle: the first free one that `last` allows, `idle` aside.

    Yields (cycle, tile, beat, is first, is last).
    """
    cycle, last_at = 0, -config.drain_cycles
    for tile, (a, b) in enumerate(tiles):
        beats = beats_of(a, b)
        for index, beat in enumerate(beats):
            while rng.random() < idle:
                cycle += 1
            is_last = index == len(beats) - 1
            if is_last:
                cycle = max(cycle, last_at + config.drain_cycles)
                last_at = cycle
            yield cycle, tile, beat, index == 0, is_last
            cycle += 1


def operand_words(config, tiles):
    """Pack every operand of every beat: words[side][tile][residual][block]."""
    layout = operand_layout(config.drop_width)
    by_block = [
        [[pack_lanes(layout, {key: np.swapaxes(value, 0, 1) for key, value
                              in beat_fields(tensor, residual, config.drop_width).items()})
          for residual in (False, True)] for tensor in tile]
        for tile in tiles
    ]
    return [[tile[side] for tile in by_block] for side in (0, 1)]


async def multiply(dut, tiles, idle, what):
    """Run tiles and check what the array shows in every cycle."""
    config = configuration()
    latency, rng = MACArray(config).latency, drive.rng("schedule")
    plan = {at: rest for at, *rest in schedule(rng, config, tiles, idle)}
    words = operand_words(config, tiles)
    sums = [expected_sums(config, *tile) for tile in tiles]
    shown = {at + latency + group: (tile, group) for at, (tile, *_, is_last) in plan.items()
             if is_last for group in range(config.drain_cycles)}
    operand = operand_layout(config.drop_width)
    widths = [operand.size * lanes for lanes in (config.rows, config.cols)]
    for cycle in range(max(shown) + 3):
        dut.valid.value = cycle in plan
        if cycle in plan:
            tile, (block, *kind), dut.first.value, dut.last.value = plan[cycle]
            values = [words[side][tile][kind[side]][block] for side in (0, 1)]
        else:  # nothing of an idle cycle may count
            dut.first.value, dut.last.value = (int(bit) for bit in rng.integers(0, 2, 2))
            values = [int.from_bytes(rng.bytes(width // 8), "little") for width in widths]
        dut.a.value, dut.b.value = values
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        assert int(dut.row_valid.value) == (cycle in shown), f"{what}: row_valid in cycle {cycle}"
        if cycle not in shown:
            assert not int(dut.captured.value), f"{what}: captured in cycle {cycle}"
            continue
        tile, group = shown[cycle]
        assert int(dut.captured.value) == (group == 0), f"{what}: captured in cycle {cycle}"
        lanes = split_lanes(int(dut.rows.value), config.acc_width, config.drain_lanes)
        expected = np.zeros((config.drain_rows, config.cols), np.int64)  # rows beyond R are zero
        there = sums[tile][group * config.drain_rows :][: config.drain_rows]
        expected[: len(there)] = there & ((1 << config.acc_width) - 1)
        drive.compare(lanes, expected.ravel(), what, tile=tile, group=group, cycle=cycle)


@cocotb.test
@cocotb.parametrize(a_is_mx9=[False, True], b_is_mx9=[False, True])
async def sums_every_kind_of_beat(dut, a_is_mx9, b_is_mx9):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    tiles = []
    for k_blocks in (1, 2, 5, 16):
        a, b = (matrix(rng, lines, BLOCK_SIZE * k_blocks) for lines in (config.rows, config.cols))
        tiles.append((mixed(a, np.full(k_blocks, a_is_mx9)),
                      mixed(b.T, np.full(k_blocks, b_is_mx9), axis=0)))
    await multiply(dut, tiles, 0.0, "sum")


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def sums_mixed_tiles_of_any_length(dut, idle):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    lengths = rng.integers(1, 9, drive.amount(25, 500))
    await multiply(dut, [draw_tile(rng, config, int(n), 0.3) for n in lengths], idle, "sum")


@cocotb.test
async def hands_out_tiles_without_a_pause(dut):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    tiles = [draw_tile(rng, config, config.drain_cycles, 0.0) for _ in range(20)]
    # Shorter tiles leave the drain busy; so do several with a single K-block, one after the other.
    tiles += [draw_tile(rng, config, 1, share) for share in (0, 0, 1, 1, 0, 0)]
    await multiply(dut, tiles, 0.0, "sum")


@pytest.mark.parametrize("rows, cols, drain_rows, stages, acc_width", [
    (2, 3, 1, 0, 23),  # F = 2: most addends are rounded away
    (4, 4, 1, 1, 40),
    (1, 2, 1, 2, 40),  # a tile may end in every cycle
    (3, 2, 2, 1, 40),  # the second group has one row
    (5, 2, 2, 0, 30),
    (3, 2, 4, 3, 40),  # all in one cycle, with a row too many
])
def test_mac_array(rows, cols, drain_rows, stages, acc_width):
    config = small_config(rows=rows, cols=cols, drain_lanes=drain_rows * cols, cell_stages=stages,
                          acc_width=acc_width)
    bench.simulate(MACArray(config), __name__, f"mac_array_{rows}x{cols}_{drain_rows}_{stages}",
                   parameters=handed_over(config))
