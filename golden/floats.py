"""Bit patterns of FP32, FP16 and BF16 arrays: exact widening to FP32, addition, narrowing."""

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import array, is_tensor
from golden.formats import BF16, FLOAT_FORMATS, FP16, FP32, FloatFormat

MAGNITUDE_MASK = np.uint32(0x7FFFFFFF)
"""Everything of an FP32 pattern but its sign."""

QUIET_NAN = 0x7FC00000
"""The only NaN that dequantize and gemm produce, as an FP32 pattern."""

_FORMAT_OF_DTYPE = {"float32": FP32, "float16": FP16, "bfloat16": BF16}


def float_format_of(fmt: FloatFormat | str, what: str = "float_format") -> FloatFormat:
    """Return a floating-point format given as itself or by name, in any case.

    Raises
    ------
    ValueError
        If it is none of FP32, FP16 and BF16.
    """
    found = FLOAT_FORMATS.get(fmt.lower() if isinstance(fmt, str) else getattr(fmt, "name", None))
    if found is None or not (isinstance(fmt, str) or fmt == found):
        raise ValueError(f"{what} must be one of {', '.join(FLOAT_FORMATS)}, not {fmt!r}")
    return found


def float_bits(
    x: ArrayLike, float_format: FloatFormat | None = None
) -> tuple[NDArray[np.unsignedinteger], FloatFormat]:
    """Return the bit patterns of an array of floats and say which format they are in.

    Parameters
    ----------
    x : array_like
        float32, float16 or an extension type named ``bfloat16`` (as of ``ml_dtypes``), in any byte
        order. Or patterns as uint32 (FP32) or uint16 (FP16, BF16), together with `float_format`.
        Torch tensors of float32 and float16 as far as NumPy sees them.
    float_format : FloatFormat or str, optional
        The format of the patterns in `x`. Needed only where the dtype does not tell.

    Returns
    -------
    bits : ndarray of uint32 or uint16
        Same shape as `x`; a view where possible.
    float_format : FloatFormat

    Raises
    ------
    TypeError
        If the dtype is none of these, or contradicts `float_format`; or `x` is a torch tensor that
        NumPy cannot see.
    ValueError
        If numbers of a masked array are masked, or the format does not exist.
    """
    float_format = None if float_format is None else float_format_of(float_format)
    found = array(x, "x")
    named = _FORMAT_OF_DTYPE.get(found.dtype.name)
    if named is not None:
        if float_format is not None and float_format != named:
            raise TypeError(
                f"the array holds {found.dtype.name} but float_format says {float_format.name}; "
                "leave float_format out, or give the bits as unsigned integers"
            )
        return found.view(np.uint32 if named is FP32 else np.uint16), named
    if found.dtype in (np.uint16, np.uint32):
        if float_format is None:
            raise TypeError(
                f"an array of {found.dtype.name} may hold any format; say which with float_format"
            )
        if float_format.width != 8 * found.dtype.itemsize:
            raise TypeError(
                f"{float_format.name} numbers are {float_format.width} bits wide, "
                f"but the array holds {found.dtype.name}"
            )
        return found, float_format
    if found.dtype.kind == "c":
        raise TypeError(
            f"expected float32, float16 or bfloat16 numbers, not {found.dtype.name}: give the real "
            "and the imaginary parts by themselves, each converted if it has another width"
        )
    if isinstance(x, np.ndarray):
        way = "x.astype(numpy.float32)"
    else:
        way = "x.float()" if is_tensor(x) else "numpy.asarray(x, numpy.float32)"
    raise TypeError(
        f"expected float32, float16 or bfloat16 numbers, not {found.dtype.name}; "
        f"convert them first, for example with {way}"
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
    with np.errstate(all="ignore"):
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
    bits = np.atleast_1d(np.array(widen(x))).view(np.uint32)
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
    with np.errstate(all="ignore"):
        total = flush(flush(x) + flush(y))
    return np.where(np.isnan(total), np.float32(np.nan), total)


def from_exact(value: ArrayLike) -> NDArray[np.float32]:
    """Round float64 numbers to FP32 as the accelerator rounds its results.

    Parameters
    ----------
    value : array_like of float64
        What an operation gives before any rounding, so that it is rounded once.

    Returns
    -------
    ndarray of float32
        Rounded half to even to 24 bits as if exponents had no limit. Then what is too large becomes
        infinity, and what lies below the smallest normal zero, both with their signs. NaNs are the
        quiet NaN.
    """
    value = np.asarray(value, np.float64)
    # The last tie below the smallest normal rounds up to it, what is smaller becomes zero. Both
    # happen before the conversion, as processors differ in what they flush.
    small = np.abs(value) < 2.0**-126
    if small.any():
        limit = 2.0**-126 * (1 - 2.0 ** -(FP32.mantissa_bits + 2))
        kept = np.abs(value) >= limit
        value = np.where(small, np.copysign(np.where(kept, 2.0**-126, 0.0), value), value)
    with np.errstate(all="ignore"):
        rounded = np.asarray(value.astype(np.float32))  # half to even, overflow to infinity
    return np.where(np.isnan(value), np.float32(np.nan), rounded)


def from_integer(units: ArrayLike, exponent: ArrayLike) -> NDArray[np.float32]:
    """Round ``units * 2**exponent`` to FP32, once, as `from_exact` does.

    Parameters
    ----------
    units : array_like of int
        Below 2**62 in magnitude. Zero gives +0.
    exponent : array_like of int
        From -900 to 900; broadcast against `units`.
    """
    units, exponent = np.broadcast_arrays(
        np.asarray(units, np.int64), np.asarray(exponent, np.int64)
    )
    # From 2**53 on, the last 10 bits give way to a sticky bit, so that float64 holds the rest; at
    # least 43 bits remain, and rounding them gives what rounding all would.
    wide = np.abs(units) >= 1 << 53
    if wide.any():
        units = np.where(wide, (units >> 10) | ((units & 0x3FF) != 0), units)
        exponent = exponent + 10 * wide
    scale = np.asarray((exponent + 1023) << 52).view(np.float64)
    return from_exact(units * scale)


def narrow(x: ArrayLike, float_format: FloatFormat) -> NDArray[np.unsignedinteger]:
    """Round FP32 numbers half to even and return their patterns in a narrower format.

    Parameters
    ----------
    x : array_like of float32
    float_format : FloatFormat or str
        FP32 (nothing happens), FP16 or BF16.

    Returns
    -------
    ndarray of uint32 or uint16
        Subnormals stay, too large values become infinite, NaNs become quiet and keep the upper
        bits of their payloads.
    """
    float_format = float_format_of(float_format)
    bits, source = float_bits(x)
    if source is not FP32:
        raise TypeError(f"expected float32 numbers, not {source.name}")
    if float_format is FP32:
        return bits
    if float_format is FP16:
        with np.errstate(all="ignore"):
            rounded = np.asarray(bits.view(np.float32).astype(np.float16)).view(np.uint16)
        # Explicitly: some processors' conversions quiet NaNs, NumPy's own does not.
        quieted = ((bits >> 16) & 0x8000) | 0x7E00 | ((bits >> 13) & 0x3FF)
    else:
        rounded = (bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16
        quieted = (bits >> 16) | 0x40
    return np.where((bits & MAGNITUDE_MASK) > 0x7F800000, quieted, rounded).astype(np.uint16)


def nearest_magnitude(value: float | Fraction) -> int:
    """Return the 31-bit pattern of the FP32 magnitude nearest to a number, half to even.

    In integers, so that subnormals stay where the processor would flush them.

    Parameters
    ----------
    value : float or Fraction
        Not negative; may be infinite.

    Raises
    ------
    ValueError
        If it is finite but beyond FP32's numbers.
    """
    if value == float("inf"):
        return 0x7F800000
    if value == 0:
        return 0
    exact = Fraction(value)
    power = exact.numerator.bit_length() - exact.denominator.bit_length()
    power = max(power if Fraction(2) ** power <= exact else power - 1, -126)
    pattern = round(exact / Fraction(2) ** (power - 23)) + (power + 126 << 23)
    if pattern >= 0x7F800000:
        raise ValueError(f"{float(exact):g} is beyond the numbers of FP32")
    return pattern


def magnitude_value(pattern: int) -> float:
    """Return the number that a 31-bit FP32 pattern stands for; in float64 it is exact."""
    if pattern >= 0x7F800000:
        return float("inf") if pattern == 0x7F800000 else float("nan")
    exponent, significand = pattern >> 23, pattern & 0x7FFFFF
    significand |= int(exponent > 0) << 23
    return float(significand * Fraction(2) ** (max(exponent, 1) - 150))
