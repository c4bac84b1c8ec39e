"""1/x and 1/sqrt(x) of the vector unit.

docs/vector.md has the bounds of the errors, which ``mixdit check golden`` proves for every
argument.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import MAGNITUDE_MASK
from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, V24
from golden.vector.interpolation import interpolate
from golden.vector.lane import pack, to_lane
from golden.vector.tables import RECIPROCAL, RECIPROCAL_ROOT

_INFINITY = np.uint32(0x7F800000)


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
    found = pack(2 * FP32.bias - 1 - exponent, interpolate(RECIPROCAL, _fraction(magnitude)))
    found = np.where(magnitude > 253 << FP32.mantissa_bits, np.uint32(0), found)
    found = np.where(magnitude == 0, _INFINITY, found)
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
    found = pack(FP32.bias - 1 - (power >> 1), interpolate(RECIPROCAL_ROOT, argument))
    found = np.where(magnitude == _INFINITY, np.uint32(0), found)
    found = np.where(magnitude == 0, sign | _INFINITY, found)
    return _with_nan(found, np.isnan(x) | ((sign != 0) & (magnitude != 0)))


def _fraction(magnitude: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the stored bits of V24 significands."""
    stored = magnitude >> DROPPED_BITS & ((1 << V24.mantissa_bits) - 1)
    return stored.astype(np.int64)


def _with_nan(bits: NDArray[np.uint32], is_nan: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(is_nan, np.float32(np.nan), np.asarray(bits).view(np.float32))
