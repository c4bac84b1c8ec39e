"""Floating-point formats: widening, flushing, adding and narrowing, every pattern."""

from fractions import Fraction

import ml_dtypes
import numpy as np

from golden import floats
from golden.formats import BF16, FP16
from golden.tests.proof.sweep import Sweep, assert_equal

CHUNK = 1 << 22
"""Patterns of a chunk: 1,024 of these are all of FP32."""

EVERY = np.arange(1 << 16, dtype=np.uint16)


def fp16_midpoints() -> np.ndarray:
    """Return what lies halfway from each FP16 magnitude to the next, as FP32 patterns."""
    code = np.arange(0x7C01)
    fraction = np.where(code < 0x400, code, code & 0x3FF | 0x400).astype(np.float64)
    value = np.ldexp(fraction, np.maximum(code >> 10, 1) - 25)  # the last is 65,536
    return ((value[1:] + value[:-1]) / 2).astype(np.float32).view(np.uint32)


MIDPOINTS = fp16_midpoints()


def patterns(chunk: int) -> np.ndarray:
    """Return a part of all FP32 patterns."""
    return np.arange(CHUNK, dtype=np.uint32) + np.uint32(chunk * CHUNK)


def wide(bits: np.ndarray) -> np.ndarray:
    """Return FP32 patterns as float64."""
    with np.errstate(all="ignore"):
        return bits.view(np.float32).astype(np.float64)


