"""The anchored accumulator: one beat's block product, its shift, the sum, the final rounding.

An output's accumulator counts units of ``2**(Ra + Cb - 8 - F)``: Ra and Cb are the largest shared
exponents of its row and of its column and F is the number of fraction bits. Sums are integer sums,
so their order does not matter.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import integers, whole
from golden.floats import from_integer
from golden.formats import BLOCK_SIZE, PAIRS
from golden.residual import RESIDUAL_BITS

PRODUCT_POINT = 8
"""A block product counts units of 2**(Ea + Eb - 8): 3 + 3 for mantissas' points, 2 for pairs."""

PRODUCT_WIDTH = 15
"""Signed bits of a block product: at most 16 * 15 * 15 * 4 = 14400 in magnitude."""

MOST_BEATS = 4
"""Beats of one K-block when both operands are MX9: HH, HL, LH, LL."""

DEFAULT_ACC_WIDTH = 40
DEFAULT_K_MAX = 6144

_WIDEST = 62
"""Accumulators of this width leave an int64 room for the rounding of `round_shift`."""


def fraction_bits(acc_width: int = DEFAULT_ACC_WIDTH, k_max: int = DEFAULT_K_MAX) -> int:
    """Return F, the bits an accumulator keeps below the unit of a block product.

    Parameters
    ----------
    acc_width : int
        Bits of the signed accumulator.
    k_max : int
        Largest reduction length. All 4 beats of all its K-blocks fit without overflow.

    Raises
    ------
    TypeError
        If one of them is no integer.
    ValueError
        If `k_max` is below 1 or the width leaves no room for the integer part, or exceeds 62 bits.
    """
    acc_width, k_max = whole(acc_width, "acc_width"), whole(k_max, "k_max", least=1)
    beats = MOST_BEATS * -(-k_max // BLOCK_SIZE)
    integer_width = PRODUCT_WIDTH + (beats - 1).bit_length()
    if not integer_width <= acc_width <= _WIDEST:
        raise ValueError(
            f"acc_width must be from {integer_width} to {_WIDEST} bits for K up to {k_max}, "
            f"not {acc_width}"
        )
    return acc_width - integer_width


def block_product(
    a_mag: ArrayLike,
    a_sign: ArrayLike,
    a_t: ArrayLike,
    b_mag: ArrayLike,
    b_sign: ArrayLike,
    b_t: ArrayLike,
) -> NDArray[np.int64]:
    """Multiply two MX6-shaped blocks: D of one beat.

    Parameters
    ----------
    a_mag, b_mag : array_like of int, shape (..., 16)
        Bases or residuals, 0 to 15.
    a_sign, b_sign : array_like of int, shape (..., 16)
        1 where negative.
    a_t, b_t : array_like of int, shape (..., 8)
        Microexponents.

    Returns
    -------
    ndarray of int64, shape (...)
        Sum over pairs of ``(p[2j] + p[2j+1]) << (2 - a_t[j] - b_t[j])``, p being the signed
        products. The unit is ``2**(Ea + Eb - 8)`` for unbiased shared exponents, and 3 binades less
        per residual operand.
    """
    a = signed(a_mag, a_sign)
    b = signed(b_mag, b_sign)
    products = a * b
    pairs = products.reshape(*products.shape[:-1], PAIRS, 2).sum(axis=-1)
    left = 2 - integers(a_t, "a_t") - integers(b_t, "b_t")
    return (pairs << left).sum(axis=-1)


def signed(magnitude: ArrayLike, sign: ArrayLike) -> NDArray[np.int64]:
    """Return magnitudes as int64, negated where `sign` is 1."""
    value = integers(magnitude, "magnitudes")
    return np.where(np.asarray(sign) != 0, -value, value)


def beat_shift(
    row_distance: ArrayLike, column_distance: ArrayLike, residual_operands: int
) -> NDArray[np.int64]:
    """Return how far below its accumulator's anchor a beat lies, in binades.

    Parameters
    ----------
    row_distance, column_distance : array_like of int
        ``Ra - Ea`` and ``Cb - Eb``, not negative.
    residual_operands : int
        0, 1 or 2 of the operands are residuals.
    """
    distance = np.asarray(row_distance, np.int64) + np.asarray(column_distance, np.int64)
    return distance + RESIDUAL_BITS * residual_operands


def round_shift(d: ArrayLike, shift: ArrayLike, fraction_bits: int) -> NDArray[np.int64]:
    """Return what a beat adds: ``(d << fraction_bits) / 2**shift``, rounded half up.

    Parameters
    ----------
    d : array_like of int
        Block products, at most 14400 in magnitude.
    shift : array_like of int
        Not negative, any size; broadcast against `d`.
    fraction_bits : int
        F.

    Returns
    -------
    ndarray of int64
        Half a unit goes towards plus infinity, also where it is negative.
    """
    scaled = np.asarray(d, np.int64) << fraction_bits
    # As |scaled| < 2**61, nothing is left of it beyond the widest shift.
    distance = np.minimum(np.asarray(shift, np.int64), _WIDEST)
    # floor(x / 2**s + 1/2) = floor((floor(x / 2**(s-1)) + 1) / 2), which needs no wider integer.
    rounded = ((scaled >> np.maximum(distance - 1, 0)) + 1) >> 1
    return np.where(distance == 0, scaled, rounded)


def to_fp32_bits(
    acc: ArrayLike, exponent_sum: ArrayLike, fraction_bits: int, nan: ArrayLike = False
) -> NDArray[np.uint32]:
    """Round accumulators to FP32: once, half to even.

    Parameters
    ----------
    acc : array_like of int
        Accumulators, shape (...).
    exponent_sum : array_like of int
        Biased anchors, ``(Ra + 127) + (Cb + 127)``; broadcast against `acc`.
    fraction_bits : int
        F. The value is ``acc * 2**(exponent_sum - 254 - 8 - F)``.
    nan : array_like of bool
        Where the result is the quiet NaN, whatever `acc` holds.

    Returns
    -------
    ndarray of uint32, shape (...)
        Patterns. Too large is infinity of the sign. A result that rounds, with unbounded exponent,
        to less than the smallest normal is the zero of its sign. A zero accumulator is +0.
    """
    point = np.asarray(exponent_sum, np.int64) - (254 + PRODUCT_POINT + fraction_bits)
    rounded = from_integer(acc, point)
    return np.where(nan, np.float32(np.nan), rounded).view(np.uint32)
