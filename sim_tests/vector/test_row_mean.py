"""Means of rows: ties, every number of leading zeros, both ends of the exponent range."""

import cocotb
import numpy as np

from golden.vector import RowStatistics, row_mean
from golden.vector.formats import MOST_COLUMNS, SUM_BITS
from hw.vector.row_mean import QUOTIENT_BITS, RowMean
from sim_tests import bench, drive
from sim_tests.stimuli.number_rows import INFINITY


def expected_mean(total, exponent, columns):
    """Ask golden for a pattern."""
    sums = [np.array([total]), np.array([0]), np.array([0])]
    return int(row_mean(RowStatistics(columns, np.array([exponent]), *sums)).view(np.uint32)[0])


def expected_latency(total, columns):
    """Count cycles as the docstring does."""
    if not total:
        return 2
    zeros = 0  # before the first 1 of a quotient whose first bit weighs 2^23
    while (abs(total) << zeros) < columns << SUM_BITS - 1:
        zeros += 1
    return QUOTIENT_BITS + 1 + zeros


async def check(dut, totals, exponents, columns, what):
    """Divide, one row behind the other, and compare with golden; also the time it takes."""
    rng = drive.rng("schedule")
    rows = list(zip(*(np.broadcast_arrays(totals, exponents, columns)), strict=True))
    actual, latencies = [], []
    for total, exponent, count in rows:
        dut.start.value, dut.columns.value = 1, int(count)
        dut.total.value, dut.exponent.value = int(total), int(exponent)
        await drive.ticks(dut, 1)
        dut.start.value = 0
        dut.total.value, dut.exponent.value = int(rng.integers(-99, 99)), int(rng.integers(0, 256))
        latency = 0
        while not int(dut.done.value) or not latency:
            await drive.ticks(dut, 1)
            latency += 1
            assert latency < 100, "a division that does not end"
        dut.columns.value = int(rng.integers(1, MOST_COLUMNS))
        await drive.ticks(dut, int(rng.integers(0, 2)))
        actual.append(int(dut.mean.value))
        latencies.append(latency)
    plain = [(int(total), int(exponent), int(count)) for total, exponent, count in rows]
    drive.compare(actual, [expected_mean(*row) for row in plain], f"mean, {what}")
    drive.compare(latencies, [expected_latency(total, count) for total, _, count in plain],
                  f"latency, {what}")


def random_sums(rng, n):
    """Draw sums of all lengths, and the numbers of elements that can have them."""
    columns = np.where(rng.random(n) < 0.3, rng.integers(1, 70, n),
                       rng.integers(1, MOST_COLUMNS + 1, n))
    largest = columns * ((1 << SUM_BITS) - 1)
    total = (rng.random(n) * largest).astype(np.int64) >> rng.integers(0, 40, n)
    return rng.choice([-1, 1], n) * total, columns


@cocotb.test
async def divides_corner_sums(dut):
    await drive.reset(dut)
    full = (1 << SUM_BITS) - 1
    rows = []
    for columns in (1, 2, 3, 15, 16, 17, 1152, 32767, 32768, 65535, 65536):
        for total in (0, 1, 2, columns - 1, columns, columns + 1, full, full + 1,
                      columns * full, columns * full - 1, columns << SUM_BITS - 1,
                      (columns << SUM_BITS - 1) - 1):
            if total <= columns * full:
                rows += [(total, 127, columns), (-total, 127, columns)]
    await check(dut, *np.array(rows).T, "corner")


@cocotb.test
async def rounds_ties_to_even(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(300, 10_000)
    doubled = rng.integers(1 << 24, 1 << 25, n) | 1  # 24 bits and a half
    power = rng.integers(1, 13, n)
    odd = rng.integers(0, (1 << 12 - np.minimum(power, 11)), n) | 1
    below = rng.integers(1, power + 1)
    columns, total = odd << power, odd * doubled << power - below
    total = total * rng.choice([-1, 1], n) + rng.choice([-1, 0, 0, 0, 1], n)
    await check(dut, total, 127, columns, "tie")


@cocotb.test
async def matches_golden_on_random_sums(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(400, 20_000)
    total, columns = random_sums(rng, n)
    await check(dut, total, rng.integers(1, 255, n), columns, "random")


@cocotb.test
async def below_the_normals_a_mean_is_zero(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(300, 10_000)
    total, columns = random_sums(rng, n)
    zeros = [expected_latency(int(each), int(count)) - QUOTIENT_BITS - 1
             for each, count in zip(total, columns, strict=True)]
    exponent = np.maximum(1, np.array(zeros) + rng.integers(-1, 3, n))
    await check(dut, total, exponent, columns, "small")
    # Just below 2^-126, which rounding reaches, or not.
    power = rng.integers(2, 15, n)
    total = (1 << 23 + power) - rng.integers(1, 1 << np.minimum(power + 1, 3))
    await check(dut, total, 1, 2 << power, "smallest normal")


@cocotb.test
async def an_infinity_or_a_nan_gives_the_nan(dut):
    await drive.reset(dut)
    await check(dut, [0, 1, -1, 12345], 255, 3, "NaN")
    await check(dut, [3 << 22], [254], 1, "large")
    assert int(dut.mean.value) < INFINITY


def test_row_mean():
    bench.simulate(RowMean(), __name__, "row_mean")
