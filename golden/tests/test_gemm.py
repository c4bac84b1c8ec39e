"""The GEMM against rationals and integers, and what must not change its result."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import golden
from golden.accumulator import beat_shift, block_product, fraction_bits, round_shift
from golden.floats import narrow
from golden.formats import BF16, FP16, FP32, MX4, MX6, MX9
from golden.mx import MXTensor
from golden.precision import mix
from golden.tests.helpers import (
    CODES,
    as_fraction,
    assert_same_bits,
    element_values,
    round_to_float,
)


def operands(seed, m, k, n, spread=0, share=0.4):
    """Make random operands; exponents of blocks differ by up to `spread` binades."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, k)) * 2.0 ** rng.integers(-spread, spread + 1, (m, k))
    b = rng.standard_normal((k, n)) * 2.0 ** rng.integers(-spread, spread + 1, (k, n))
    if spread:
        blocks = -(-k // 16)
        a *= np.repeat(2.0 ** rng.integers(-3 * spread, 1, (m, blocks)), 16, axis=1)[:, :k]
        b *= np.repeat(2.0 ** rng.integers(-3 * spread, 1, (blocks, n)), 16, axis=0)[:k]
    return (
        random_mix(rng, a.astype(np.float32), 1, share),
        random_mix(rng, b.astype(np.float32), 0, share),
    )


def random_mix(rng, x, axis, share):
    ordinary, outlier = (golden.quantize(x, fmt, axis=axis) for fmt in (MX6, MX9))
    return mix(ordinary, outlier, rng.random(ordinary.exponent.shape) < share)


def beat_by_beat(a, b, acc_width=40, k_max=6144):
    """Compute every output on its own: integers per beat, rationals for the final rounding."""
    fraction = fraction_bits(acc_width, k_max)
    lines, columns = len(a.exponent), len(b.exponent)
    bits = np.zeros((lines, columns), np.uint32)
    parts_a, parts_b = (a.base, a.residual), (b.base, b.residual)
    for r in range(lines):
        for c in range(columns):
            ea, eb = a.exponent[r].astype(int), b.exponent[c].astype(int)
            if 255 in ea or 255 in eb:
                bits[r, c] = 0x7FC00000
                continue
            acc = 0
            for block in range(len(ea)):
                for i in range(1 + a.is_mx9[r, block]):
                    for j in range(1 + b.is_mx9[c, block]):
                        d = block_product(
                            parts_a[i][r, block],
                            a.sign[r, block],
                            a.microexponent[r, block],
                            parts_b[j][c, block],
                            b.sign[c, block],
                            b.microexponent[c, block],
                        )
                        shift = beat_shift(max(ea) - ea[block], max(eb) - eb[block], i + j)
                        acc += int(round_shift(d, shift, fraction))
            value = acc * Fraction(2) ** int(max(ea) + max(eb) - 262 - fraction)
            bits[r, c] = round_to_float(value, FP32)
    return bits


@pytest.mark.parametrize("spread", [0, 2, 6, 20])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 100, 5), (4, 16, 4), (5, 47, 3)])
def test_equals_the_sum_of_rounded_beats(shape, spread):
    a, b = operands(spread, *shape, spread=spread)
    assert_same_bits(golden.gemm(a, b).view(np.uint32), beat_by_beat(a, b))


@pytest.mark.parametrize("output", [FP16, BF16], ids=lambda fmt: fmt.name)
def test_narrow_outputs_are_rounded_from_fp32(output):
    a, b = operands(1, 8, 80, 8, spread=2)
    c = golden.gemm(a, b, output=output.name)
    assert c.dtype == (np.float16 if output is FP16 else np.uint16)
    patterns = beat_by_beat(a, b).flatten().tolist()
    expected = [round_to_float(as_fraction(bits), output) for bits in patterns]
    assert c.view(np.uint16).flatten().tolist() == expected


def test_narrow_outputs_are_rounded_twice():
    """Just above a tie of FP16, FP32 keeps no bit that would tell; so the even neighbour wins."""
    x = np.zeros((1, 48), np.float32)
    x[0, :33:16] = 1
    w = np.zeros((48, 1), np.float32)
    w[:33:16, 0] = [1, 2.0**-11, 2.0**-25]
    a, b = quantized(x, w)
    assert golden.gemm(a, b, acc_width=62)[0, 0] == np.float32(1 + 2.0**-11)
    assert golden.gemm(a, b, acc_width=62, output="fp16")[0, 0] == 1


