"""Quantization against its definition over rationals, and its limits."""

import numpy as np
import pytest

import golden
from golden.encode import encode, encode_integer
from golden.formats import MX4, MX6, MX9, MX_FORMATS
from golden.mx import saturated_count
from golden.tests.helpers import (
    assert_same_bits,
    assert_same_codes,
    define_block,
    random_blocks,
)

FORMATS = pytest.mark.parametrize("fmt", MX_FORMATS.values(), ids=list(MX_FORMATS))
FIELDS = ("exponent", "microexponent", "mantissa", "sign")


def from_bits(*patterns: int) -> np.ndarray:
    """Return FP32 numbers from their patterns."""
    return np.array(patterns, np.uint32).view(np.float32)


@FORMATS
def test_equals_the_definition_over_rationals(fmt):
    x = random_blocks(np.random.default_rng(1), 1200)
    x[::97, 5] = np.inf
    x[::101, 15] = np.nan
    q = golden.quantize(x, fmt)
    for i, patterns in enumerate(x.view(np.uint32).tolist()):
        exponent, micro, mantissa, sign = define_block(patterns, fmt)
        assert q.exponent[i, 0] == exponent, i
        assert q.microexponent[i, 0].tolist() == micro, i
        assert q.mantissa[i, 0].tolist() == mantissa, i
        assert q.sign[i, 0].tolist() == sign, i


@FORMATS
@pytest.mark.parametrize("rounding", ["half_even", "truncate"])
def test_fast_passes_equal_the_integer_definition(fmt, rounding):
    x = random_blocks(np.random.default_rng(2), 40_000)
    x[::97, 5] = -np.inf
    fast = encode(x, fmt, rounding, None)
    slow = encode_integer(x, fmt, rounding)
    for name in FIELDS:
        assert_same_bits(getattr(fast, name), getattr(slow, name), name)


@FORMATS
def test_every_shared_exponent(fmt):
    exponent = np.arange(256, dtype=np.uint32)[:, None]
    fraction = np.random.default_rng(3).integers(0, 1 << 23, (256, 16), dtype=np.uint32)
    below = np.arange(16, dtype=np.uint32) // 2
    bits = (np.maximum(exponent.astype(np.int64) - below, 0).astype(np.uint32) << 23) | fraction
    x = bits.view(np.float32)
    fast, slow = encode(x, fmt, "half_even", None), encode_integer(x, fmt)
    for name in FIELDS:
        assert_same_bits(getattr(fast, name), getattr(slow, name), name)


@FORMATS
def test_elements_saturate_at_the_largest_mantissa(fmt):
    # The last pattern below 2 and the tie 2**m - 1/2, which rounds to even, both saturate.
    tie = 0x3F800000 | ((1 << 23) - (1 << (23 - fmt.mantissa_bits)))
    x = np.zeros(16, np.float32)
    x[:3] = from_bits(0x3FFFFFFF, tie, tie - 1)
    q = golden.quantize(x, fmt)
    assert q.exponent[0] == 127
    assert q.mantissa[0, :3].tolist() == [fmt.largest_mantissa] * 3
    assert saturated_count(x, q) == 2


