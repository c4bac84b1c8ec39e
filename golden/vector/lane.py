"""V24, the numbers that the vector unit multiplies: FP32's range with 16 bits of significand.

A V24 number is an FP32 number whose last eight bits are zero, so arrays of it are float32 arrays.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import flush, from_exact, widen
from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, V24


def canonical(x: ArrayLike) -> NDArray[np.float32]:
    """Widen numbers to FP32 as the vector unit takes them in.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Any shape.

    Returns
    -------
    ndarray of float32
        FP32's subnormals are the zeros of their signs (FP16's are normal in FP32), NaNs the quiet
        NaN, all else is as it was.

    Raises
    ------
    TypeError
        If `x` holds no floats of 16 or 32 bits.
    """
    wide = flush(widen(x))
    return np.where(np.isnan(wide), np.float32(np.nan), wide)


def to_lane(x: ArrayLike) -> NDArray[np.float32]:
    """Round numbers to V24, half to even.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Any shape; made `canonical` first.

    Returns
    -------
    ndarray of float32
        Numbers whose last eight bits are zero. What rounds beyond the largest, 2**128 - 2**112, is
        infinity of its sign; infinities and the quiet NaN stay.
    """
    bits = canonical(x).view(np.uint32)
    to_even = (bits >> DROPPED_BITS) & 1
    half = np.uint32((1 << (DROPPED_BITS - 1)) - 1)
    # A carry out of the significand raises the exponent, from the largest to infinity's.
    rounded = (bits + half + to_even) >> DROPPED_BITS << DROPPED_BITS
    return np.asarray(rounded).view(np.float32)


def multiply(x: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
    """Round two factors to V24, and their product, which has 32 bits, once to FP32.

    Parameters
    ----------
    x, y : array_like of float32, float16 or bfloat16
        Of shapes that broadcast.

    Returns
    -------
    ndarray of float32
        Half to even, as if exponents had no limit; then what is too large is infinity, and what is
        below the smallest normal zero, with the product's sign. Zero times infinity is the quiet
        NaN, and so is a product with a NaN.
    """
    left, right = to_lane(x).astype(np.float64), to_lane(y).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return from_exact(left * right)


def pack(exponent: NDArray[np.int64], significand: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the patterns of V24 numbers.

    Parameters
    ----------
    exponent : ndarray of int64
        Biased, of FP32.
    significand : ndarray of int64
        From ``2**15`` to ``2**16``, which carries into the exponent.
    """
    fraction = significand - (1 << V24.mantissa_bits) << DROPPED_BITS
    return ((exponent << FP32.mantissa_bits) + fraction).astype(np.uint32)
