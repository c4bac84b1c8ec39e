"""exp2, GELU, SiLU, 1/x and 1/sqrt(x) of the vector unit.

Each looks up a table of segments with an integer argument. docs/vector.md has the bounds of their
errors, which ``mixdit check golden`` proves for every argument.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import MAGNITUDE_MASK
from golden.formats import FP32
from golden.vector.fixed import to_fixed
from golden.vector.formats import DROPPED_BITS, EXP2_LIMIT, GELU_LIMIT, SILU_LIMIT, V24
from golden.vector.interpolation import interpolate
from golden.vector.lane import canonical, multiply, to_lane
from golden.vector.segments import Segments
from golden.vector.tables import EXP2, GELU_GATE, RECIPROCAL, RECIPROCAL_ROOT, SILU_GATE

EXP2_PLACE = EXP2.argument_bits
"""Binary places of exp2's argument: 15."""

_FIELD = np.uint32(0x7F800000)
_EXP2_MOST = (128 << EXP2_PLACE) - 1
_LARGEST_POWER = (FP32.bias + EXP2_LIMIT << FP32.mantissa_bits) - (1 << DROPPED_BITS)
"""Pattern of the largest V24 number below ``2**EXP2_LIMIT``."""


def exp2(x: ArrayLike) -> NDArray[np.float32]:
    """Return 2**x in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Not rounded to V24, but to multiples of 2**-15, halves away from zero.

    Returns
    -------
    ndarray of float32
        Whole numbers give exact powers of two. What rounds to `EXP2_LIMIT` or more gives the
        largest V24 number below ``2**EXP2_LIMIT``, and `exp2_saturates` says so. Below -126 it is
        +0. Infinities give infinity and +0, NaNs the quiet NaN.
    """
    x = canonical(x)
    units = to_fixed(x, EXP2_PLACE, _EXP2_MOST)
    whole, part = units >> EXP2_PLACE, units & ((1 << EXP2_PLACE) - 1)
    power = np.clip(whole, 1 - FP32.bias, EXP2_LIMIT)
    bits = _pack(power + FP32.bias, interpolate(EXP2, part))
    bits = np.where(whole >= EXP2_LIMIT, np.uint32(_LARGEST_POWER), bits)
    bits = np.where(whole < 1 - FP32.bias, np.uint32(0), bits)
    bits = np.where(x == np.inf, _FIELD, bits)
    return _with_nan(bits, np.isnan(x))


def exp2_saturates(x: ArrayLike) -> NDArray[np.bool_]:
    """Tell where `exp2` has no number for 2**x: from `EXP2_LIMIT` - 2**-16 on, up to infinity.

    A NaN is no such number; it shows by itself.
    """
    x = canonical(x)
    is_beyond = to_fixed(x, EXP2_PLACE, _EXP2_MOST) >= EXP2_LIMIT << EXP2_PLACE
    return is_beyond & ~np.isnan(x)


def gelu_gate(x: ArrayLike) -> NDArray[np.float32]:
    """Return Phi, by which GELU in its tanh form multiplies x, in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24; its magnitude then to multiples of 2**-14, below 8.

    Returns
    -------
    ndarray of float32
        ``(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``: multiples of 2**-17 from 0 to 1,
        rounded to V24. Phi(-x) is 1 - Phi(x) before it is rounded; +-0 give 1/2, infinities 1 and
        +0, NaNs the quiet NaN.
    """
    return _gate(GELU_GATE, GELU_LIMIT, x)


def silu_gate(x: ArrayLike) -> NDArray[np.float32]:
    """Return sigma(x) = 1 / (1 + exp(-x)), by which SiLU multiplies x, in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24; its magnitude then to multiples of 2**-14, below 16.

    Returns
    -------
    ndarray of float32
        As `gelu_gate` does.
    """
    return _gate(SILU_GATE, SILU_LIMIT, x)


