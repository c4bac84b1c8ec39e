"""Statistics of rows, norms, the pipe and linear combinations: corners, order, refusals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
from golden.formats import FP16, MX4, MX6, MX9
from golden.tests.helpers import activations, assert_same_bits, assert_same_codes
from golden.vector import (
    gelu,
    layer_norm,
    linear_combination,
    multiply,
    pipe,
    rms_norm,
    row_maximum,
    row_mean,
    row_scale,
    row_statistics,
)

NAN = np.uint32(0x7FC00000).view(np.float32)
EPSILON = 1e-6

ROWS = st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=70)


def fp32(*values):
    return np.array(values, np.float32)


def all_nan(x):
    return bool(np.all(x.view(np.uint32) == 0x7FC00000))


@given(ROWS, st.randoms())
def test_the_order_of_elements_changes_no_bit(row, random):
    given = row_statistics(fp32(*row))
    random.shuffle(row)
    shuffled = row_statistics(fp32(*row))
    for name in ("exponent", "total", "coarse_total", "squares"):
        assert getattr(given, name) == getattr(shuffled, name)


@given(ROWS)
def test_statistics_are_near_those_of_real_numbers(row):
    x = fp32(*row).astype(np.float64)
    given, largest = row_statistics(fp32(*row)), np.abs(x).max()
    # Each addend is off by half a unit, 2**-24 of the largest, and the mean once more rounded.
    assert abs(row_mean(given) - x.mean()) <= largest * 2.0**-23 + 2.0**-126
    # Half a coarse unit is 2**-13 of the largest magnitude; it is how far the deviation can be off.
    deviation = np.sqrt(x.var() + EPSILON)
    off = abs(1 / float(row_scale(given, EPSILON)) - deviation)
    assert off <= largest * 2.0**-13 + deviation * 2.0**-14


@given(st.floats(-(2.0**100), 2.0**100, width=32), st.integers(1, 3000))
def test_a_constant_row_has_its_mean_and_becomes_zeros(value, columns):
    x = np.full((1, columns), value, np.float32)
    assert row_mean(row_statistics(x)) == (value if abs(value) >= 2.0**-126 else 0)
    assert not np.any(layer_norm(x, EPSILON).result)


def test_the_mean_is_rounded_once():
    # Means halfway between two numbers of FP32: the even one is below, then above.
    assert row_mean(row_statistics(fp32(1, 1 + 2.0**-23))) == 1
    assert row_mean(row_statistics(fp32(1 + 2.0**-23, 1 + 2.0**-22))) == 1 + 2.0**-22
    assert row_mean(row_statistics(fp32(1, 1, 0))) == np.float32(2 / 3)


def test_the_scale_of_a_row_without_deviation_is_that_of_epsilon():
    x = np.zeros((1, 64), np.float32)
    for scale in (row_scale(row_statistics(x), 2.0**-20),
                  row_scale(row_statistics(x), 2.0**-20, is_centred=False)):  # fmt: skip
        assert scale == 2.0**10


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_row_with_an_infinity_or_a_nan_is_nan_and_no_other(bad):
    x = activations(rows=3, k=32)
    clean = layer_norm(x, EPSILON).result
    x[1, 7] = bad
    for norm in (layer_norm, rms_norm):
        assert all_nan(norm(x, EPSILON).result[1])
    assert_same_bits(layer_norm(x, EPSILON).result[[0, 2]], clean[[0, 2]])
    assert all_nan(row_mean(row_statistics(x))[1])


def test_a_deviation_beyond_fp32_is_nan_and_not_zero():
    x = fp32([2.0**62, -(2.0**62)], [2.0**63, -(2.0**63)])
    scale = row_scale(row_statistics(x), EPSILON)
    assert scale[0] == 2.0**-62 and all_nan(scale[1:])


def test_rms_norm_subtracts_nothing():
    x = np.full((1, 48), -3.0, np.float32)
    assert np.max(np.abs(rms_norm(x, EPSILON).result + 1)) < 2.0**-14
    assert not np.any(rms_norm(np.zeros((2, 5), np.float32), EPSILON).result)


def test_norms_reach_90_and_89_db():
    x = activations(rows=64, k=1152)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    normed = centred / np.sqrt(wide.var(-1, keepdims=True) + EPSILON)
    assert golden.qsnr(normed, layer_norm(x, EPSILON).result) > 88
    squared = wide / np.sqrt((wide**2).mean(-1, keepdims=True) + EPSILON)
    assert golden.qsnr(squared, rms_norm(x, EPSILON).result) > 88


def test_norms_modulate_and_leave_as_mx():
    x, rng = activations(rows=4, k=50), np.random.default_rng(1)
    factor, shift = rng.standard_normal((2, 1, 50), np.float32)
    plain = layer_norm(x, EPSILON).result
    modulated = layer_norm(x, EPSILON, factor=factor, shift=shift).result
    assert_same_bits(modulated, golden.floats.add(multiply(plain, factor), shift + 0 * plain))
    tags = rng.random((4, 4)) < 0.5
    packed = layer_norm(x, EPSILON, factor=factor, shift=shift, output=MX6, mx9_blocks=tags)
    assert packed.result.format == "mixed" and np.array_equal(packed.result.is_mx9, tags)
    assert_same_codes(rms_norm(x, EPSILON, output="mx9").result,
                      golden.quantize(rms_norm(x, EPSILON).result, MX9))  # fmt: skip


def test_padding_takes_no_part_in_norms_and_leaves_as_zeros():
    x = activations(rows=4, k=80)
    x[:, 72:] = np.inf
    for norm in (layer_norm, rms_norm):
        whole = norm(x, EPSILON, valid_columns=72).result
        assert_same_bits(whole[:, :72], norm(x[:, :72], EPSILON).result)
        assert not np.any(whole[:, 72:].view(np.uint32))


@pytest.mark.parametrize("columns", [0, 81, True, 2.0])
def test_norms_of_columns_that_are_not_there_are_refused(columns):
    with pytest.raises((ValueError, TypeError), match="valid_columns must be"):
        layer_norm(activations(rows=2, k=80), EPSILON, valid_columns=columns)


@pytest.mark.parametrize(("epsilon", "error", "says"), [
    (0, ValueError, "epsilon must be above zero"), (-1.0, ValueError, "epsilon must be above zero"),
    (np.nan, ValueError, "epsilon must be above zero"), (np.inf, ValueError, "above zero"),
    (1e-45, ValueError, "below FP32's normal numbers"), (3e38, ValueError, "beyond the numbers"),
    ("1e-6", TypeError, "epsilon must be a number"),
])  # fmt: skip
def test_an_epsilon_that_does_nothing_is_refused(epsilon, error, says):
    with pytest.raises(error, match=says):
        layer_norm(np.ones((2, 4), np.float32), epsilon)


def test_rows_that_are_none_are_refused():
    for function in (row_statistics, row_maximum, lambda x: layer_norm(x, EPSILON)):
        with pytest.raises(ValueError, match="rows must have from 1 to 65536 elements"):
            function(np.ones((2, 0), np.float32))
        with pytest.raises(ValueError, match="rows must have from 1 to 65536 elements"):
            function(np.zeros((1, 65537), np.float32))
        with pytest.raises(ValueError, match="a single number is no row"):
            function(np.float32(1))
        with pytest.raises(TypeError, match="expected float32"):
            function(np.ones((2, 3)))


def test_the_widest_row_of_the_largest_numbers_overflows_no_sum():
    x = np.full((1, 65536), 1.9999, np.float32)
    given = row_statistics(x)
    assert given.total == 65536 * int(np.float32(1.9999) * 2**23)
    spread = given.columns * given.squares
    assert spread == 2**32 * 8192**2 and spread == given.coarse_total**2


@pytest.mark.parametrize(("row", "largest"), [
    ((-3, -1, -2), -1), ((0.0, -0.0), 0.0), ((-0.0, -5), -0.0), ((-np.inf, -1), -1),
    ((np.inf, 3), np.inf), ((-np.inf, -np.inf), -np.inf), ((np.nan, 3), np.nan),
    ((-1e-40, -1), -0.0), ((1e-40, -1), 0.0),
])  # fmt: skip
def test_the_maximum_has_a_sign(row, largest):
    wanted = NAN if np.isnan(largest) else np.float32(largest)
    assert_same_bits(np.atleast_1d(row_maximum(fp32(*row))), np.atleast_1d(wanted))


def test_stages_without_operands_change_no_bit():
    bits = np.random.default_rng(0).integers(0, 1 << 32, (4, 40), np.uint32)
    x = bits.view(np.float32)
    is_small, is_nan = (bits & 0x7F800000) == 0, np.isnan(x)
    wanted = np.where(is_nan, 0x7FC00000, np.where(is_small, bits & 0x80000000, bits))
    assert_same_bits(pipe(x).result.view(np.uint32), wanted.astype(np.uint32))


def test_a_gate_and_a_residual():
    rng = np.random.default_rng(3)
    x, residual = rng.standard_normal((2, 5, 24), np.float32)
    bias, gate = rng.standard_normal((2, 24), np.float32)
    found = pipe(x, bias=bias, channel_factor=gate, residual=residual).result
    wanted = residual.astype(float) + gate.astype(float) * (x.astype(float) + bias)
    assert golden.qsnr(wanted, found) > 95
    no_gate = pipe(x, bias=bias, channel_factor=np.zeros(24, np.float32), residual=residual)
    assert_same_bits(no_gate.result, residual)


def test_results_leave_in_every_format():
    x = activations(rows=4, k=40)
    plain = pipe(x, function="gelu").result
    assert_same_bits(plain, gelu(x))
    half = pipe(x, function="gelu", output=FP16).result
    assert_same_bits(half, golden.floats.narrow(plain, FP16))
    assert_same_codes(pipe(x, function="gelu", output="MX6", rounding="truncate").result,
                      golden.quantize(plain, MX6, rounding="truncate"))  # fmt: skip


@pytest.mark.parametrize(("given", "error", "says"), [
    ({"bias": fp32(1), "row_offset": fp32(1)}, ValueError, "one adder before the row factor"),
    ({"function": "tanh"}, ValueError, "function must be one of exp2, gelu, silu"),
    ({"function": "gelu", "channel_factor": fp32(1)}, ValueError, "takes the multiplier"),
    ({"bias": np.ones(3, np.float32)}, ValueError, r"bias of shape \(3,\) does not fit"),
    ({"residual": np.ones((5, 2, 4), np.float32)}, ValueError, "residual of shape"),
    ({"row_factor": np.ones(4)}, TypeError, "expected float32"),
    ({"output": "fp8"}, ValueError, "output must be one of fp32, fp16, bf16, MX6, MX9"),
    ({"output": MX4}, ValueError, "output must be one of"),
    ({"output": None}, ValueError, "output must be one of"),
    ({"output": "MX9", "mx9_blocks": [[True], [True]]}, ValueError, "blocks of an MX6 output"),
    ({"output": "MX6", "mx9_blocks": [[True] * 2] * 2}, ValueError, "mx9_blocks must have a shape"),
    ({"output": "MX6", "rounding": "up"}, ValueError, "rounding must be one of"),
    ({"valid_columns": 5}, ValueError, "valid_columns must be from 0 to 4"),
    ({"valid_columns": -1}, ValueError, "valid_columns must be from 0 to 4"),
    ({"valid_columns": 2.0}, TypeError, "valid_columns must hold integers"),
    ({"valid_columns": [1, 2, 3]}, ValueError, "do not fit rows"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        pipe(np.ones((2, 4), np.float32), **given)


def test_a_single_number_is_refused():
    with pytest.raises(ValueError, match="a single number is no row"):
        pipe(np.float32(1))


def test_terms_are_added_in_their_order():
    big, one = fp32([2.0**24]), fp32([1.0])
    # 2**24 + 1 rounds to 2**24 each time; 1 + 1 first does not.
    assert linear_combination([(1, big), (1, one), (1, one)]) == 2.0**24
    assert linear_combination([(1, one), (1, one), (1, big)]) == 2.0**24 + 2


def test_guidance_is_near_its_definition():
    rng = np.random.default_rng(5)
    with_label, without = rng.standard_normal((2, 64, 16), np.float32)
    found = linear_combination([(Fraction(-1, 2), without), (1.5, with_label)])
    wanted = without + 1.5 * (with_label.astype(float) - without)
    assert golden.qsnr(wanted, found) > 95


@pytest.mark.parametrize("half", [0.5, Fraction(1, 2), np.float64(0.5), np.float16(0.5),
                                  np.array(0.5, np.float32), np.full((2, 1), 0.5, np.float32)],
                         ids=lambda each: type(each).__name__)  # fmt: skip
def test_coefficients_of_any_kind_mean_the_same(half):
    x = np.ones((2, 3), np.float32)
    assert_same_bits(linear_combination([(half, x)]), x / 2)


def test_a_start_loses_no_bit():
    start = fp32([1 + 2.0**-23, np.pi])
    assert_same_bits(linear_combination([(0.0, fp32([1, 2]))], start), start)
    assert linear_combination([(1, fp32([1 + 2.0**-23]))]) == 1  # as V24 has it


@pytest.mark.parametrize(("terms", "error", "says"), [
    ([], ValueError, "at least one term"),
    ([(True, fp32([1]))], TypeError, "a coefficient must be a number"),
    ([("2", fp32([1]))], TypeError, "a coefficient must be a number"),
    ([(1, np.ones(3))], TypeError, "expected float32"),
    ([(1, np.ones((2, 3), np.float32)), (1, np.ones((2, 4), np.float32))], ValueError, "not fit"),
])  # fmt: skip
def test_terms_that_are_none_are_refused(terms, error, says):
    with pytest.raises(error, match=says):
        linear_combination(terms)