def test_narrow_outputs_keep_fp16_subnormals_and_overflow():
    x = np.full((1, 16), 0, np.float32)
    x[0, 0] = 1
    w = np.zeros((16, 4), np.float32)
    w[0] = [2.0**-24, 2.0**-26, 65536, -np.inf]
    a, b = quantized(x, w)
    halves = golden.gemm(a, b, output="fp16").view(np.uint16)
    assert halves[0].tolist() == [1, 0, 0x7C00, 0x7E00]
    assert golden.gemm(a, b, output="bf16")[0].tolist() == [0x3380, 0x3280, 0x4780, 0x7FC0]


@pytest.mark.parametrize("output", ["fp32", "fp16", "bf16"])
def test_a_bias_is_added_to_the_fp32_result(output):
    a, b = operands(6, 5, 70, 300, spread=2)
    bias = np.random.default_rng(1).standard_normal(300).astype(np.float32) * 8
    plain = golden.gemm(a, b)
    expected = plain + bias
    assert np.all(np.abs(expected) > 2.0**-100)  # so NumPy's sum is the machine's
    actual = golden.gemm(a, b, bias=bias, output=output)
    if output != "bf16":
        assert_same_bits(actual, expected.astype(actual.dtype))
    else:
        assert_same_bits(actual, narrow(expected, BF16))


def test_without_a_bias_a_negative_zero_stays():
    x, w = np.zeros((1, 16), np.float32), np.zeros((16, 2), np.float32)
    x[0, 0], w[0] = 1e-30, [-1e-30, 1]
    a, b = quantized(x, w)
    assert golden.gemm(a, b).view(np.uint32)[0, 0] == 0x80000000
    for zero, expected in ((0.0, 0), (-0.0, 0x80000000)):
        c = golden.gemm(a, b, bias=np.full(2, zero, np.float32))
        assert c.view(np.uint32)[0, 0] == expected


def test_results_in_mx_are_those_of_fp32_quantized():
    """A NaN and an infinity make their block NaN; flushed results leave their sign."""
    x = np.zeros((2, 16), np.float32)
    x[:, 0] = [1e30, 1e-30]
    w = np.zeros((16, 40), np.float32)
    w[0] = [1e30, *[-1e-30] * 39]
    w[0, 17] = np.nan
    c = golden.quantize(golden.gemm(*quantized(x, w)), MX6)
    assert c.exponent.tolist() == [[255, 255, 126], [126, 255, 0]]
    assert c.sign[1, 2].tolist() == [1] * 8 + [0] * 8


def test_is_the_rounded_exact_product_while_shifts_are_small():
    a, b = operands(2, 6, 64, 5, share=0.5)
    assert np.ptp(a.exponent.astype(int)) + np.ptp(b.exponent.astype(int)) + 6 <= 14
    c = golden.gemm(a, b).view(np.uint32)
    for r in range(6):
        left = element_values(a, r)
        for col in range(5):
            exact = sum(x * y for x, y in zip(left, element_values(b, col), strict=True))
            assert c[r, col] == round_to_float(exact, FP32)


@pytest.mark.parametrize("spread", [0, 1, 3, 8])
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_blas_and_beats_agree(spread, share, monkeypatch):
    import sys

    a, b = operands(3, 37, 200, 29, spread=spread, share=share)
    fast = golden.gemm(a, b)
    monkeypatch.setattr(sys.modules["golden.gemm"], "_EXACT_WIDTH", 0)
    assert_same_bits(fast, golden.gemm(a, b))


def test_the_longest_sums_of_the_largest_products_are_exact():
    """All mantissas 127 of one sign: the accumulator comes as close to its limit as it can."""
    x = np.full((2, 6144), 1.999, np.float32)
    x[1] *= -1
    a, b = golden.quantize(x, MX9), golden.quantize(x.T.copy(), MX9, axis=0)
    assert np.all(a.mantissa == 127)
    exact = Fraction(127 * 127 * 6144, 64 * 64)
    expected = [[round_to_float(exact * s * t, FP32) for t in (1, -1)] for s in (1, -1)]
    assert golden.gemm(a, b).view(np.uint32).tolist() == expected


