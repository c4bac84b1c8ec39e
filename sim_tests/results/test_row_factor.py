"""One over the sum of a row: every length of sums, every exponent, zero, NaN, no factor at all."""

import cocotb
import numpy as np
import pytest

from golden.floats import from_integer
from golden.vector import reciprocal
from hw.contract.factor import Factor
from hw.results.row_factor import RowFactor
from hw.vector.row_sum import RowSum
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import SideBySide, compare, results_of

COLUMNS = {"16": 16, "6144": 6144}


def parts_of(columns):
    """Build what is tested, of rows of so many columns at most."""
    return SideBySide(lambda: RowFactor(columns_max=columns), "row_factor")


async def check(dut, total, largest, enable, what):
    """Compare factors with golden's: the sum counts units of 2^(R - 127 - 7 - 16)."""
    columns = COLUMNS[drive.parameters()["columns"]]
    width = RowSum.width_of(columns)
    total, largest, enable = np.broadcast_arrays(total, largest, enable)
    found = await results_of(dut, parts_of(columns), sum=total & ((1 << width) - 1),
                             largest=largest, enable=enable)
    sums = np.where(largest == 255, np.float32(np.nan), from_integer(
        total.astype(np.int64), largest.astype(np.int64) - 127 - 7 - 16)).astype(np.float32)
    with np.errstate(all="ignore"):
        factor = np.where(sums == 0, np.float32(0), reciprocal(sums)).astype(np.float32)
    expected = Factor.const({"value": 0, "enable": 1}).as_value().value * enable.astype(np.int64)
    compare(found["o"], expected | factor.view(np.uint32).astype(np.int64) >> 8, what,
            total=total, largest=largest)


def random_totals(rng, count, width):
    """Draw sums of every length and either sign."""
    length = rng.integers(0, width, count)
    return np.where(rng.random(count) < 0.8, 1, -1) * (rng.integers(0, 1 << 62, count)
                                                       & ((1 << length) - 1))


def drawn(count):
    width = RowSum.width_of(COLUMNS[drive.parameters()["columns"]])
    return random_totals(drive.rng(), drive.amount(count, 20 * count), width)


@cocotb.test
async def sums_of_every_length_have_factors(dut):
    await drive.reset(dut)
    rng, totals = drive.rng("exponents"), drawn(4000)
    await check(dut, totals, rng.integers(0, 256, len(totals)), 1, "of a sum")


@cocotb.test
async def both_ends_of_all_exponents(dut):
    await drive.reset(dut)
    width = RowSum.width_of(COLUMNS[drive.parameters()["columns"]])
    totals = np.array([0, 1, -1, 1 << 23, (1 << 24) + 1, (1 << width - 1) - 1, -(1 << width - 1)])
    await check(dut, totals[:, None], np.arange(256), 1, "of a corner")


@cocotb.test
async def a_row_without_a_factor_has_none(dut):
    await drive.reset(dut)
    rng, totals = drive.rng("enables"), drawn(400)
    await check(dut, totals, rng.integers(0, 256, len(totals)),
                rng.integers(0, 2, len(totals)), "of some rows")


@pytest.mark.parametrize("columns", list(COLUMNS))
def test_row_factor(columns):
    bench.simulate(parts_of(COLUMNS[columns]), __name__, f"row_factors_{columns}",
                   parameters={"columns": columns})
