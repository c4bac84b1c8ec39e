"""V24 and the functions of the vector unit: corners, exact cases, rationals."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.tests.helpers import as_fraction, assert_same_bits, binade, round_to_float
from golden.vector import (
    V24,
    exp2,
    exp2_saturates,
    gelu,
    multiply,
    reciprocal,
    reciprocal_root,
    silu,
    to_lane,
)
from golden.vector.fixed import to_fixed
from golden.vector.formats import EXP2_LIMIT
from golden.vector.gate import gelu_gate, silu_gate

PATTERNS = st.integers(0, (1 << 32) - 1)
FINITE = PATTERNS.filter(lambda pattern: pattern & 0x7F800000 != 0x7F800000)

QUIET = 0x7FC00000


def number(pattern):
    """Return the float32 array, without dimensions, of a pattern."""
    return np.asarray(np.uint32(pattern)).view(np.float32)


def flushed(pattern):
    """Return the value of a finite pattern as the vector unit takes it in."""
    return as_fraction(pattern) if pattern & 0x7F800000 else Fraction(0)


def lane(pattern):
    """Round a finite pattern to V24 over rationals: the pattern, and its value or None."""
    value, sign = flushed(pattern), pattern & 1 << 31
    if value == 0:
        return sign, Fraction(0)
    unit = Fraction(2) ** (binade(abs(value)) - V24.mantissa_bits)
    near = round(value / unit) * unit
    if abs(near) >= Fraction(2) ** 128:
        return sign | 0x7F800000, None
    return int(np.float32(float(near)).view(np.uint32)), near


@given(FINITE)
def test_numbers_are_rounded_to_v24_half_to_even(pattern):
    rounded, _ = lane(pattern)
    assert to_lane(number(pattern)).view(np.uint32) == rounded
    assert rounded & 0xFF == 0


@given(FINITE, FINITE)
def test_products_of_v24_are_rounded_once(left, right):
    (first, x), (second, y) = lane(left), lane(right)
    if x is None or y is None:
        return
    from golden.formats import FP32

    product = round_to_float(x * y, FP32) & 0x7FFFFFFF | (first ^ second) & 1 << 31
    assert multiply(number(left), number(right)).view(np.uint32) == product


@given(FINITE, st.integers(-140, 150))
def test_fixed_point_takes_halves_away_from_zero(pattern, place):
    value = flushed(pattern) * Fraction(2) ** place
    units = min(math.floor(abs(value) + Fraction(1, 2)), (1 << 24) - 1)
    assert to_fixed(number(pattern), place) == (-units if value < 0 else units)


@given(st.floats(-126, 95, width=32))
def test_powers_are_near(x):
    exact = 2.0**x
    # The table's error, and half a unit of the argument's last place.
    assert abs(float(exp2(np.float32(x))) / exact - 1) < 5.56e-5 + math.log(2) * 2**-16


def test_whole_numbers_give_exact_powers_of_two():
    whole = np.arange(-126, EXP2_LIMIT).astype(np.float32)
    assert_same_bits(exp2(whole), np.ldexp(np.float32(1), np.arange(-126, EXP2_LIMIT)))


def test_powers_rise_with_their_argument():
    places = np.arange(-2 << 15, 2 << 15)  # other binades have the same significands
    assert np.all(np.diff(exp2((places / 2**15).astype(np.float32))) >= 0)


@pytest.mark.parametrize("gate", [gelu_gate, silu_gate])
def test_gates_all_but_rise_and_both_sides_make_one(gate):
    x = (np.arange(17 << 14) / 2.0**14).astype(np.float32)
    # 1 - Phi is rounded to V24 by itself, so the two sides make 1 up to half a unit of each.
    right, left = (gate(each).astype(np.float64) for each in (x, -x))
    assert np.all(np.diff(right) >= -(2.0**-15)) and np.all(np.diff(left) <= 2.0**-15)
    assert np.max(np.abs(right + left - 1)) <= 2.0**-17
    assert gate(np.float32(0)) == 0.5


@pytest.mark.parametrize("power", range(-126, 127))
def test_reciprocals_of_powers_of_two_are_exact(power):
    x = np.ldexp(np.float32(1), power)
    assert reciprocal(x) == np.ldexp(np.float32(1), -power)
    if power % 2 == 0:
        assert reciprocal_root(x) == np.ldexp(np.float32(1), -power // 2)


NAN, INF, HUGE, TINY = (float(each) for each in ("nan", "inf", "3e38", "1e-40"))
NEAR = float(np.float32(96 - 2.0**-16 - 2.0**-17))
LARGEST_POWER = 2.0**96 - 2.0**80

CORNERS = {
    to_lane: [(0.0, 0.0), (-0.0, -0.0), (TINY, 0.0), (-TINY, -0.0), (INF, INF), (-INF, -INF),
        (NAN, NAN), (2.0**128 - 2.0**104, INF), (1 + 2.0**-16, 1.0), (1 + 3 * 2.0**-16, 1 +
        2.0**-14)],
    exp2: [(0.0, 1.0), (-0.0, 1.0), (TINY, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN),
        (HUGE, LARGEST_POWER), (-HUGE, 0.0), (96.0, LARGEST_POWER), (127.0, LARGEST_POWER),
        (128.0, LARGEST_POWER), (-126.0, 2.0**-126), (-126 - 2.0**-16, 0.0), (-127.0, 0.0),
        (-128.0, 0.0), (1.0, 2.0)],
    gelu: [(0.0, 0.0), (-0.0, -0.0), (TINY, 0.0), (-TINY, -0.0), (INF, INF), (-INF, NAN),
        (NAN, NAN), (8.0, 8.0), (-8.0, -0.0), (-100.0, -0.0), (1000.0, 1000.0)],
    silu: [(0.0, 0.0), (-0.0, -0.0), (TINY, 0.0), (-TINY, -0.0), (INF, INF), (-INF, NAN),
        (NAN, NAN), (16.0, 16.0), (-16.0, -0.0), (-100.0, -0.0), (1000.0, 1000.0)],
    gelu_gate: [(INF, 1.0), (-INF, 0.0), (NAN, NAN), (TINY, 0.5)],
    silu_gate: [(INF, 1.0), (-INF, 0.0), (NAN, NAN), (TINY, 0.5)],
    reciprocal: [(0.0, INF), (-0.0, -INF), (TINY, INF), (-TINY, -INF), (INF, 0.0), (-INF, -0.0),
        (NAN, NAN), (2.0**126, 2.0**-126), (-(2.0**126), -(2.0**-126)), (2.0**126 + 2.0**111, 0.0),
        (2.0**127, 0.0), (-(2.0**127), -0.0), (2.0**-126, 2.0**126)],
    reciprocal_root: [(0.0, INF), (-0.0, -INF), (TINY, INF), (INF, 0.0), (-INF, NAN), (NAN, NAN),
        (-1.0, NAN), (-TINY, -INF), (4.0, 0.5), (2.0**-126, 2.0**63)],
}  # fmt: skip


@pytest.mark.parametrize("function", CORNERS, ids=lambda each: each.__name__)
def test_corners(function):
    arguments, results = np.array(CORNERS[function], np.float32).T.copy()
    results[np.isnan(results)] = number(QUIET)
    assert_same_bits(function(arguments), results)
    singly = [function(np.float32(each)).view(np.uint32) for each in arguments]
    assert singly == results.view(np.uint32).tolist()


@pytest.mark.parametrize(("x", "saturates"), [
    (96.0, True), (NEAR, False), (float(np.nextafter(np.float32(96), np.float32(0))), True),
    (INF, True), (HUGE, True), (NAN, False), (-INF, False), (-HUGE, False), (0.0, False),
])  # fmt: skip
def test_saturation_is_told(x, saturates):
    assert bool(exp2_saturates(np.float32(x))) == saturates


@pytest.mark.parametrize(("left", "right", "product"), [
    (0.0, INF, NAN), (-0.0, 3.0, -0.0), (INF, -2.0, -INF), (NAN, 0.0, NAN),
    (2.0**-126, 0.5, 0.0), (-(2.0**-126), 0.5, -0.0), (2.0**127, 2.0, INF),
    (2.0**-126 * (2 - 2.0**-15), 0.5, 2.0**-127), (TINY, 2.0**100, 0.0),
    (1 + 2.0**-15, 2.0**-126 * (1 - 2.0**-1), 0.0),
])  # fmt: skip
def test_products_at_the_edges(left, right, product):
    wanted = np.float32(0 if abs(product) == 2.0**-127 else product)
    wanted = number(QUIET) if np.isnan(wanted) else wanted
    found = multiply(np.float32(left), np.float32(right))
    assert_same_bits(np.atleast_1d(found), np.atleast_1d(wanted))


def test_a_product_just_below_the_normals_rounds_up_to_them():
    # (1 + 2**-15) (1 - 2**-15) = 1 - 2**-30, which 24 bits round to 1.
    left, right = np.float32(1 + 2.0**-15), np.float32((1 - 2.0**-15) * 2.0**-63)
    assert multiply(left * np.float32(2.0**-63), right) == np.float32(2.0**-126)


def test_other_floats_are_widened_first():
    x = np.array([1.5, -2.25, 6e-8], np.float16)
    assert_same_bits(gelu(x), gelu(x.astype(np.float32)))
    assert gelu(x)[2] != 0  # FP16's subnormals are normal
    b = x.astype(ml_dtypes.bfloat16)
    assert_same_bits(silu(b), silu(b.astype(np.float32)))


@pytest.mark.parametrize("function", [exp2, gelu, silu, reciprocal, reciprocal_root, to_lane])
def test_other_numbers_are_refused(function):
    with pytest.raises(TypeError, match="expected float32, float16 or bfloat16"):
        function(np.ones(3))
    with pytest.raises(TypeError, match="expected float32, float16 or bfloat16"):
        function([1, 2])


def test_inputs_are_left_alone_and_shapes_stay():
    x = np.array([[TINY, 1.0, NAN]], np.float32)
    bits = x.view(np.uint32).copy()
    for function in (exp2, gelu, silu, reciprocal, reciprocal_root, to_lane):
        assert function(x).shape == x.shape and function(x).dtype == np.float32
        assert function(np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert np.array_equal(x.view(np.uint32), bits)