def gelu(x: ArrayLike) -> NDArray[np.float32]:
    """Return x times `gelu_gate` of x: a product of V24 numbers, rounded once to FP32.

    Zeros keep their signs, a large x stays as V24 has it, and what is far below zero is -0. Minus
    infinity gives the quiet NaN, as zero times infinity does.
    """
    return multiply(x, gelu_gate(x))


def silu(x: ArrayLike) -> NDArray[np.float32]:
    """Return x times `silu_gate` of x, as `gelu` does."""
    return multiply(x, silu_gate(x))


def reciprocal(x: ArrayLike) -> NDArray[np.float32]:
    """Return 1/x in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24.

    Returns
    -------
    ndarray of float32
        Powers of two are exact. Zeros give infinities and infinities zeros, of their signs; what is
        below FP32's normals, 1/x for |x| above 2**126, is the zero of its sign. NaNs give the quiet
        NaN.
    """
    x = to_lane(x)
    bits = x.view(np.uint32)
    sign, magnitude = bits & ~MAGNITUDE_MASK, bits & MAGNITUDE_MASK
    exponent = (magnitude >> FP32.mantissa_bits).astype(np.int64)
    found = _pack(2 * FP32.bias - 1 - exponent, interpolate(RECIPROCAL, _fraction(magnitude)))
    found = np.where(magnitude > 253 << FP32.mantissa_bits, np.uint32(0), found)
    found = np.where(magnitude == 0, _FIELD, found)
    return _with_nan(sign | found, np.isnan(x))


def reciprocal_root(x: ArrayLike) -> NDArray[np.float32]:
    """Return 1/sqrt(x) in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24.

    Returns
    -------
    ndarray of float32
        Even powers of two are exact. Zeros give infinities of their signs, infinity +0; numbers
        below zero, and NaNs, give the quiet NaN.
    """
    x = to_lane(x)
    bits = x.view(np.uint32)
    sign, magnitude = bits & ~MAGNITUDE_MASK, bits & MAGNITUDE_MASK
    power = (magnitude >> FP32.mantissa_bits).astype(np.int64) - FP32.bias
    # The last bit of the power chooses between the halves of the table, [1, 2) and [2, 4).
    is_odd = power & 1
    argument = is_odd << V24.mantissa_bits | _fraction(magnitude)
    found = _pack(FP32.bias - 1 - (power >> 1), interpolate(RECIPROCAL_ROOT, argument))
    found = np.where(magnitude == _FIELD, np.uint32(0), found)
    found = np.where(magnitude == 0, sign | _FIELD, found)
    return _with_nan(found, np.isnan(x) | ((sign != 0) & (magnitude != 0)))


def _gate(table: Segments, stop: int, x: ArrayLike) -> NDArray[np.float32]:
    """Return a gate from the table of its values for magnitudes below `stop`."""
    x = to_lane(x)
    place = table.argument_bits - (stop - 1).bit_length()
    units = to_fixed(x, place, (1 << table.argument_bits) - 1)
    value = interpolate(table, np.abs(units))
    value = np.where(units < 0, (1 << table.result_bits) - value, value)
    # A multiple of 2**-17 up to 1 is exact in FP32.
    gate = to_lane((value * 2.0**-table.result_bits).astype(np.float32))
    return np.where(np.isnan(x), np.float32(np.nan), gate)


def _fraction(magnitude: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the stored bits of V24 significands."""
    stored = magnitude >> DROPPED_BITS & ((1 << V24.mantissa_bits) - 1)
    return stored.astype(np.int64)


def _pack(exponent: NDArray[np.int64], significand: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return patterns from biased exponents and V24 significands, 2**15 to 2**16.

    A significand of 2**16 carries into the exponent.
    """
    fraction = significand - (1 << V24.mantissa_bits) << DROPPED_BITS
    return ((exponent << FP32.mantissa_bits) + fraction).astype(np.uint32)


def _with_nan(bits: NDArray[np.uint32], is_nan: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(is_nan, np.float32(np.nan), np.asarray(bits).view(np.float32))
