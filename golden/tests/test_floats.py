"""Widening and narrowing of every FP16 and BF16 pattern."""

import numpy as np
import pytest

import golden
from golden.floats import float_bits, narrow, widen
from golden.formats import BF16, FLOAT_FORMATS, FP16, FP32
from golden.tests.helpers import as_fraction, assert_same_bits

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
    assert np.isnan(narrow(nan, FP16).view(np.float16)).all()


def test_formats_are_recognised_by_their_dtype():
    assert float_bits(np.ones(2, np.float32))[1] is FP32
    assert float_bits(np.ones(2, ">f2"))[1] is FP16
    ml_dtypes = pytest.importorskip("ml_dtypes")
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