def test_ties_round_to_even():
    x = np.zeros(16, np.float32)
    x[:6] = [8, 0.5, 1.5, 2.5, 3.5, -0.5]  # in units of MX6's step at E = 3
    q = golden.quantize(x, MX6)
    assert q.microexponent[0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    x[8:12] = [4.25, 0.25, 0.75, 1.25]  # t = 1: half the step
    x[2], x[4] = 8, 8
    q = golden.quantize(x, MX6)
    assert q.mantissa[0, [1, 3, 5]].tolist() == [0, 2, 0]
    assert q.mantissa[0, 8:12].tolist() == [8, 0, 2, 2]


def test_a_pair_without_the_largest_exponent_has_a_microexponent():
    x = np.zeros(16, np.float32)
    x[[0, 3, 5]] = [1.0, 1.5, 0.999]
    q = golden.quantize(x, MX9)
    assert q.microexponent[0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_the_sign_of_zero_is_kept():
    x = np.array([1.0, -0.0, -1e-30, 0.0] * 4, np.float32)
    q = golden.quantize(x, MX6)
    assert q.sign[0].tolist() == [0, 1, 1, 0] * 4
    assert_same_bits(q.dequantize()[1:4], from_bits(0x80000000, 0x80000000, 0))
    zero = golden.quantize(np.full(16, -0.0, np.float32), MX6)
    assert zero.exponent[0] == 0 and zero.sign.all() and not zero.microexponent.any()


def test_fp32_subnormals_count_as_zero():
    subnormal = from_bits(0x807FFFFF)[0]
    q = golden.quantize(np.full(16, subnormal), MX9)
    assert q.exponent[0] == 0 and not q.mantissa.any() and q.sign.all()
    x = np.full(16, subnormal)
    x[0] = from_bits(0x00800000)[0]  # the smallest normal, in whose step it would be 64
    q = golden.quantize(x, MX9)
    assert q.exponent[0] == 1
    assert q.mantissa[0].tolist() == [64] + [0] * 15
    assert saturated_count(x, q) == 0


def test_nan_and_infinity_make_a_nan_block():
    x = np.ones((3, 16), np.float32)
    x[0, 3], x[1, 7] = np.nan, -np.inf
    q = golden.quantize(-x, MX9)
    assert q.exponent[:, 0].tolist() == [255, 255, 127]
    for codes in (q.microexponent, q.mantissa, q.sign):
        assert not codes[:2].any()
    assert q.nan_blocks == 2
    assert_same_bits(q.dequantize()[:2], from_bits(*[0x7FC00000] * 32).reshape(2, 16))


@pytest.mark.parametrize("shape", [(48,), (3, 17), (5, 1), (2, 3, 40), (33, 20)])
def test_any_axis_and_ragged_tails(shape):
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    for axis in range(-x.ndim, x.ndim):
        q = golden.quantize(x, MX9, axis=axis)
        moved = np.moveaxis(x, axis, -1)
        padded = np.zeros((*moved.shape[:-1], -(-moved.shape[-1] // 16) * 16), np.float32)
        padded[..., : moved.shape[-1]] = moved
        assert_same_codes(q, golden.quantize(padded, MX9))
        assert q.axis == axis % x.ndim and q.shape == shape
        values = np.moveaxis(q.dequantize(), axis, -1)
        assert_same_bits(values, golden.quantize(padded, MX9).dequantize()[..., : moved.shape[-1]])


def test_fp16_and_bf16_are_widened_exactly():
    rng = np.random.default_rng(6)
    half = rng.standard_normal((4, 40)).astype(np.float16)
    assert_same_codes(golden.quantize(half, MX9), golden.quantize(half.astype(np.float32), MX9))
    brain = rng.integers(0, 1 << 16, (400, 16), dtype=np.uint16)
    wide = (brain.astype(np.uint32) << 16).view(np.float32)
    assert_same_codes(
        golden.quantize(brain, MX9, float_format=golden.BF16), golden.quantize(wide, MX9)
    )


@FORMATS
def test_truncation_drops_the_rest(fmt):
    x = random_blocks(np.random.default_rng(7), 4000)
    truncated, rounded = (golden.quantize(x, fmt, rounding=r) for r in ("truncate", "half_even"))
    with np.errstate(invalid="ignore"):
        assert np.all(np.abs(truncated.dequantize()) <= np.abs(x))
    difference = rounded.mantissa.astype(int) - truncated.mantissa
    assert set(np.unique(difference)) == {0, 1}


def test_stochastic_rounding_is_seeded_and_unbiased():
    x = np.zeros((20_000, 16), np.float32)
    x[:, 0], x[:, 2], x[:, 3] = 8, 8.25, -2.75
    a, b, c = (golden.quantize(x, MX6, rounding="stochastic", seed=s) for s in (1, 1, 2))
    assert_same_codes(a, b)
    assert np.any(a.mantissa != c.mantissa)
    assert np.all(a.mantissa[:, 0, 0] == 8)
    assert set(np.unique(a.mantissa[:, 0, 2])) == {8, 9}
    assert set(np.unique(a.mantissa[:, 0, 3])) == {2, 3}
    # Five standard deviations of a binomial with 20,000 draws.
    assert abs(a.mantissa[:, 0, 2].mean() - 8.25) < 5 * (0.25 * 0.75 / 20_000) ** 0.5
    assert abs(a.mantissa[:, 0, 3].mean() - 2.75) < 5 * (0.25 * 0.75 / 20_000) ** 0.5


@pytest.mark.parametrize(("fmt", "bound"), [(MX9, 38.7), (MX6, 20.6), (MX4, 8.6)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 3e20])
def test_gaussian_data_meets_the_qsnr_bound_of_the_paper(fmt, bound, scale):
    x = np.random.default_rng(8).standard_normal((1000, 64)) * scale
    x = x.astype(np.float32)
    assert golden.qsnr(x, golden.quantize(x, fmt).dequantize()) >= bound


def test_saturated_elements_are_counted_as_rounding_finds_them():
    x = random_blocks(np.random.default_rng(9), 20_000)
    for fmt in MX_FORMATS.values():
        q = golden.quantize(x, fmt)
        top = q.exponent[..., None].astype(int) - np.repeat(q.microexponent, 2, -1)
        bits = x.view(np.uint32).reshape(top.shape)
        exact = np.ldexp((bits & 0x7FFFFF | 0x800000).astype(np.float64), -23)
        power = (bits >> 23 & 0xFF).astype(int) - top + fmt.mantissa_bits - 1
        ratio = np.where(bits >> 23 & 0xFF == 0, 0, np.ldexp(exact, power))
        assert saturated_count(x, q) == np.count_nonzero(np.rint(ratio) > fmt.largest_mantissa)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "not float64", lambda: golden.quantize(np.ones(16), MX9)),
        (TypeError, "say which", lambda: golden.quantize(np.ones(16, np.uint16), MX9)),
        (
            TypeError,
            "32 bits wide",
            lambda: golden.quantize(np.ones(16, np.uint16), MX9, float_format=golden.FP32),
        ),
        (
            TypeError,
            "but float_format says",
            lambda: golden.quantize(np.ones(16, np.float32), MX9, float_format=golden.BF16),
        ),
        (ValueError, "no MX format", lambda: golden.quantize(np.ones(16, np.float32), "MX5")),
        (ValueError, "axis 2 does not", lambda: golden.quantize(np.ones(3, np.float32), MX9, 2)),
        (ValueError, "single number", lambda: golden.quantize(np.float32(1), MX9)),
        (
            ValueError,
            "rounding must be",
            lambda: golden.quantize(np.ones(3, np.float32), MX9, rounding="up"),
        ),
        (
            ValueError,
            "seed has no effect",
            lambda: golden.quantize(np.ones(3, np.float32), MX9, seed=1),
        ),
    ],
)
def test_bad_input_gets_a_sentence(error, message, call):
    with pytest.raises(error, match=message):
        call()
