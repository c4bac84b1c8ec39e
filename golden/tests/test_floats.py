"""Widening and narrowing of every FP16 and BF16 pattern."""

import ml_dtypes
import numpy as np
import pytest

import golden
from golden.floats import add, float_bits, flush, narrow, widen
from golden.formats import BF16, FLOAT_FORMATS, FP16, FP32
from golden.tests.helpers import as_fraction, assert_same_bits, round_to_float

EVERY = np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=["fp16", "bf16"])
def test_every_finite_pattern_keeps_its_value(fmt):
    wide = widen(EVERY, fmt).view(np.uint32).tolist()
    infinity = ((1 << fmt.exponent_bits) - 1) << fmt.mantissa_bits
    for pattern, bits in enumerate(wide):
        assert bits >> 31 == pattern >> 15
        magnitude = pattern & 0x7FFF
        if magnitude >= infinity:
            continue
        exponent, fraction = magnitude >> fmt.mantissa_bits, magnitude % (1 << fmt.mantissa_bits)
        units = fraction if exponent == 0 else fraction + (1 << fmt.mantissa_bits)
        # value = units * 2**(scale - 149), an integer multiple of FP32's smallest subnormal
        scale = max(exponent, 1) - fmt.bias - fmt.mantissa_bits + 149
        assert abs(as_fraction(bits)) * 2**149 == units << scale


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=["fp16", "bf16"])
def test_infinities_and_nans_keep_their_payloads(fmt):
    infinity = ((1 << fmt.exponent_bits) - 1) << fmt.mantissa_bits
    special = EVERY[(EVERY & 0x7FFF) >= infinity].astype(np.uint32)
    sign, payload = special >> 15, special & ((1 << fmt.mantissa_bits) - 1)
    expected = sign << 31 | 0x7F800000 | payload << (23 - fmt.mantissa_bits)
    wide = widen(special.astype(np.uint16), fmt)
    assert_same_bits(wide, expected.view(np.float32))


def test_a_single_nan_is_widened():
    assert widen(np.array(0x7C01, np.uint16), FP16).view(np.uint32) == 0x7F802000


@pytest.mark.parametrize("fmt", FLOAT_FORMATS.values(), ids=list(FLOAT_FORMATS))
def test_narrowing_undoes_widening(fmt):
    if fmt is FP32:
        bits = np.random.default_rng(0).integers(0, 1 << 32, 1000, dtype=np.uint32)
    else:
        wide = widen(EVERY, fmt)
        bits = EVERY[~np.isnan(wide)]
    assert_same_bits(narrow(widen(bits, fmt), fmt), bits)


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=["fp16", "bf16"])
def test_narrowing_rounds_half_to_even(fmt):
    """Between every two neighbours: the midpoint goes to the even one, its neighbours do not."""
    lower = np.arange(((1 << fmt.exponent_bits) - 1) << fmt.mantissa_bits, dtype=np.uint16)
    left, right = widen(lower, fmt).astype(np.float64), widen(lower + 1, fmt).astype(np.float64)
    right = np.where(np.isinf(right), 2.0 ** (fmt.bias + 1), right)
    middle = ((left + right) / 2).astype(np.float32)
    assert np.array_equal(middle.astype(np.float64), (left + right) / 2)
    pattern = middle.view(np.uint32)
    up = (lower + 1).astype(np.uint16)
    assert_same_bits(narrow(middle, fmt), np.where(lower % 2 == 0, lower, up))
    assert_same_bits(narrow((pattern - 1).view(np.float32), fmt), lower)
    assert_same_bits(narrow((pattern + 1).view(np.float32), fmt), up)
    assert_same_bits(narrow(-middle, fmt) & 0x7FFF, narrow(middle, fmt))
    assert np.all(narrow(-middle, fmt) >> 15 == 1)


def test_narrow_nans_are_quiet():
    nan = np.array([0x7F800001, 0xFFC12345], np.uint32).view(np.float32)
    assert [hex(b) for b in narrow(nan, BF16)] == ["0x7fc0", "0xffc1"]
    assert [hex(b) for b in narrow(nan, FP16)] == ["0x7e00", "0xfe09"]


def added(left: int, right: int) -> int:
    """Add two finite FP32 patterns by the definition, over rationals."""
    left, right = (p if p & 0x7F800000 else p & 0x80000000 for p in (left, right))
    total = as_fraction(left) + as_fraction(right)
    if total == 0:
        return left & right & 0x80000000 if not (left | right) & 0x7FFFFFFF else 0
    return round_to_float(total, FP32)


