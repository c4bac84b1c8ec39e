"""Sums of quantized rows: rounding at every distance, the longest rows, results that shift out."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from amaranth import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.encode import NAN_EXPONENT
from golden.vector import row_sums
from golden.vector.formats import SUM_FRACTION_BITS
from hw.contract.operand_block import block_layout
from hw.results.row_factor import EXPONENT_OFFSET, sum_normalizer
from hw.vector.row_sum import RowSum
from sim_tests import bench, drive
from sim_tests.stimuli.mx_rows import beats, extreme_blocks, random_blocks, with_nan_blocks

ROWS = 3


class RowSums(wiring.Component):
    """Cells whose results shift out into one normalizer, the last row first."""

    def __init__(self, *, columns_max):
        self.columns_max = columns_max
        width = RowSum(columns_max=columns_max).width
        super().__init__({
            "i": In(data.ArrayLayout(block_layout(), ROWS)), "enable": In(ROWS),
            "is_residual": In(ROWS), "adds": In(ROWS), "distance": In(data.ArrayLayout(8, ROWS)),
            "first": In(ROWS), "last": In(ROWS), "largest": In(8),
            "result": Out(signed(width)), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        above = 0
        for row in range(ROWS):
            m.submodules[f"cell_{row}"] = cell = RowSum(columns_max=self.columns_max)
            m.d.comb += [
                cell.i.eq(self.i[row]), cell.distance.eq(self.distance[row]),
                cell.result_in.eq(above),
                *(getattr(cell, name).eq(getattr(self, name)[row])
                  for name in ("enable", "is_residual", "adds", "first", "last"))]
            above = cell.result
        m.submodules.normalizer = normalizer = sum_normalizer(cell.width)
        m.d.comb += [
            normalizer.i.accumulator.eq(above), self.result.eq(above),
            normalizer.i.exponent_sum.eq(self.largest + EXPONENT_OFFSET),
            normalizer.i.is_nan.eq(self.largest == NAN_EXPONENT), self.o.eq(normalizer.o)]
        return m


def schedule(rng, tensor, first_row, idle):
    """Say what each cell sees in each cycle: all rows end in the last one.

    Returns
    -------
    dict of str to ndarray
        Of shape (cycles, ROWS), or (cycles, ROWS, 16) for magnitudes; beats at cycle t, and what
        belongs to them at the adder at cycle t + 1.
    """
    each = [beats(tensor, first_row + row) for row in range(ROWS)]
    length = max(len(one) for one in each)
    cycles = int(length * (1 + 2 * idle)) + 1
    names = ("enable", "is_residual", "adds", "distance", "first", "last", "sign", "microexponent")
    seen = {name: np.zeros((cycles + 1, ROWS), np.int64) for name in names}
    seen["magnitude"] = rng.integers(0, 16, (cycles + 1, ROWS, 16))
    seen["distance"] = rng.integers(0, 256, seen["distance"].shape)
    for name, most in (("is_residual", 2), ("sign", 1 << 16), ("microexponent", 1 << 8)):
        seen[name] = rng.integers(0, most, seen[name].shape)
    for row, one in enumerate(each):
        at = np.sort(rng.choice(cycles - 1, len(one) - 1, replace=False)) if len(one) > 1 else []
        at = [*np.asarray(at, int), cycles - 1]
        exponent = tensor.exponent[first_row + row].astype(np.int64)
        last_block = one[-1]["block"]
        for beat, cycle in zip(one, at, strict=True):
            seen["enable"][cycle, row] = 1
            seen["is_residual"][cycle, row] = beat["is_residual"]
            for name, value in beat["fields"].items():
                seen[name][cycle, row] = value
            if beat["adds"]:
                seen["adds"][cycle + 1, row] = 1
                seen["distance"][cycle + 1, row] = exponent.max() - exponent[beat["block"]]
                seen["first"][cycle + 1, row] = beat["block"] == 0
                seen["last"][cycle + 1, row] = beat["block"] == last_block
    return seen


async def check(dut, tensor, what, idle=0.0):
    """Add up all rows, some at a time, and compare their rounded sums with golden."""
    rng = drive.rng("schedule")
    latency = sum_normalizer(40).latency
    patterns = []
    for first_row in range(0, tensor.shape[0], ROWS):
        seen = schedule(rng, tensor, first_row, idle)
        length = len(seen["enable"])
        words = np.array([drive.pack(block_layout(), {
            name: seen[name][:, row] for name in ("sign", "magnitude", "microexponent")})
            for row in range(ROWS)], object)
        width = block_layout().size
        for cycle in range(length):
            dut.i.value = sum(int(words[row, cycle]) << width * row for row in range(ROWS))
            for name in ("enable", "is_residual", "adds", "first", "last"):
                getattr(dut, name).value = int(seen[name][cycle] @ (1 << np.arange(ROWS)))
            dut.distance.value = int(seen["distance"][cycle] @ (1 << 8 * np.arange(ROWS)))
            await drive.ticks(dut, 1)
        for name in ("enable", "adds", "first", "last"):
            getattr(dut, name).value = 0
        largest = tensor.exponent[first_row : first_row + ROWS].max(axis=1)
        out = []
        for cycle in range(ROWS + latency):
            dut.largest.value = int(largest[ROWS - 1 - cycle]) if cycle < ROWS else 0
            await drive.ticks(dut, 1)  # what is read now was there before this edge
            if cycle >= latency:
                out.append(int(dut.o.value))
        patterns += out[::-1]
    drive.compare(patterns, row_sums(tensor).view(np.uint32), what)


@cocotb.test
async def rounds_at_every_distance(dut):
    await drive.reset(dut)
    rows = 3 * 48
    tensor = random_blocks(drive.rng(), rows, 2)
    exponent = np.full((rows, 2), 100, np.uint8)
    exponent[:, 1] -= np.arange(rows).astype(np.uint8) // 3
    mantissa = tensor.mantissa.copy()
    mantissa[:, 0] = 0  # the block at the row's exponent is zero
    await check(dut, replace(tensor, exponent=exponent, mantissa=mantissa), "one block below")


@cocotb.test
async def holds_the_largest_sum(dut):
    await drive.reset(dut)
    blocks = -(-drive.parameters()["columns_max"] // 16)
    await check(dut, extreme_blocks(ROWS, blocks), "largest sum")


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def adds_up_random_rows(dut, idle):
    await drive.reset(dut)
    most = -(-drive.parameters()["columns_max"] // 16)
    rng = drive.rng()
    for blocks in (1, 2, 3, min(most, 9), min(most, 40)):
        tensor = random_blocks(rng, drive.amount(30, 600), blocks)
        await check(dut, tensor, f"row of {blocks} blocks", idle)


@cocotb.test
async def a_nan_block_makes_the_row_nan(dut):
    await drive.reset(dut)
    rng = drive.rng()
    tensor = random_blocks(rng, 30, 3)
    await check(dut, with_nan_blocks(tensor, rng.random((30, 3)) < 0.3), "row with NaN blocks")


@pytest.mark.parametrize("columns_max", [64, 6144])
def test_row_sum(columns_max):
    bench.simulate(RowSums(columns_max=columns_max), __name__, f"row_sums_{columns_max}",
                   parameters={"columns_max": columns_max})


def test_a_sum_is_as_wide_as_the_longest_row_needs():
    assert RowSum(columns_max=16).width == 29
    assert RowSum(columns_max=6144).width == RowSum(columns_max=8192).width == 13 + 16 + 9
    assert SUM_FRACTION_BITS == 16


def test_refuses_rows_without_columns():
    with pytest.raises(ValueError, match="at least one column, not 0"):
        RowSum(columns_max=0)
