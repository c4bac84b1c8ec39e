"""Rounding of accumulators to FP32: ties, both ends of the exponent range, NaN, random values."""

import cocotb
import numpy as np
import pytest

from golden.accumulator import fraction_bits, to_fp32_bits
from hw.results.normalizer import Normalizer
from sim_tests import bench, drive

SHAPES = {"40": (40, 6144), "20": (20, 16), "27": (27, 256), "62": (62, 16384)}
"""Accumulator width and k_max; narrower than, close to and wider than an FP32 significand."""


def component(shape):
    """Build the normalizer of a machine."""
    acc_width, k_max = SHAPES[shape]
    return Normalizer(acc_width=acc_width, fraction_bits=fraction_bits(acc_width, k_max))


async def check(dut, accumulator, exponent_sum, is_nan, what, idle=0.0):
    """Send values, at most one per cycle, and compare every result with golden."""
    normalizer = component(drive.parameters()["shape"])
    layout = normalizer.signature.members["i"].shape
    fields = {"accumulator": accumulator, "exponent_sum": exponent_sum, "is_nan": is_nan}
    words = drive.pack(layout, fields)
    cycles = np.arange(len(words)) + np.cumsum(drive.rng().random(len(words)) < idle)
    schedule = dict(zip(cycles.tolist(), words, strict=True))
    results = []
    for now in range(int(cycles[-1]) + normalizer.latency + 1):
        dut.i.value = schedule.get(now, 0)
        await drive.ticks(dut, 1)  # what is read now was there before this edge
        if now - normalizer.latency in schedule:
            results.append(int(dut.o.value))
    expected = to_fp32_bits(accumulator, exponent_sum, normalizer.fraction_bits, is_nan)
    drive.compare(results, expected, what, shape=SHAPES[drive.parameters()["shape"]])


def random_accumulators(rng, n, acc_width):
    """Draw accumulators of every length, half of them with few bits set, so that ties occur."""
    length = rng.integers(0, acc_width, n)
    value = rng.integers(0, 1 << 62, n) & ((1 << length) - 1)
    cut = rng.integers(0, acc_width, n)
    sparse = value >> cut << cut | (1 << cut >> 1)
    value = np.where(rng.random(n) < 0.5, value, sparse) & ((1 << acc_width - 1) - 1)
    return np.where(rng.random(n) < 0.5, value, ~value + rng.integers(0, 2, n))


@cocotb.test
async def rounds_corner_accumulators(dut):
    await drive.reset(dut)
    width, _ = SHAPES[drive.parameters()["shape"]]
    powers = 1 << np.arange(width - 1)
    # One and a half units in the last place, and half a unit, above every power of two.
    unit, half = powers >> 23, powers >> 24
    values = [powers + unit * odd + half + offset for odd in (0, 1) for offset in (-1, 0, 1)]
    values = np.concatenate([powers - 1, powers, powers + 1, 2 * powers - 1, *values])
    values = values[(values >= 0) & (values < 1 << width - 1)]
    values = np.concatenate([values, -values, [-(1 << width - 1), 0]])
    await check(dut, values, 254, 0, "FP32 of a corner")


@cocotb.test
async def flushes_and_overflows_at_the_ends_of_the_range(dut):
    await drive.reset(dut)
    shape = drive.parameters()["shape"]
    width, _ = SHAPES[shape]
    rng, n = drive.rng(), drive.amount(2_000, 40_000)
    values = random_accumulators(rng, n, width)
    values[::3] |= (1 << min(24, width - 1)) - 1
    values[1::3] = 2 ** rng.integers(0, width - 1, len(values[1::3])) - 1
    length = np.array([int(abs(int(value))).bit_length() for value in values])
    target = rng.choice([-2, -1, 0, 1, 2, 253, 254, 255, 256], n)  # biased, before rounding
    sums = target - (length - 1) + 254 + 8 + component(shape).fraction_bits - 127
    await check(dut, values, np.clip(sums, 0, 510), 0, "FP32 near a limit")


@cocotb.test
async def matches_golden_on_random_accumulators(dut):
    await drive.reset(dut)
    width, _ = SHAPES[drive.parameters()["shape"]]
    rng, n = drive.rng(), drive.amount(4_000, 100_000)
    values, sums = random_accumulators(rng, n, width), rng.integers(0, 511, n)
    await check(dut, values, sums, rng.random(n) < 0.02, "FP32", idle=0.3)


@pytest.mark.parametrize("shape", SHAPES)
def test_normalizer(shape):
    bench.simulate(component(shape), __name__, f"normalizer_{shape}", parameters={"shape": shape})


@pytest.mark.parametrize(
    "acc_width, bits, sentence",
    [(1, 0, "at least 2 bits"), (40, 40, r"in 0\.\.39"), (40, -1, r"in 0\.\.39")],
)
def test_refuses_impossible_widths(acc_width, bits, sentence):
    with pytest.raises(ValueError, match=sentence):
        Normalizer(acc_width=acc_width, fraction_bits=bits)