@pytest.mark.parametrize("acc_width", [26, 33, 44, 54, 55, 62])
def test_every_accumulator_width(acc_width):
    a, b = operands(4, 3, 96, 4, spread=3)
    actual = golden.gemm(a, b, acc_width=acc_width).view(np.uint32)
    assert_same_bits(actual, beat_by_beat(a, b, acc_width))


def test_does_not_depend_on_the_order_of_blocks_or_the_tiling():
    a, b = operands(5, 20, 160, 300, spread=4)
    c = golden.gemm(a, b)
    order = np.random.default_rng(0).permutation(10)
    names = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    shuffled = [replace(t, **{n: getattr(t, n)[:, order] for n in names}) for t in (a, b)]
    assert_same_bits(golden.gemm(*shuffled), c)
    for rows in (slice(0, 7), slice(7, 20)):
        for columns in (slice(0, 256), slice(256, 300), slice(3, 4)):
            tile_a = replace(a, **{n: getattr(a, n)[rows] for n in names})
            tile_b = replace(b, **{n: getattr(b, n)[columns] for n in names})
            tile_a = replace(tile_a, shape=(len(tile_a.sign), 160))
            tile_b = replace(tile_b, shape=(160, len(tile_b.sign)))
            assert_same_bits(golden.gemm(tile_a, tile_b), np.ascontiguousarray(c[rows, columns]))


@pytest.mark.parametrize("accumulate", ["anchored", "fp32"])
def test_a_nan_block_makes_its_outputs_nan(accumulate):
    x = np.random.default_rng(6).standard_normal((4, 40)).astype(np.float32)
    w = np.random.default_rng(7).standard_normal((40, 5)).astype(np.float32)
    clean = golden.gemm(*quantized(x, w), accumulate=accumulate)
    x[2, 35], w[3, 1] = np.inf, np.nan
    c = golden.gemm(*quantized(x, w), accumulate=accumulate)
    nan = np.zeros((4, 5), bool)
    nan[2], nan[:, 1] = True, True
    assert np.all(c.view(np.uint32)[nan] == 0x7FC00000)
    assert_same_bits(c[~nan], clean[~nan])


def quantized(x, w):
    return golden.quantize(x, MX9), golden.quantize(w, MX9, axis=0)


def test_overflow_underflow_and_zeros():
    x = np.zeros((5, 16), np.float32)
    x[:4, 0] = [1e30, -1e30, 1e-30, -1e-30]
    w = np.zeros((16, 3), np.float32)
    w[0] = [1e30, 1e-30, 0]
    bits = golden.gemm(*quantized(x, w)).view(np.uint32)
    assert bits[:, 0].tolist()[:2] == [0x7F800000, 0xFF800000]
    assert bits[2:4, 1].tolist() == [0, 0x80000000]
    assert not bits[4].any() and not bits[:, 2].any()


def test_blocks_out_of_reach_round_as_half_up_does():
    """A beat far below the anchor adds nothing, whether positive or negative."""
    x = np.zeros((2, 32), np.float32)
    x[:, 0], x[:, 16] = 1, [1e-12, -1e-12]
    w = np.ones((32, 1), np.float32)
    assert golden.gemm(*quantized(x, w)).tolist() == [[1], [1]]


def test_fp32_accumulation_rounds_at_every_beat():
    a, b = operands(8, 5, 130, 6, spread=2)
    c = golden.gemm(a, b, accumulate="fp32")
    for r in range(5):
        for col in range(6):
            total = np.float32(0)
            for block in range(a.exponent.shape[1]):
                for i in range(1 + a.is_mx9[r, block]):
                    for j in range(1 + b.is_mx9[col, block]):
                        d = block_product(
                            (a.base, a.residual)[i][r, block],
                            a.sign[r, block],
                            a.microexponent[r, block],
                            (b.base, b.residual)[j][col, block],
                            b.sign[col, block],
                            b.microexponent[col, block],
                        )
                        power = int(a.exponent[r, block]) + int(b.exponent[col, block]) - 262
                        total += np.float32(np.ldexp(float(d), power - 3 * (i + j)))
            assert c[r, col] == total
    assert golden.max_ulp(c, golden.gemm(a, b)) > 0


