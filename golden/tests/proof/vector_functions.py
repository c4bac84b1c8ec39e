"""V24 and the functions of the vector unit beside float64 and integers."""

from fractions import Fraction
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from golden import floats
from golden.formats import FP32
from golden.tests.helpers import round_to_float
from golden.tests.proof import floats as narrowing
from golden.tests.proof import reals
from golden.tests.proof.drawn import CORNERS
from golden.tests.proof.sweep import Sweep, assert_equal
from golden.vector import exponential, fixed, gate, interpolation, lane
from golden.vector import fit as definitions
from golden.vector import tables as data

dividing = import_module("golden.vector.reciprocal")  # the function of that name hides it

PART = 1 << 20
"""V24 numbers of a chunk: 16 of these are all of them."""

TABLES = tuple(getattr(data, each.name) for each in definitions.DEFINITIONS)

BOUNDS = {
    "exp2": 5.56e-5,
    "gelu": 3.49e-5,
    "silu": 3.42e-5,
    "reciprocal": 2.63e-5,
    "reciprocal_root": 2.69e-5,
}
"""Largest errors: relative ones of V24's functions, and of exp2 at multiples of 2**-15; those of
GELU and SiLU over the magnitude of their argument."""

def within(name: str, ours: NDArray, exact: NDArray, scale: NDArray) -> None:
    """See that errors are within the bound of a function."""
    with np.errstate(all="ignore"):
        error = np.abs(ours.astype(np.float64) - exact) - BOUNDS[name] * np.abs(scale)
    if error.size and error.max() > 2.0**-126:
        raise AssertionError(f"{name} is off by {error.max()} more than its bound")


def lanes(chunk: int) -> NDArray[np.float32]:
    """Return a part of all V24 numbers."""
    return (np.arange(PART, dtype=np.uint32) + np.uint32(chunk * PART) << 8).view(np.float32)


def exact_results(chunk: int) -> int:
    """Round integers times powers of two, and float64 numbers."""
    rng, found = np.random.default_rng(chunk), 0
    units = rng.integers(-1 << 62, 1 << 62, 2000) >> rng.integers(0, 62, 2000)
    exponent = rng.integers(-200, 130, 2000) - np.where(units == 0, 0, 20)
    ours = floats.from_integer(units, exponent).view(np.uint32)
    theirs = [round_to_float(Fraction(int(unit)) * Fraction(2) ** int(power), FP32)
              for unit, power in zip(units, exponent, strict=True)]  # fmt: skip
    found += assert_equal(ours, np.array(theirs, np.uint32), units, exponent)
    power = rng.integers(-160, 132, 4000).astype(np.int32)
    value = np.ldexp(rng.standard_normal(4000), power)
    value[:500] = np.ldexp(rng.integers(1 << 24, 1 << 25, 500) + 0.0, power[:500] - 24)  # ties
    ours = floats.from_exact(value).view(np.uint32)
    return found + assert_equal(ours, reals.patterns(reals.fp32(value)), value.view(np.uint64))


def round_lanes(chunk: int) -> int:
    """Round FP32 patterns to V24, and make them canonical."""
    bits = narrowing.patterns(chunk)
    value = reals.taken(bits.view(np.float32))
    ours = lane.canonical(bits.view(np.float32)).view(np.uint32)
    assert_equal(ours, reals.patterns(value), bits)
    ours = lane.to_lane(bits.view(np.float32)).view(np.uint32)
    return assert_equal(ours, reals.patterns(reals.v24(value)), bits)


def products(chunk: int) -> int:
    """Multiply 128 significands by all, in integers."""
    left = (np.arange(128) + 128 * chunk + (1 << 15))[:, None]
    right = np.arange(1 << 15, 1 << 16)
    whole = left * right  # from 2**30 to below 2**32
    is_long = whole >> 31
    unit = np.int64(1) << (7 + is_long)
    quotient, rest = whole // unit, whole % unit
    quotient += (2 * rest > unit) | ((2 * rest == unit) & (quotient % 2 == 1))
    theirs = (quotient + (126 + is_long << 23)).astype(np.uint32)
    x, y = (((value - (1 << 15) << 8) + (127 << 23)).astype(np.uint32).view(np.float32)
            for value in (left, right))  # fmt: skip
    return assert_equal(lane.multiply(x, y).view(np.uint32), theirs, left, right)


def product_exponents(chunk: int) -> int:
    """Multiply by every exponent, in float64."""
    significands = np.array([0, 1, 0x5555, 0x7FFE, 0x7FFF, 0x80, 0x3FFF], np.uint32)
    every = (np.arange(512, dtype=np.uint32)[:, None] << 23 | significands << 8).reshape(-1)
    left = every[chunk * 112 : chunk * 112 + 112, None]
    ours = lane.multiply(left.view(np.float32), every.view(np.float32)).view(np.uint32)
    theirs = reals.product(*(reals.taken(each.view(np.float32)) for each in (left, every)))
    return assert_equal(ours, reals.patterns(theirs), left, every)


def fixed_points(chunk: int) -> int:
    """Make integers of FP32 patterns, in units of 2**-15 and of another power."""
    every, found = narrowing.patterns(chunk), 0
    some = every[chunk % 16 :: 16]
    for bits, place, most in ((every, 15, (1 << 22) - 1), (some, chunk % 300 - 110, (1 << 24) - 1)):
        value = reals.taken(bits.view(np.float32))
        ours = fixed.to_fixed(bits.view(np.float32), place, most)
        with np.errstate(all="ignore"):
            near = reals.half_away(value * 2.0**place)
        near = np.where(np.isnan(value), np.inf, near)
        found += assert_equal(ours, np.clip(near, -most, most).astype(np.int64), bits)
    return found


