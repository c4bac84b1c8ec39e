"""How far an approximation is from its reference."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import array
from golden.floats import MAGNITUDE_MASK, float_bits, widen
from golden.formats import FP32


def mse(reference: ArrayLike, approximation: ArrayLike) -> float:
    """Return the mean squared error, computed in float64.

    Raises
    ------
    TypeError
        If an array does not hold real numbers.
    ValueError
        If shapes differ, or there are no elements to take a mean of.
    """
    reference, approximation = _pair(reference, approximation)
    if reference.size == 0:
        raise ValueError(f"arrays of shape {reference.shape} have no mean error")
    with np.errstate(all="ignore"):
        return float(np.mean((reference - approximation) ** 2))


def qsnr(reference: ArrayLike, approximation: ArrayLike) -> float:
    """Return the quantization signal-to-noise ratio in decibels.

    Parameters
    ----------
    reference, approximation : array_like
        Of one shape. Computed in float64.

    Returns
    -------
    float
        ``10 log10(sum reference**2 / sum (reference - approximation)**2)``, as in Rouhani et al.,
        ISCA 2023, eq. 3. Infinite where the two are equal, NaN where either holds a NaN.
    """
    reference, approximation = _pair(reference, approximation)
    with np.errstate(all="ignore"):
        signal = np.sum(reference**2)
        noise = np.sum((reference - approximation) ** 2)
        return float("inf") if noise == 0 else float(10 * np.log10(signal / noise))


def max_ulp(reference: ArrayLike, approximation: ArrayLike) -> int:
    """Return the largest distance of two FP32 arrays, counted in FP32 numbers.

    Both zeros count as one number. NaNs are at distance 0 from NaNs and farther than any number
    from the rest.
    """
    left, right = (_ordinal(x) for x in (reference, approximation))
    if left.shape != right.shape:
        raise ValueError(f"shapes {left.shape} and {right.shape} differ")
    return int(np.max(np.abs(left - right), initial=0))


def _ordinal(x: ArrayLike) -> np.ndarray:
    bits, float_format = float_bits(x)
    if float_format is not FP32:
        raise TypeError(f"expected float32 numbers, not {float_format.name}")
    magnitude = (bits & 0x7FFFFFFF).astype(np.int64)
    ordinal = np.where(bits >> 31 == 1, -magnitude, magnitude)
    return np.where(magnitude > 0x7F800000, 1 << 40, ordinal)


def _pair(reference: ArrayLike, approximation: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    left, right = _float64(reference, "reference"), _float64(approximation, "approximation")
    if left.shape != right.shape:
        raise ValueError(f"shapes {left.shape} and {right.shape} differ")
    return left, right


def _float64(x: ArrayLike, what: str) -> NDArray[np.float64]:
    """Convert real numbers; FP32's subnormals too, where the processor takes them for zeros."""
    given = array(x, what)
    if given.dtype.name == "bfloat16":
        given = widen(given)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"{what} must hold real numbers, not {given.dtype.name}")
    with np.errstate(all="ignore"):
        wide = given.astype(np.float64)
    if given.dtype == np.float32:
        bits = given.view(np.uint32)
        units = (bits & MAGNITUDE_MASK).astype(np.float64) * 2.0**-149
        is_subnormal = (bits & 0x7F800000) == 0
        wide = np.where(is_subnormal, np.where(bits >> 31 == 1, -units, units), wide)
    return wide
