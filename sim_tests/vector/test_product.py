"""Products of V24 numbers: special values, both roundings, both ends of the range."""

import cocotb
import numpy as np

from golden.vector import lane
from hw.vector.product import Product
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    patterns,
    results_of,
)

PARTS = SideBySide(Product, "product")


async def check(dut, a, b, enable=1, what="product"):
    """Compare with golden's products, and with the numbers themselves without a factor."""
    a, b, enable = np.broadcast_arrays(np.asarray(a, np.uint32), np.asarray(b, np.uint32), enable)
    actual = await results_of(dut, PARTS, a=a, b=b >> 8, enable=enable)
    factor = numbers(b & 0xFFFFFF00)
    expected = np.where(enable, lane.multiply(numbers(a), factor), lane.canonical(numbers(a)))
    compare(actual["o"], expected, what, a=a, b=b, enable=enable)


@cocotb.test
async def multiplies_every_pair_of_special_values(dut):
    await drive.reset(dut)
    await check(dut, SPECIAL[:, None], SPECIAL)


@cocotb.test
async def multiplies_a_special_value_by_any_number(dut):
    await drive.reset(dut)
    b = drive.rng().integers(0, 1 << 32, drive.amount(400, 4_000), np.uint32)
    await check(dut, SPECIAL[:, None], b)
    await check(dut, b, SPECIAL[:, None])


@cocotb.test
async def rounds_the_number_to_v24_half_to_even(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(30_000, 400_000)
    upper = rng.integers(0, 1 << 24, n) << 8
    near = rng.choice([0x00, 0x7F, 0x80, 0x81, 0xFF], n)
    await check(dut, upper | near, patterns(rng, n, 100, 150), what="product near a tie")
    await check(dut, 0x7F7FFF00 | np.arange(256), patterns(rng, 256, 0, 140))


@cocotb.test
async def rounds_products_half_to_even(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(60_000, 1_000_000)
    # Factors of few bits, whose products are often ties: 24 bits, a one, and zeros.
    left, right = (rng.integers(1 << 15, 1 << 16, n) >> cut << cut
                   for cut in rng.integers(0, 8, (2, n)))
    fraction = (left & 0x7FFF) << 8, (right & 0x7FFF) << 8
    exponent = rng.integers(60, 190, (2, n))
    a, b = (e << 23 | part for e, part in zip(exponent, fraction, strict=True))
    await check(dut, a, b)
    product = left * right
    bits = np.floor(np.log2(product)).astype(int) + 1 - 24
    assert np.count_nonzero(product & ((1 << bits) - 1) == 1 << bits - 1) > n / 200


@cocotb.test
async def flushes_and_overflows_at_the_ends_of_the_range(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 300_000)
    for total in (127, 381):  # biased exponents add up to the least normal's, and the largest's
        exponent = rng.integers(total - 254 if total > 255 else 1, min(254, total - 1), n)
        other = np.clip(total - exponent + rng.integers(-2, 3, n), 0, 255)
        a, b = ((e << 23) | (patterns(rng, n) & 0x807FFFFF) for e in (exponent, other))
        await check(dut, a, b, what="product near a limit")


@cocotb.test
async def passes_numbers_through_without_a_factor(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 300_000)
    a, b = rng.integers(0, 1 << 32, (2, n), np.uint32)
    a[: len(SPECIAL)], b[: len(SPECIAL)] = SPECIAL, SPECIAL[::-1]
    await check(dut, a, b, rng.integers(0, 2, n), what="product or number")


def test_product():
    bench.simulate(PARTS, __name__, "vector_products")
