"""Softmax of the vector unit: sums of quantized numbers, padding, saturation, the fallback."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
from golden.formats import MX4, MX6, MX9
from golden.tests.helpers import assert_same_bits, assert_same_codes, element_values
from golden.vector import pipe, row_sums, softmax

SCORES = st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=50)


def fp32(values):
    return np.array(values, np.float32)


def shares(scores, **options):
    """Return the softmax as float64: P over its sum."""
    found = softmax(scores, **options)
    return found.p.dequantize().astype(float) * found.row_factor[..., None]


@given(SCORES, st.sampled_from([MX6, MX9]))
def test_the_sum_is_that_of_the_quantized_numbers(scores, fmt):
    found = softmax(fp32([scores]), fmt)
    exact = sum(element_values(found.p, 0), Fraction(0))
    # A block is rounded to 2**-24 of the largest, once, and the sum to FP32.
    blocks = found.p.exponent.shape[-1]
    assert abs(Fraction(float(found.sums[0])) - exact) <= exact * Fraction(blocks + 1, 1 << 23)
    assert abs(float(found.row_factor[0]) * float(exact) - 1) < 2.0**-15 + 2.0**-16


@given(SCORES)
def test_near_blocks_are_summed_exactly(scores):
    scores = fp32([scores]) % 8  # exponents within 16 of each other
    p = softmax(scores, MX9).p
    exact = sum(element_values(p, 0), Fraction(0))
    assert row_sums(p)[0] == np.float32(float(exact))  # 27 bits at most, rounded once


@given(st.lists(st.floats(-20, 20, width=32), min_size=33, max_size=48), st.randoms())
def test_the_order_of_blocks_changes_no_bit(scores, random):
    blocks = [scores[:16], scores[16:32], scores[32:]]
    blocks[2] += [-200.0] * (16 - len(blocks[2]))
    first = softmax(fp32(blocks).reshape(1, 48), MX9)
    random.shuffle(blocks)
    assert first.sums == softmax(fp32(blocks).reshape(1, 48), MX9).sums


def test_each_number_counts_once_whatever_the_precision_of_its_block():
    scores = np.random.default_rng(0).normal(0, 3, (5, 64)).astype(np.float32)
    tags = np.array([True, False, True, False])
    mixed = softmax(scores, MX6, mx9_blocks=tags)
    for line in range(5):
        exact = sum(element_values(mixed.p, line), Fraction(0))
        assert mixed.sums[line] == np.float32(float(exact))


def test_sums_of_signed_numbers_and_of_mx4():
    x = np.random.default_rng(1).standard_normal((4, 50), np.float32)
    for fmt in (MX4, MX6, MX9):
        q = golden.quantize(x, fmt)
        exact = [float(sum(element_values(q, line), Fraction(0))) for line in range(4)]
        assert_same_bits(row_sums(q), fp32(exact))
    assert row_sums(golden.quantize(fp32([[1, -1]]), MX6)).view(np.uint32) == 0


def test_a_distant_block_is_rounded_half_up():
    # One in the first block; the second sums up to half a unit of the sum, or to a bit less.
    x = np.zeros((2, 32), np.float32)
    x[:, 0] = 1
    x[0, 16] = 2.0**-24
    x[1, 16] = 2.0**-24 * (1 - 2.0**-6)
    sums = row_sums(golden.quantize(x, MX9)).astype(float)
    assert sums.tolist() == [1 + 2.0**-23, 1.0]
    assert row_sums(golden.quantize(-x, MX9))[0] == -1.0  # half a unit up is towards zero here


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("fmt", [MX6, MX9])
def test_it_is_a_softmax(fmt, subtract):
    scores = np.random.default_rng(2).normal(0, 6, (3, 20, 77)).astype(np.float32)
    exact = np.exp2(scores.astype(float))
    exact /= exact.sum(-1, keepdims=True)
    found = shares(scores, fmt=fmt, subtract_maximum=subtract)
    assert golden.qsnr(exact, found) > (44 if fmt is MX9 else 28)
    assert np.max(np.abs(found.sum(-1) - 1)) < 2.0**-14


def test_unnormalized_and_by_the_maximum_are_the_same_up_to_quantization():
    scores = np.random.default_rng(3).normal(0, 4, (8, 64)).astype(np.float32)
    plain, shifted = (shares(scores, fmt=MX9, subtract_maximum=each) for each in (False, True))
    assert golden.qsnr(plain, shifted) > 40
    whole = np.floor(scores)  # then the powers differ by a power of two, and P's mantissas do not
    plain, shifted = (softmax(whole, MX9, subtract_maximum=each) for each in (False, True))
    assert np.array_equal(plain.p.mantissa, shifted.p.mantissa)


def test_padding_is_masked_before_blocks_and_sums_are_made():
    scores = np.full((2, 20), -5.0, np.float32)
    scores[:, 15:] = 60.0  # larger than any that counts
    padded = softmax(scores, MX6, valid_columns=15)
    alone = softmax(scores[:, :15], MX6)
    assert_same_bits(padded.sums, alone.sums)
    assert np.all(padded.p.exponent[:, 0] == 122) and not np.any(padded.p.mantissa[:, 1])
    shifted = softmax(scores, MX6, valid_columns=15, subtract_maximum=True)
    assert shifted.sums.tolist() == [15.0, 15.0]


def test_padding_saturates_nothing_and_its_nans_are_gone():
    scores = fp32([[0, 200, np.nan], [0, 0, 200]])
    found = softmax(scores, valid_columns=[1, 2])
    assert found.saturated == 0 and found.sums.tolist() == [1.0, 2.0]
    assert softmax(scores, valid_columns=[2, 3]).saturated == 2


def test_saturation_is_counted_and_a_bias_or_the_maximum_avoids_it():
    scores = fp32([[100, 99, -3], [1, 2, 3]])
    assert softmax(scores).saturated == 2
    offset = softmax(scores, MX9, bias=fp32([-90.0]))
    shifted = softmax(scores, MX9, subtract_maximum=True)
    assert offset.saturated == shifted.saturated == 0
    assert golden.qsnr(offset.p.dequantize() * offset.row_factor[:, None],
                       shifted.p.dequantize() * shifted.row_factor[:, None]) > 40  # fmt: skip


def test_a_zero_sum_gives_the_factor_zero_and_is_counted():
    scores = fp32([[-200, -130], [0, 1], [-np.inf, -np.inf]])
    found = softmax(scores)
    assert found.zero_rows == 2
    assert found.sums[[0, 2]].view(np.uint32).tolist() == [0, 0]
    assert found.row_factor[[0, 2]].view(np.uint32).tolist() == [0, 0]
    empty = softmax(scores, valid_columns=[0, 2, 0])
    assert empty.zero_rows == 2 and not np.any(empty.p.exponent[[0, 2]])
    values = golden.gemm(found.p, golden.quantize(np.ones((2, 3), np.float32), MX6, axis=0))
    rows = pipe(values, row_factor=found.row_factor[:, None]).result
    assert not np.any(rows[[0, 2]]) and np.all(np.abs(rows[1] - 1) < 2.0**-14)


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_with_a_nan_or_an_infinite_score_is_nan(bad, subtract):
    scores = fp32([[0, bad, 1], [1, 2, 3]])
    found = softmax(scores, subtract_maximum=subtract)
    assert np.isnan(found.sums).tolist() == [True, False]
    assert np.isnan(found.row_factor).tolist() == [True, False]
    assert found.zero_rows == 0
    assert found.saturated == (1 if bad == np.inf and not subtract else 0)


def test_a_row_of_minus_infinity_is_nan_where_the_maximum_is_subtracted():
    found = softmax(fp32([[-np.inf, -np.inf]]), subtract_maximum=True)
    assert np.isnan(found.sums[0])
    assert softmax(fp32([[-np.inf, 3.0]]), subtract_maximum=True).sums[0] == 1


def test_the_largest_unsaturated_rows_stay_finite():
    scores = np.full((1, 32768), np.float32(95.999))
    found = softmax(scores, MX9)
    assert found.saturated == 0 and np.isfinite(found.sums[0]) and found.row_factor[0] > 0
    values = golden.quantize(np.full((32768, 1), 65504, np.float32), MX9, axis=0)
    product = golden.gemm(found.p, values, k_max=32768)
    result = pipe(product, row_factor=found.row_factor[:, None]).result
    assert abs(result[0, 0] / values.dequantize()[0, 0] - 1) < 2.0**-14


def test_an_attention_row_end_to_end():
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 4, (16, 100)).astype(np.float32)
    v = rng.standard_normal((100, 32), np.float32)
    found = softmax(scores, MX9)
    product = golden.gemm(found.p, golden.quantize(v, MX9, axis=0))
    result = pipe(product, row_factor=found.row_factor[:, None]).result
    p = np.exp2(scores.astype(float))
    assert golden.qsnr(p @ v / p.sum(-1, keepdims=True), result) > 38


def test_p_is_what_the_pipe_gives():
    scores = np.random.default_rng(5).normal(0, 6, (4, 50)).astype(np.float32)
    found = softmax(scores, MX6, rounding="truncate")
    assert_same_codes(found.p, golden.quantize(pipe(scores, function="exp2").result, MX6,
                                               rounding="truncate"))  # fmt: skip


def test_what_does_not_fit_is_refused():
    scores = np.zeros((2, 4), np.float32)
    with pytest.raises(ValueError, match="one adder before the row factor"):
        softmax(scores, bias=fp32([1]), subtract_maximum=True)
    with pytest.raises(ValueError, match="output must be one of"):
        softmax(scores, MX4)
    with pytest.raises(ValueError, match="is no MX format"):
        softmax(scores, "fp16")
    with pytest.raises(ValueError, match="blocks must run along the last axis"):
        row_sums(golden.quantize(scores, MX6, axis=0))
    with pytest.raises(TypeError, match="expected float32"):
        softmax(scores.astype(float))
    with pytest.raises(ValueError, match="valid_columns must be from 0 to 4"):
        softmax(scores, valid_columns=7, subtract_maximum=True)
