"""Properties that hold for every input, searched by hypothesis."""

from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import golden
from golden.accumulator import round_shift
from golden.formats import MX_FORMATS
from golden.planes import pack, unpack
from golden.precision import mix
from golden.residual import join
from golden.tests.helpers import assert_same_bits, assert_same_codes, define_block
from golden.tests.test_gemm import beat_by_beat

SEARCH = settings(deadline=None, max_examples=60, derandomize=True)

PATTERNS = st.integers(0, (1 << 32) - 1)
FORMATS = st.sampled_from(list(MX_FORMATS.values()))


@st.composite
def arrays(draw, max_dims=3, max_side=20):
    """FP32 arrays with exponents anywhere, or all near one."""
    shape = draw(hnp.array_shapes(max_dims=max_dims, max_side=max_side))
    bits = draw(hnp.arrays(np.uint32, shape, elements=PATTERNS))
    if draw(st.booleans()):
        near = draw(st.integers(0, 247)) + (bits >> 23 & 7)
        bits = bits & 0x807FFFFF | near.astype(np.uint32) << 23
    return bits.view(np.float32)


@SEARCH
@given(arrays(), FORMATS, st.data())
def test_mantissas_stay_in_range_and_nan_blocks_are_blank(x, fmt, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    q = golden.quantize(x, fmt, axis)
    assert q.mantissa.max() <= 2**fmt.mantissa_bits - 1
    assert q.microexponent.max() <= 1 and q.sign.max() <= 1
    blank = q.exponent == 255
    assert not q.mantissa[blank].any() and not q.sign[blank].any()
    finite = np.isfinite(np.moveaxis(x, axis, -1))
    tail = -finite.shape[-1] % 16
    padded = np.pad(finite, [(0, 0)] * (x.ndim - 1) + [(0, tail)], constant_values=True)
    assert np.array_equal(blank, ~padded.reshape(*blank.shape, 16).all(axis=-1))


@SEARCH
@given(arrays(), FORMATS)
def test_quantizing_again_gives_the_same_values(x, fmt):
    """Where no value is an FP32 subnormal, which would count as zero the second time."""
    once = golden.quantize(x, fmt).dequantize()
    field = once.view(np.uint32) & 0x7FFFFFFF
    if np.any((field > 0) & (field < 0x00800000)):
        return
    assert_same_bits(golden.quantize(once, fmt).dequantize(), once)


@SEARCH
@given(arrays(), FORMATS)
def test_the_error_is_at_most_half_a_step_unless_saturated(x, fmt):
    q = golden.quantize(x, fmt)
    values = q.dequantize().astype(np.float64)
    top = q.exponent[..., None].astype(int) - np.repeat(q.microexponent, 2, -1).reshape(
        q.mantissa.shape
    )
    step = np.ldexp(1.0, top - 127 - (fmt.mantissa_bits - 1))
    step = step.reshape(*x.shape[:-1], -1)[..., : x.shape[-1]]
    full = q.mantissa == fmt.largest_mantissa
    full = full.reshape(*x.shape[:-1], -1)[..., : x.shape[-1]]
    with np.errstate(invalid="ignore"):
        error = np.abs(values - x)
        normal = np.isfinite(values) & (np.abs(x) >= 2.0**-126)
    assert np.all(error[normal & ~full] <= step[normal & ~full] / 2)
    assert np.all(error[normal & full] <= step[normal & full])


@SEARCH
@given(st.lists(PATTERNS, min_size=16, max_size=16), FORMATS)
@example([0x3F800000] + [0] * 15, golden.MX6)
@example([0x00800000, 0x007FFFFF] * 8, golden.MX9)
@example([0x7F7FFFFF] * 16, golden.MX4)
def test_blocks_follow_the_definition(patterns, fmt):
    q = golden.quantize(np.array(patterns, np.uint32).view(np.float32), fmt)
    exponent, micro, mantissa, sign = define_block(patterns, fmt)
    assert q.exponent.tolist() == [exponent]
    assert q.microexponent[0].tolist() == micro
    assert q.mantissa[0].tolist() == mantissa
    assert q.sign[0].tolist() == sign


@SEARCH
@given(arrays(), st.data())
def test_packing_loses_nothing(x, data):
    formats = [golden.quantize(x, fmt) for fmt in (golden.MX6, golden.MX9)]
    tags = data.draw(hnp.arrays(np.bool_, formats[0].exponent.shape))
    tensor = mix(*formats, tags)
    assert_same_bits(join(tensor.base, tensor.residual, tensor.is_mx9), tensor.mantissa)
    back = unpack(*pack(tensor), tensor.is_mx9, "mixed", x.shape)
    assert_same_codes(back, tensor)


@st.composite
def matrices(draw):
    """Two MX matrices of random precisions and blocks far apart."""
    m, k, n = (draw(st.integers(1, limit)) for limit in (3, 50, 3))
    pair = []
    for lines in (m, n):
        blocks = -(-k // 16)
        seed = draw(st.integers(0, 1 << 32))
        base = draw(st.integers(20, 234))
        reach = draw(st.sampled_from([1, 4, 12, 40]))
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((lines, k)).astype(np.float32)
        formats = [golden.quantize(x, fmt) for fmt in (golden.MX6, golden.MX9)]
        tensor = mix(*formats, rng.random((lines, blocks)) < 0.5)
        exponent = np.clip(base + rng.integers(-reach, reach, (lines, blocks)), 1, 254)
        if draw(st.integers(0, 9)) == 0:
            exponent[0, 0] = 255
            tensor.mantissa[0, 0] = 0
        pair.append(replace(tensor, exponent=exponent.astype(np.uint8)))
    return pair[0], replace(pair[1], shape=(k, n), axis=0)


@SEARCH
@given(matrices(), st.sampled_from([(40, 6144), (26, 6144), (17, 64), (60, 100)]))
def test_gemm_follows_the_definition(pair, machine):
    width, k_max = machine if machine != (17, 64) else (19, 64)
    actual = golden.gemm(*pair, acc_width=width, k_max=k_max).view(np.uint32)
    assert_same_bits(actual, beat_by_beat(*pair, width, k_max))


@SEARCH
@given(st.integers(-14400, 14400), st.integers(0, 520), st.integers(0, 47))
def test_a_rounded_beat_is_within_half_a_unit(d, shift, fraction):
    rounded = int(round_shift(d, shift, fraction))
    # Twice the error, in units of the accumulator over 2**shift.
    twice = 2 * ((rounded << shift) - (d << fraction))
    assert -(1 << shift) < twice <= 1 << shift
