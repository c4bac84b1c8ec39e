"""The vector unit over real numbers: float64, in which each of its steps is exact before it rounds.

Patterns become float64 numbers at the border, and nothing here knows bits.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.vector.segments import Segments
from golden.vector.tables import EXP2, GELU_GATE, RECIPROCAL, RECIPROCAL_ROOT, SILU_GATE

Reals = NDArray[np.float64]

SMALLEST, BEYOND = 2.0**-126, 2.0**128


def taken(x: ArrayLike) -> Reals:
    """Return FP32 numbers as float64, subnormals as the zeros of their signs."""
    with np.errstate(all="ignore"):
        value = np.asarray(x, np.float32).astype(np.float64)
    return flushed(value)


def flushed(value: Reals) -> Reals:
    return np.where(np.abs(value) < SMALLEST, np.copysign(0.0, value), value)


def rounded(value: ArrayLike, bits: int) -> Reals:
    """Round to so many significant bits, half to even, and then to the range of FP32."""
    significand, exponent = np.frexp(np.asarray(value, np.float64))
    with np.errstate(all="ignore"):
        near = np.ldexp(np.rint(np.ldexp(significand, bits)), exponent - bits)
        near = np.where(np.abs(near) >= BEYOND, np.copysign(np.inf, near), near)
    return flushed(near)


def fp32(value: ArrayLike) -> Reals:
    return rounded(value, 24)


def v24(value: ArrayLike) -> Reals:
    return rounded(value, 16)


def product(x: ArrayLike, y: ArrayLike) -> Reals:
    with np.errstate(all="ignore"):
        return fp32(v24(x) * v24(y))


def total(x: ArrayLike, y: ArrayLike) -> Reals:
    """Add FP32 numbers; float64 rounds first, which changes nothing (Figueroa, 1995)."""
    with np.errstate(all="ignore"):
        return fp32(np.asarray(x) + y)


def patterns(value: ArrayLike) -> NDArray[np.uint32]:
    """Return the FP32 patterns of float64 numbers that FP32 has; any NaN is the quiet one."""
    with np.errstate(all="ignore"):
        bits = np.asarray(value, np.float64).astype(np.float32).view(np.uint32)
    return np.where(np.isnan(value), np.uint32(0x7FC00000), bits)


def half_away(value: Reals) -> Reals:
    """Round to whole numbers, halves away from zero."""
    return np.copysign(np.floor(np.abs(value) + 0.5), value)


def looked_up(table: Segments, place: Reals) -> Reals:
    """Evaluate a table at whole numbers: a polynomial rounded down at two points, then rounded."""
    step = 2.0**table.rest_bits
    segment = np.floor(place / step).astype(int)
    t = place / step - segment
    top = np.floor(t * 2.0**table.top_bits) / 2.0**table.top_bits
    c0, c1, c2 = (
        np.array(each)[segment] * 2.0**-point
        for each, point in zip((table.c0, table.c1, table.c2), table.points, strict=True)
    )
    slope = np.floor((c1 + c2 * top) * 2.0 ** table.points[1]) * 2.0 ** -table.points[1]
    value = np.floor((c0 + slope * t) * 2.0 ** table.points[0]) * 2.0 ** -table.points[0]
    return np.floor(value * 2.0**table.result_bits + 0.5) * 2.0**-table.result_bits


def exp2(x: Reals) -> Reals:
    nearest = half_away(np.clip(np.nan_to_num(x, posinf=200, neginf=-200), -200, 200) * 2.0**15)
    whole = np.floor(nearest / 2**15)
    value = np.ldexp(looked_up(EXP2, nearest - whole * 2**15), whole.astype(int))
    value = np.where(whole >= 96, 2.0**96 - 2.0**80, value)
    value = np.where(whole < -126, 0, value)
    return np.where(np.isnan(x), np.nan, np.where(x == np.inf, np.inf, value))


def gate(table: Segments, stop: int, x: Reals) -> Reals:
    x = v24(x)
    size = 2.0**table.argument_bits
    place = np.floor(np.minimum(np.abs(np.nan_to_num(x, posinf=stop)), stop) / stop * size + 0.5)
    value = looked_up(table, np.minimum(place, size - 1))
    value = v24(np.where((x < 0) & (place > 0), 1 - value, value))
    return np.where(np.isnan(x), np.nan, value)


def gelu(x: Reals) -> Reals:
    return product(x, gate(GELU_GATE, 8, x))


def silu(x: Reals) -> Reals:
    return product(x, gate(SILU_GATE, 16, x))


def reciprocal(x: Reals) -> Reals:
    x = v24(x)
    significand, exponent = np.frexp(np.where((x == 0) | ~np.isfinite(x), 1, np.abs(x)))
    near = looked_up(RECIPROCAL, (2 * significand - 1) * 2.0**15)
    value = flushed(np.ldexp(near, 1 - exponent))
    value = np.where(x == 0, np.inf, np.where(np.isinf(x), 0, value))
    return np.where(np.isnan(x), np.nan, np.copysign(value, x))


def reciprocal_root(x: Reals) -> Reals:
    x = v24(x)
    significand, exponent = np.frexp(np.where((x <= 0) | ~np.isfinite(x), 1, x))
    power = exponent - 1
    place = (2 * significand - 1 + power % 2) * 2.0**15
    value = np.ldexp(looked_up(RECIPROCAL_ROOT, place), -(power // 2))
    value = np.where(x == 0, np.copysign(np.inf, x), np.where(x == np.inf, 0, value))
    return np.where(np.isnan(x) | (x < 0), np.nan, value)