def look_up(chunk: int) -> int:
    """Evaluate a table at all of its arguments."""
    table = TABLES[chunk]
    places = np.arange(1 << table.argument_bits)
    ours = interpolation.interpolate(table, places)
    theirs = reals.looked_up(table, places.astype(np.float64)) * 2**table.result_bits
    return assert_equal(ours, theirs.astype(np.int64), places)


def powers(chunk: int) -> int:
    """Exponentiate all multiples of 2**-15 below 128, and numbers beside them."""
    size = 1 << 20
    places = np.arange(size) + (chunk - 4) * size
    exact = places / 2.0**15
    x = np.concatenate([exact.astype(np.float32), CORNERS.view(np.float32)])
    off = np.random.default_rng(chunk).uniform(-(2.0**-17), 2.0**-17, size)
    x = np.concatenate([x, (exact + off).astype(np.float32)])
    ours, value = exponential.exp2(x), reals.taken(x)
    found = assert_equal(ours.view(np.uint32), reals.patterns(reals.exp2(value)),
                         x.view(np.uint32))  # fmt: skip
    with np.errstate(invalid="ignore"):
        beyond = value >= 96 - 2.0**-16
    saturates = exponential.exp2_saturates(x)
    found += assert_equal(saturates.astype(int), beyond.astype(int), x.view(np.uint32))
    power = np.exp2(np.clip(exact, -126, 96))
    is_there = (exact >= -126) & (exact < 96)
    within("exp2", ours[:size][is_there], power[is_there], power[is_there])
    return found


def gates(chunk: int) -> int:
    """Multiply V24 numbers by the gates of GELU and of SiLU."""
    x = lanes(chunk)
    value, found = reals.taken(x), 0
    for name, ours, theirs, factor in (
        ("gelu", gate.gelu(x), reals.gelu, definitions.gelu_gate),
        ("silu", gate.silu(x), reals.silu, definitions.logistic),
    ):
        found += assert_equal(ours.view(np.uint32), reals.patterns(theirs(value)),
                              x.view(np.uint32))  # fmt: skip
        small = np.abs(value) < 1e30
        within(name, ours[small], value[small] * factor(value[small]), value[small])
    for ours, table, stop in ((gate.gelu_gate(x), data.GELU_GATE, 8),
                              (gate.silu_gate(x), data.SILU_GATE, 16)):  # fmt: skip
        theirs = reals.patterns(reals.gate(table, stop, value))
        found += assert_equal(ours.view(np.uint32), theirs, x.view(np.uint32))
    return found


def reciprocals(chunk: int) -> int:
    """Divide one by V24 numbers, and by their roots."""
    x = lanes(chunk)
    value, bits = reals.taken(x), x.view(np.uint32)
    one = dividing.reciprocal(x)
    found = assert_equal(one.view(np.uint32), reals.patterns(reals.reciprocal(value)), bits)
    is_there = (np.abs(value) <= 2.0**126) & (value != 0)
    exact = 1 / value[is_there]
    within("reciprocal", one[is_there], exact, exact)
    root = dividing.reciprocal_root(x)
    found += assert_equal(root.view(np.uint32), reals.patterns(reals.reciprocal_root(value)), bits)
    is_there = (value > 0) & np.isfinite(value)
    exact = 1 / np.sqrt(value[is_there])
    within("reciprocal_root", root[is_there], exact, exact)
    return found


ALL_LANES = "all 2^24 V24 numbers"

SWEEPS = (
    Sweep("results of any width", ("floats.from_integer", "floats.from_exact"),
          "rationals; float64, rounded by its fraction", "random integers, exponents, ties", 200,
          exact_results),
    Sweep("round to V24", ("vector.lane.to_lane", "vector.lane.canonical"),
          "float64, rounded by its fraction", narrowing.ALL, 1024, round_lanes),
    Sweep("products of V24", ("vector.lane.multiply",), "integers: quotient and rest",
          "all 2^30 pairs of significands", 256, products),
    Sweep("exponents of products", ("vector.lane.multiply",), "float64, rounded by its fraction",
          "all pairs of signs and exponents, seven significands", 32, product_exponents),
    Sweep("fixed point", ("vector.fixed.to_fixed",), "float64: the half added, rounded down",
          f"{narrowing.ALL}, in units of exp2's argument; a sixteenth in others", 1024,
          fixed_points),
    Sweep("tables of segments",
          ("vector.interpolation.interpolate", "vector.interpolation.evaluate",
           "vector.segments.Segments"),
          "the polynomial in float64, rounded down where it is cut", "all arguments",
          len(TABLES), look_up),
    Sweep("exp2", ("vector.exponential.exp2", "vector.exponential.exp2_saturates"),
          "float64; NumPy's exp2, within the bound of the error",
          "all multiples of 2^-15 to 128, numbers beside them, corners", 8, powers),
    Sweep("GELU and SiLU",
          ("vector.gate.gelu", "vector.gate.silu", "vector.gate.gelu_gate",
           "vector.gate.silu_gate"),
          "float64; the functions themselves, within the bounds of the errors", ALL_LANES, 16,
          gates),
    Sweep("1/x and 1/sqrt(x)",
          ("vector.reciprocal.reciprocal", "vector.reciprocal.reciprocal_root"),
          "float64; the functions themselves, within the bounds of the errors", ALL_LANES, 16,
          reciprocals),
)  # fmt: skip
