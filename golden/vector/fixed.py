"""Numbers as integers of a unit: arguments of tables, and addends of rows."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import MAGNITUDE_MASK
from golden.formats import FP32
from golden.vector.lane import canonical

LARGEST = (1 << (FP32.mantissa_bits + 1)) - 1
"""The most units that an FP32 significand counts without a shift to the left."""


def to_fixed(x: ArrayLike, place: ArrayLike, most: int = LARGEST) -> NDArray[np.int64]:
    """Return numbers as integers, in units of ``2**-place``.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
    place : array_like of int
        Binary places behind the point; broadcast against `x`.
    most : int
        The largest magnitude, up to `LARGEST`.

    Returns
    -------
    ndarray of int64
        The nearest integers, halves away from zero: the magnitude is shifted to the right, the last
        bit that falls out is added, and then the sign is given. Magnitudes beyond `most`
        and infinities give `most` with their sign, NaNs `most`.
    """
    bits = canonical(x).view(np.uint32)
    magnitude = (bits & MAGNITUDE_MASK).astype(np.int64)
    exponent = magnitude >> FP32.mantissa_bits
    significand = magnitude & ((1 << FP32.mantissa_bits) - 1) | 1 << FP32.mantissa_bits
    right = FP32.bias + FP32.mantissa_bits - exponent - np.asarray(place, np.int64)
    kept = significand >> np.clip(right - 1, 0, FP32.mantissa_bits + 2)
    units = np.where(right > 0, (kept + 1) >> 1, significand)
    units = np.where(right < 0, most, np.minimum(units, most))
    units = np.where(exponent == 0, 0, units)
    return np.where(bits >> 31 == 1, -units, units)
