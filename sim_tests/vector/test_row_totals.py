"""Sums of rows: corners, every length, the longest rows, rows without a pause between them."""

import cocotb
import numpy as np
import pytest
from amaranth.lib import data

from golden.vector import row_statistics
from hw.vector.row_totals import COARSE_WIDTH, SQUARES_WIDTH, TOTAL_WIDTH, RowTotals, Totals
from sim_tests import bench, drive
from sim_tests.stimuli.number_rows import corner_rows, longest_rows, pass_over, random_rows

INFINITY_FIELD = 255


async def check(dut, rows, what, idle=0.0, **options):
    """Compare sums with golden; those of rows with an infinity or a NaN mean nothing."""
    statistics = [row_statistics(row.view(np.float32)) for row in rows]
    layout = data.ArrayLayout(32, drive.parameters()["lanes"])
    seen = await pass_over(dut, rows, layout=layout, latency=RowTotals.latency, idle=idle,
                           exponents=[each.exponent for each in statistics], **options)
    assert len(seen) == len(rows)
    totals = drive.unpack(Totals, [each["totals"] for each in seen])
    is_finite = np.array([each.exponent != INFINITY_FIELD for each in statistics])
    for name in ("total", "coarse_total", "squares"):
        expected = np.array([getattr(each, name) for each in statistics])
        drive.compare(totals[name].astype(np.int64)[is_finite], expected[is_finite],
                      f"{name}, {what}")


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def adds_up_corner_rows(dut, idle):
    await drive.reset(dut)
    await check(dut, corner_rows(), "corner row", idle)


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5])
async def adds_up_random_rows(dut, idle):
    await drive.reset(dut)
    await check(dut, random_rows(drive.rng(), drive.amount(400, 10_000)), "random row", idle)


@cocotb.test
async def any_elements_of_a_block_may_count(dut):
    await drive.reset(dut)
    rows = random_rows(drive.rng(), drive.amount(200, 5_000))
    await check(dut, rows, "row with holes", has_holes=True)


@cocotb.test
async def adds_up_rows_of_one_block(dut):
    await drive.reset(dut)
    lanes = drive.parameters()["lanes"]
    rows = random_rows(drive.rng(), drive.amount(500, 10_000), most_columns=lanes)
    await check(dut, rows, "row of one block")


@cocotb.test
async def holds_the_largest_sums(dut):
    await drive.reset(dut)
    await check(dut, longest_rows(), "longest row")


@pytest.mark.parametrize("lanes", [16, 4])
def test_row_totals(lanes):
    bench.simulate(RowTotals(lanes=lanes), __name__, f"row_totals_{lanes}",
                   parameters={"lanes": lanes})


def test_sums_are_as_wide_as_the_documentation_says():
    assert (TOTAL_WIDTH, COARSE_WIDTH, SQUARES_WIDTH) == (41, 31, 43)


@pytest.mark.parametrize("lanes", [0, 1, 12])
def test_refuses_lanes_that_are_no_power_of_two(lanes):
    with pytest.raises(ValueError, match=f"power of two, at least 2, not {lanes}"):
        RowTotals(lanes=lanes)
