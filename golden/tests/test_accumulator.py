"""The accumulator's pieces against rationals."""

from fractions import Fraction

import numpy as np
import pytest

from golden.accumulator import (
    beat_shift,
    block_product,
    fraction_bits,
    round_shift,
    to_fp32_bits,
)
from golden.formats import FP32
from golden.tests.helpers import round_to_float


@pytest.mark.parametrize(
    ("acc_width", "k_max", "expected"),
    [(40, 6144, 14), (44, 6144, 18), (40, 4608, 14), (40, 4096, 15), (17, 16, 0), (17, 1, 0)],
)
def test_fraction_bits(acc_width, k_max, expected):
    assert fraction_bits(acc_width, k_max) == expected


@pytest.mark.parametrize("k_max", [1, 16, 17, 4096, 4097, 6144])
def test_the_largest_sum_fits_the_accumulator(k_max):
    beats = 4 * -(-k_max // 16)
    fraction = fraction_bits(40, k_max)
    assert beats * 14400 << fraction < 1 << 39
    assert beats * (1 << 14) << (fraction + 1) > 1 << 39  # one bit more would not be safe


@pytest.mark.parametrize(("acc_width", "k_max"), [(25, 6144), (63, 16), (40, 0), (16, 1)])
def test_impossible_widths_get_a_sentence(acc_width, k_max):
    with pytest.raises(ValueError, match=r"must be (at least|from)"):
        fraction_bits(acc_width, k_max)


def test_block_product_equals_its_definition():
    rng = np.random.default_rng(0)
    a_mag, b_mag = rng.integers(0, 16, (2, 500, 16))
    a_sign, b_sign = rng.integers(0, 2, (2, 500, 16))
    a_t, b_t = rng.integers(0, 2, (2, 500, 8))
    d = block_product(a_mag, a_sign, a_t, b_mag, b_sign, b_t)
    for n in range(500):
        total = 0
        for i in range(16):
            sign = -1 if a_sign[n, i] != b_sign[n, i] else 1
            left = 2 - a_t[n, i // 2] - b_t[n, i // 2]
            total += sign * int(a_mag[n, i]) * int(b_mag[n, i]) * 2 ** int(left)
        assert d[n] == total


def test_block_product_reaches_14400():
    full, none = np.full(16, 15), np.zeros(8, int)
    assert block_product(full, np.zeros(16), none, full, np.zeros(16), none) == 14400
    assert block_product(full, np.ones(16), none, full, np.zeros(16), none) == -14400


def test_round_shift_rounds_half_up_at_every_distance():
    d = np.array([0, 1, -1, 2, -2, 3, -3, 5, -5, 7, 1023, -1024, 14400, -14400, 14399])
    for fraction in (0, 1, 14, 28, 47):
        for shift in (*range(75), 100, 516):
            for value, actual in zip(d, round_shift(d, shift, fraction), strict=True):
                exact = Fraction(int(value) << fraction, 1 << shift)
                assert actual == (exact + Fraction(1, 2)).__floor__(), (value, shift, fraction)


def test_round_shift_broadcasts_its_distances():
    d = np.arange(-3, 3)[:, None]
    shift = np.arange(20)
    expected = np.stack([round_shift(d[:, 0], s, 4) for s in shift], axis=1)
    assert np.array_equal(round_shift(d, shift, 4), expected)


def test_residual_operands_shift_by_three_binades_each():
    assert [int(beat_shift(2, 5, n)) for n in range(3)] == [7, 10, 13]


@pytest.mark.parametrize("fraction", [0, 14, 40])
def test_final_rounding_equals_the_definition(fraction):
    rng = np.random.default_rng(1)
    acc = rng.integers(-(1 << 61), 1 << 61, 3000) >> rng.integers(0, 61, 3000)
    ties = rng.integers(-(1 << 12), 1 << 12, 600) * 2 + 1
    acc[:600] = ties << rng.integers(0, 48, 600)
    # Around both ends of the range as well as anywhere.
    near = np.array([-126, -149, 127, -127])
    length = np.array([int(abs(v)).bit_length() for v in acc.tolist()])
    exponent_sum = near[np.arange(3000) % 4] - length + 262 + fraction + rng.integers(-3, 4, 3000)
    exponent_sum = np.where(np.arange(3000) % 8 < 6, exponent_sum, rng.integers(0, 509, 3000))
    actual = to_fp32_bits(acc, exponent_sum, fraction)
    for a, e, bits in zip(acc.tolist(), exponent_sum.tolist(), actual.tolist(), strict=True):
        value = a * Fraction(2) ** (e - 262 - fraction)
        assert bits == round_to_float(value, FP32), (a, e)


def test_overflow_is_infinite_and_underflow_zero_of_the_sign():
    exponent_sum = np.array([508, 508, 0, 0, 508])
    acc = np.array([1 << 38, -(1 << 38), 1, -1, 0])
    bits = to_fp32_bits(acc, exponent_sum, 14)
    assert [hex(b) for b in bits] == ["0x7f800000", "0xff800000", "0x0", "0x80000000", "0x0"]


def test_a_value_that_rounds_up_to_the_smallest_normal_is_kept():
    # (2**25 - 1) * 2**-151 is a tie between the smallest normal and the subnormal below it.
    exponent_sum = 262 - 151
    assert to_fp32_bits((1 << 25) - 1, exponent_sum, 0) == 0x00800000
    assert to_fp32_bits((1 << 25) - 2, exponent_sum, 0) == 0
    assert to_fp32_bits(-((1 << 25) - 2), exponent_sum, 0) == 0x80000000


def test_nan_flag_wins():
    bits = to_fp32_bits([5, -5, 0], 300, 14, [True, False, True])
    assert bits[0] == bits[2] == 0x7FC00000 != bits[1]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_bit_of_a_wide_accumulator_breaks_a_tie(sign):
    tie = (1 << 60) + (1 << 36)  # between two FP32 numbers 2**37 apart
    zero = 262  # the exponent sum at which the accumulator's unit is 1
    values = to_fp32_bits([sign * (tie + d) for d in (-1, 0, 1)], zero, 0).view(np.float32)
    assert values.tolist() == [sign * 2.0**60, sign * 2.0**60, sign * (2.0**60 + 2.0**37)]