def as_bf16(bits: np.ndarray) -> np.ndarray:
    """Round FP32 patterns to BF16's."""
    with np.errstate(all="ignore"):
        rounded = bits.view(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
    nan = (bits & 0x7FFFFFFF) > 0x7F800000
    quiet = (bits >> 16 | 0x40).astype(np.uint16)  # a NaN keeps its upper half
    return np.where(nan, quiet, rounded)


def as_fp16(bits: np.ndarray) -> np.ndarray:
    """Round FP32 patterns to FP16's, by the midpoints of neighbours between which they lie."""
    sign, magnitude = (bits >> 16 & 0x8000).astype(np.uint16), bits & 0x7FFFFFFF
    pattern = np.searchsorted(MIDPOINTS, magnitude).astype(np.uint16)  # how many lie below
    is_tie = MIDPOINTS[np.minimum(pattern, len(MIDPOINTS) - 1)] == magnitude
    pattern += is_tie & (pattern & 1 == 1)
    quiet = (0x7E00 | bits >> 13 & 0x3FF).astype(np.uint16)
    return sign | np.where(magnitude > 0x7F800000, quiet, pattern)


def narrow_bf16(chunk: int) -> int:
    bits = patterns(chunk)
    return assert_equal(floats.narrow(bits.view(np.float32), BF16), as_bf16(bits), bits)


def narrow_fp16(chunk: int) -> int:
    bits = patterns(chunk)
    return assert_equal(floats.narrow(bits.view(np.float32), FP16), as_fp16(bits), bits)


def flush(chunk: int) -> int:
    bits = patterns(chunk)
    ours = floats.flush(bits.view(np.float32)).view(np.uint32)
    small = np.abs(wide(bits)) < 2.0**-126
    return assert_equal(ours, np.where(small, bits & 0x80000000, bits), bits)


def flushed(bits: np.ndarray) -> np.ndarray:
    """Return FP32 patterns as float64, subnormals as the zeros of their signs."""
    value = wide(bits)
    return np.where(np.abs(value) < 2.0**-126, np.copysign(0.0, value), value)


def added(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Add in float64 and round once more, to FP32 patterns.

    Twice rounded is once rounded: float64 has more than twice FP32's bits and two (Figueroa, 1995).
    """
    with np.errstate(all="ignore"):
        total = left + right
        rounded = np.where(np.abs(total) < 2.0**-126, np.copysign(0.0, total), total)
        bits = rounded.astype(np.float32).view(np.uint32)
    return np.where(np.isnan(total), np.uint32(0x7FC00000), bits)


def add_16(chunk: int, fmt: object) -> int:
    """Add 256 numbers of a format to all its numbers."""
    values = floats.widen(EVERY, fmt)
    as_64 = flushed(values.view(np.uint32))
    part = slice(256 * chunk, 256 * chunk + 256)
    ours = floats.add(values[part, None], values).view(np.uint32)
    return assert_equal(ours, added(as_64[part, None], as_64), EVERY[part, None], EVERY)


def widen(chunk: int) -> int:
    fmt = (FP16, BF16)[chunk]
    ours = floats.widen(EVERY, fmt).view(np.uint32)
    field = EVERY.astype(np.int64) >> fmt.mantissa_bits & (1 << fmt.exponent_bits) - 1
    fraction = EVERY.astype(np.int64) & (1 << fmt.mantissa_bits) - 1
    significand = fraction + ((field > 0).astype(np.int64) << fmt.mantissa_bits)
    value = np.ldexp(significand.astype(np.float64),
                     np.maximum(field, 1) - fmt.bias - fmt.mantissa_bits)  # fmt: skip
    special = field == (1 << fmt.exponent_bits) - 1
    theirs = np.where(special, 0, value).astype(np.float32).view(np.uint32).astype(np.int64)
    theirs = np.where(special, 0x7F800000 | fraction << 23 - fmt.mantissa_bits, theirs)
    return assert_equal(ours, (theirs | EVERY.astype(np.int64) >> 15 << 31).astype(np.uint32),
                        EVERY)  # fmt: skip


def magnitudes(chunk: int) -> int:
    """Every exponent, with the significands at which rounding turns."""
    fields = np.arange(8 * chunk, min(8 * chunk + 8, 255))
    fractions = np.array([0, 1, 2, 3, 0x3FFFFF, 0x400000, 0x555555, 0x7FFFFE, 0x7FFFFF])
    found = 0
    for pattern in (fields[:, None] << 23 | fractions).reshape(-1).tolist():
        value = floats.magnitude_value(pattern)
        exact = float(np.uint32(pattern).view(np.float32))
        if value != exact:
            raise AssertionError(f"{pattern:#x} is {value}, not {exact}")
        if pattern + 1 == 0x7F800000:
            continue
        above = float(np.uint32(pattern + 1).view(np.float32))
        for given, nearest in (
            (exact, pattern),
            (Fraction(exact) + Fraction(above - exact) / 2, pattern + pattern % 2),
            (Fraction(exact) + Fraction(above - exact) * Fraction(499, 1000), pattern),
            (Fraction(exact) + Fraction(above - exact) * Fraction(501, 1000), pattern + 1),
        ):
            if floats.nearest_magnitude(given) != nearest:
                raise AssertionError(f"{given} is not nearest to {nearest:#x}")
            found += 1
    return found


ALL = "all 2^32 patterns"

SWEEPS = (
    Sweep("narrow to BF16", ("floats.narrow",), "ml_dtypes' conversion; a NaN's upper half",
          ALL, 1024, narrow_bf16),
    Sweep("narrow to FP16", ("floats.narrow",), "the midpoints of neighbours: how many lie below",
          ALL, 1024, narrow_fp16),
    Sweep("flush", ("floats.flush",), "float64: below 2^-126", ALL, 1024, flush),
    Sweep("add FP16 numbers", ("floats.add",), "float64, where the sum is exact, rounded once",
          "all 2^32 pairs", 256, lambda chunk: add_16(chunk, FP16)),
    Sweep("add BF16 numbers", ("floats.add",),
          "float64, rounded to FP32; twice rounded is once rounded",
          "all 2^32 pairs, over FP32's whole range", 256, lambda chunk: add_16(chunk, BF16)),
    Sweep("widen", ("floats.widen",), "float64: significand times a power of two",
          "all 2^16 patterns of FP16 and BF16", 2, widen),
    Sweep("magnitudes", ("floats.magnitude_value", "floats.nearest_magnitude"),
          "NumPy's conversion of the pattern; midpoints and what is beside them",
          "every exponent with nine significands", 32, magnitudes),
)  # fmt: skip