def test_mx4_weights_use_the_base_alone():
    rng = np.random.default_rng(9)
    a = golden.quantize(rng.standard_normal((3, 50)).astype(np.float32), MX9)
    b = golden.quantize(rng.standard_normal((50, 4)).astype(np.float32), MX4, axis=0)
    assert not b.residual.any() and not (b.base & 3).any()
    assert_same_bits(golden.gemm(a, b).view(np.uint32), beat_by_beat(a, b))


def test_a_block_at_the_smallest_exponent_lies_where_its_exponent_says():
    # Not what quantization makes, which gives exponent 0 to zeros only; but planes may hold it.
    a, b = quantized(np.ones((1, 32), np.float32), np.ones((32, 1), np.float32))
    exponent = b.exponent.copy()
    exponent[..., 1] = 0
    b = replace(b, exponent=exponent)
    assert golden.gemm(a, b)[0, 0] == 16.0
    assert_same_bits(golden.gemm(a, b).view(np.uint32), beat_by_beat(a, b))


A, B = quantized(np.ones((2, 32), np.float32), np.ones((32, 3), np.float32))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "a must be an MXTensor", lambda: golden.gemm(np.ones((2, 32)), B)),
        (ValueError, "blocked along axis 0", lambda: golden.gemm(A, A)),
        (ValueError, "a has K = 48", lambda: golden.gemm(*quantized(np.ones((2, 48), "f4"), ONE))),
        (ValueError, "exceeds k_max = 16", lambda: golden.gemm(A, B, k_max=16)),
        (ValueError, "acc_width must be", lambda: golden.gemm(A, B, acc_width=12)),
        (ValueError, "accumulate must be", lambda: golden.gemm(A, B, accumulate="fp64")),
        (ValueError, "output must be", lambda: golden.gemm(A, B, output="int8")),
        (ValueError, "one per column", lambda: golden.gemm(A, B, bias=np.ones((1, 3), "f4"))),
        (TypeError, "expected float32", lambda: golden.gemm(A, B, bias=np.ones(3))),
    ],
)
def test_bad_input_gets_a_sentence(error, message, call):
    with pytest.raises(error, match=message):
        call()


ONE = np.ones((32, 3), np.float32)


@pytest.mark.parametrize(
    ("m", "k", "n", "k_max", "acc_width"),
    [
        (1, 1, 1, 6144, 40),
        (3, 17, 2, 6144, 40),
        (2, 6144, 3, 6144, 40),
        (2, 6145, 2, 6145, 40),
        (2, 40_000, 2, 40_000, 40),
        (1, 20_001, 300, 1 << 27, 40),
        (300, 33, 1, 1 << 40, 62),
    ],
)
def test_any_k_has_the_bits_of_a_machine_that_takes_it(m, k, n, k_max, acc_width):
    rng = np.random.default_rng(k)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    a = golden.apply_policy(x, golden.Policy(0.1))
    b = golden.quantize(w, MX6, axis=0)
    actual = golden.gemm(a, b, k_max=np.int64(k_max), acc_width=acc_width)
    lines, columns = slice(0, 2), slice(0, 2)
    few = [
        MXTensor(t.format, shape, axis, *(getattr(t, code)[:2] for code in CODES))
        for t, shape, axis in ((a, (min(m, 2), k), 1), (b, (k, min(n, 2)), 0))
    ]
    expected = beat_by_beat(*few, acc_width, k_max)
    assert_same_bits(actual.view(np.uint32)[lines, columns], expected)


def test_k_beyond_the_machine_is_refused_with_what_to_give():
    a, b = (golden.quantize(np.ones((1, 6145), np.float32), MX6) for _ in "ab")
    with pytest.raises(ValueError, match="give the k_max of a machine for it, at least 6145"):
        golden.gemm(a, b.transpose())
    assert golden.gemm(a, b.transpose(), k_max=6145) == 6145
    with pytest.raises(ValueError, match="acc_width must be from 41 to 62 bits for K up to"):
        golden.gemm(a, b.transpose(), k_max=(1 << 27) + 1)