def pairs(rng, count):
    """Pairs of finite patterns: any, of near exponents, nearly cancelling, at both range ends."""
    left, right = rng.integers(0, 1 << 32, (2, count), dtype=np.uint32)
    kind = np.arange(count) % 4
    near = (left & 0x7F800000) + (rng.integers(-26, 27, count) << 23).astype(np.uint32)
    right = np.where(kind == 1, (right & 0x807FFFFF) | (near & 0x7F800000), right)
    right = np.where(kind == 2, left ^ 0x80000000 ^ rng.integers(0, 8, count, np.uint32), right)
    ends = np.where(rng.random(count) < 0.5, rng.integers(0, 27, count), 254).astype(np.uint32)
    left = np.where(kind == 3, (left & 0x807FFFFF) | ends << 23, left)
    ends = np.where(ends == 254, ends, rng.integers(0, 3, count).astype(np.uint32))
    right = np.where(kind == 3, (right & 0x807FFFFF) | ends << 23, right)
    return [
        np.where(p & 0x7F800000 == 0x7F800000, p ^ 0x40000000, p).astype(np.uint32)
        for p in (left, right)
    ]


def test_addition_equals_the_definition():
    left, right = pairs(np.random.default_rng(0), 8000)
    actual = add(left.view(np.float32), right.view(np.float32)).view(np.uint32).tolist()
    expected = [added(x, y) for x, y in zip(left.tolist(), right.tolist(), strict=True)]
    assert actual == expected
    flushed = [bits for bits in expected if bits & 0x7FFFFFFF == 0]
    infinite = [bits for bits in expected if bits & 0x7FFFFFFF == 0x7F800000]
    assert len(flushed) > 100 and len(infinite) > 100


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (0x80000000, 0x80000000, 0x80000000),  # -0 and -0
        (0x80000000, 0x00000000, 0x00000000),
        (0x3F800000, 0xBF800000, 0x00000000),
        (0x007FFFFF, 0x00000001, 0x00000000),  # subnormals count as zeros
        (0x807FFFFF, 0x80000001, 0x80000000),
        (0x00800001, 0x80800000, 0x00000000),  # the smallest subnormal, flushed
        (0x80800001, 0x00800000, 0x80000000),
        (0x01000000, 0x80800000, 0x00800000),  # the smallest normal
        (0x7F7FFFFF, 0x73000000, 0x7F800000),  # half a unit up from the largest
        (0x7F7FFFFF, 0x72FFFFFF, 0x7F7FFFFF),
        (0x7F800000, 0xFF7FFFFF, 0x7F800000),
        (0x7F800000, 0xFF800000, 0x7FC00000),
        (0xFFC12345, 0x3F800000, 0x7FC00000),
        (0x3F800000, 0x7F800001, 0x7FC00000),
    ],
)
def test_addition_at_the_edges(left, right, total):
    operands = [np.array([p], np.uint32).view(np.float32) for p in (left, right)]
    assert add(*operands).view(np.uint32) == total
    assert add(*operands[::-1]).view(np.uint32) == total


def test_subnormals_are_flushed_to_the_zeros_of_their_signs():
    bits = np.array([0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x7F800001, 0xFF800000], np.uint32)
    expected = np.array([0, 0x80000000, 0, 0x80000000, *bits[4:]], np.uint32)
    assert_same_bits(flush(bits.view(np.float32)).view(np.uint32), expected)
    assert bits[2] == 1  # the input is left alone


def test_formats_are_recognised_by_their_dtype():
    assert float_bits(np.ones(2, np.float32))[1] is FP32
    assert float_bits(np.ones(2, ">f2"))[1] is FP16
    bits, fmt = float_bits(np.array([1.0, -2.0], ml_dtypes.bfloat16))
    assert fmt is BF16 and bits.tolist() == [0x3F80, 0xC000]


def test_metrics():
    x = np.array([3.0, -4.0], np.float32)
    y = np.array([3.0, -3.5], np.float32)
    assert golden.mse(x, y) == 0.125
    assert golden.qsnr(x, y) == pytest.approx(20.0)
    assert golden.qsnr(x, x) == float("inf")
    assert golden.max_ulp(x, x) == 0
    one, zero = np.array([1, -0.0], np.float32), np.array([np.nextafter(np.float32(1), 2), 0], "f4")
    assert golden.max_ulp(one, zero) == 1
    assert golden.max_ulp(np.float32([np.nan]), np.float32([np.nan])) == 0
    assert golden.max_ulp(np.float32([np.nan]), np.float32([np.inf])) > 1 << 32
    for metric in (golden.mse, golden.qsnr, golden.max_ulp):
        with pytest.raises(ValueError, match="differ"):
            metric(x, x[:1])
    with pytest.raises(TypeError, match="expected float32"):
        golden.max_ulp(x.astype(np.float16), x)
    with pytest.raises(TypeError, match="expected float32"):
        narrow(x.astype(np.float16), BF16)
