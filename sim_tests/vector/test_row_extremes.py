"""The largest exponent and the largest number of rows: signs, zeros, NaNs, padding."""

import cocotb
import numpy as np

from golden.vector import row_maximum, row_statistics
from hw.blocks.widen import Elements
from hw.vector.row_extremes import RowExtremes
from sim_tests import bench, drive
from sim_tests.stimuli.number_rows import INFINITY, SIGN, corner_rows, pass_over, random_rows


async def check(dut, rows, what, idle=0.0, **options):
    """Compare what is said of rows with golden."""
    seen = await pass_over(
        dut, rows, layout=Elements, latency=RowExtremes.latency, idle=idle, **options)
    numbers = [row.view(np.float32) for row in rows]
    drive.compare([each["maximum"] for each in seen],
                  [row_maximum(row).view(np.uint32) for row in numbers], f"maximum, {what}")
    drive.compare([each["exponent"] for each in seen],
                  [row_statistics(row).exponent for row in numbers], f"exponent, {what}")


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def finds_the_largest_of_corner_rows(dut, idle):
    await drive.reset(dut)
    await check(dut, corner_rows(), "corner row", idle)


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def finds_the_largest_of_random_rows(dut, idle):
    await drive.reset(dut)
    await check(dut, random_rows(drive.rng(), drive.amount(400, 10_000)), "random row", idle)


@cocotb.test
async def any_elements_of_a_block_may_count(dut):
    await drive.reset(dut)
    rows = random_rows(drive.rng(), drive.amount(400, 10_000))
    await check(dut, rows, "row with holes", has_holes=True)


@cocotb.test
async def finds_it_in_every_place(dut):
    await drive.reset(dut)
    rows = []
    for sign in (0, SIGN):
        for place in range(33):
            row = np.full(33, 0x3F812345 | sign, np.uint32)
            row[place] = (0x3F812346 | sign) if not sign else (0x3F812344 | sign)
            rows.append(row)
    for place in range(33):  # a NaN, and an exponent
        row = np.full(33, 0x3F812345, np.uint32)
        row[place] = 0xFF900000
        rows += [row, np.where(row == 0xFF900000, np.uint32(0xC0000000), row)]
    await check(dut, rows, "place")


@cocotb.test
async def minus_infinity_is_the_largest_of_nothing(dut):
    await drive.reset(dut)
    one = np.array([0x3F800000], np.uint32)
    dut.block.value, dut.first.value, dut.last.value = (1 << 512) - 1, 1, 1
    await drive.ticks(dut, 1)
    dut.first.value = dut.last.value = 0
    await drive.ticks(dut, RowExtremes.latency)
    assert (int(dut.done.value), int(dut.exponent.value)) == (1, 0)
    assert int(dut.maximum.value) == INFINITY | SIGN
    await check(dut, [one], "row behind it")


def test_row_extremes():
    bench.simulate(RowExtremes(), __name__, "row_extremes")
