"""Bit patterns of FP32, FP16 and BF16 arrays: exact widening to FP32, addition, narrowing."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.formats import BF16, FP16, FP32, FloatFormat

MAGNITUDE_MASK = np.uint32(0x7FFFFFFF)
"""Everything of an FP32 pattern but its sign."""

QUIET_NAN = 0x7FC00000
"""The only NaN that dequantize and gemm produce, as an FP32 pattern."""

_FORMAT_OF_DTYPE = {"float32": FP32, "float16": FP16, "bfloat16": BF16}


def float_bits(
    x: ArrayLike, float_format: FloatFormat | None = None
) -> tuple[NDArray[np.unsignedinteger], FloatFormat]:
    """Return the bit patterns of an array of floats and say which format they are in.

    Parameters
    ----------
    x : array_like
        float32, float16 or an extension type named ``bfloat16`` (as of ``ml_dtypes``). Or patterns
        as uint32 (FP32) or uint16 (FP16, BF16), together with `float_format`.
    float_format : FloatFormat, optional
        The format of the patterns in `x`. Needed only where the dtype does not tell.

    Returns
    -------
    bits : ndarray of uint32 or uint16
        Same shape as `x`; a view where possible.
    float_format : FloatFormat

    Raises
    ------
    TypeError
        If the dtype is none of these, or contradicts `float_format`.
    """
    array = np.asarray(x)
    named = _FORMAT_OF_DTYPE.get(array.dtype.name)
    if named is not None:
        if float_format is not None and float_format != named:
            raise TypeError(
                f"the array holds {array.dtype.name} but float_format says {float_format.name}; "
                "leave float_format out, or give the bits as unsigned integers"
            )
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        return array.view(np.uint32 if named is FP32 else np.uint16), named
    if array.dtype in (np.uint16, np.uint32):
        if float_format is None:
            raise TypeError(
                f"an array of {array.dtype.name} may hold any format; say which with float_format"
            )
        if float_format.width != 8 * array.dtype.itemsize:
            raise TypeError(
                f"{float_format.name} numbers are {float_format.width} bits wide, "
                f"but the array holds {array.dtype.name}"
            )
        return array, float_format
    raise TypeError(
        f"expected float32, float16 or bfloat16 numbers, not {array.dtype.name}; "
        "convert them first, for example with x.astype(numpy.float32)"
    )


def widen(x: ArrayLike, float_format: FloatFormat | None = None) -> NDArray[np.float32]:
    """Widen to FP32, exactly: zeros keep their signs, subnormals their values, NaNs their payloads.

    Parameters
    ----------
    x, float_format
        As in `float_bits`.

    Returns
    -------
    ndarray of float32
        Same shape; a view of `x` if that is FP32 already.
    """
    bits, source = float_bits(x, float_format)
    if source is FP32:
        return bits.view(np.float32)
    if source is BF16:
        return (bits.astype(np.uint32) << 16).view(np.float32)
    wide = bits.view(np.float16).astype(np.float32)
    nan = np.isnan(wide)
    if nan.any():  # some processors' conversions quiet NaNs, which would change how they rank
        pattern = bits[nan].astype(np.uint32)
        wide_bits = np.atleast_1d(wide).view(np.uint32)
        wide_bits[np.atleast_1d(nan)] = (
            ((pattern & 0x8000) << 16) | 0x7F800000 | ((pattern & 0x3FF) << 13)
        )
        wide = wide_bits.view(np.float32).reshape(wide.shape)
    return wide


def flush(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace FP32 subnormals by the zeros of their signs."""
    bits = np.atleast_1d(np.array(x, np.float32)).view(np.uint32)
    bits[(bits & 0x7F800000) == 0] &= 0x80000000
    return bits.view(np.float32).reshape(np.shape(x))


def add(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add FP32 numbers as the accelerator adds a bias.

    Parameters
    ----------
    x, y : ndarray of float32
        Of shapes that broadcast. Subnormals count as the zeros of their signs.

    Returns
    -------
    ndarray of float32
        Rounded half to even. A subnormal sum becomes the zero of its sign: as a multiple of
        2**-149 below 2**-126 it is exact, so none is rounded up to a normal. Too large is infinity;
        NaNs, and the sum of opposite infinities, are the quiet NaN. Zeros add up to +0, unless both
        are -0.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = flush(flush(x) + flush(y))
    return np.where(np.isnan(total), np.float32(np.nan), total)


def narrow(x: ArrayLike, float_format: FloatFormat) -> NDArray[np.unsignedinteger]:
    """Round FP32 numbers half to even and return their patterns in a narrower format.

    Parameters
    ----------
    x : array_like of float32
    float_format : FloatFormat
        FP32 (nothing happens), FP16 or BF16.

    Returns
    -------
    ndarray of uint32 or uint16
        Subnormals stay, too large values become infinite, NaNs become quiet.
    """
    bits, source = float_bits(x)
    if source is not FP32:
        raise TypeError(f"expected float32 numbers, not {source.name}")
    if float_format is FP32:
        return bits
    if float_format is FP16:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return np.asarray(bits.view(np.float32).astype(np.float16)).view(np.uint16)
    rounded = (bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16
    quieted = (bits >> 16) | 0x40
    return np.where((bits & MAGNITUDE_MASK) > 0x7F800000, quieted, rounded).astype(np.uint16)
