"""Accumulators, their rounding to FP32, and whole products, in integers."""

from importlib import import_module

import numpy as np

from golden import accumulator
from golden.floats import QUIET_NAN
from golden.formats import MX4, MX6, MX9
from golden.mx import MXTensor
from golden.tests.proof import floats
from golden.tests.proof.sweep import Sweep, assert_equal

gemm = import_module("golden.gemm")  # the package has a function of this name

SHIFTS = np.arange(46)


def shift_and_round(scaled: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return floor(scaled / 2^shift + 1/2) as one division of integers."""
    shift = np.minimum(shift, 60)
    return (2 * scaled + (np.int64(1) << shift)) // (np.int64(2) << shift)


def round_shift(chunk: int) -> int:
    d = np.arange(-14400, 14401, dtype=np.int64)[:, None]
    ours = accumulator.round_shift(d, SHIFTS, chunk)
    return assert_equal(ours, shift_and_round(d << chunk, SHIFTS), d, SHIFTS)


def round_once(acc: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Round acc * 2^point to FP32 patterns, in integers, with an exponent that has no limits."""
    acc, point = np.broadcast_arrays(acc, point)
    size = np.abs(acc)
    length = np.where(size < 1 << 52, np.frexp(size.astype(np.float64))[1],
                      np.frexp((size >> 20).astype(np.float64))[1] + 20)  # fmt: skip
    drop = np.maximum(length - 24, 0)
    kept = size >> drop
    rest, half = size - (kept << drop), (np.int64(1) << drop) >> 1
    kept = kept + ((rest > half) | ((rest == half) & (kept % 2 == 1))) * (drop > 0)
    carried = kept == 1 << 24
    exponent = length + carried - 1 + point
    significand = np.where(carried, kept >> 1, kept << np.maximum(24 - length, 0))
    bits = (exponent + 127 << 23) + significand - (1 << 23)
    bits = np.where(exponent > 127, 0x7F800000, np.where(exponent < -126, 0, bits))
    return np.where(size == 0, 0, bits | (acc < 0).astype(np.int64) << 31).astype(np.uint32)


def to_fp32(chunk: int) -> int:
    """Every exponent sum with small accumulators, and every 27-bit accumulator at one."""
    if chunk < 64:
        exponent_sum = np.arange(8 * chunk, min(8 * chunk + 8, 509))
        acc = np.concatenate([np.arange(-(1 << 15), 1 << 15), [(1 << 25) - 1, (1 << 38) + 1]])
    else:
        exponent_sum = np.array([254])
        acc = np.arange(1 << 19, dtype=np.int64) + (chunk - 64 << 19)
        acc = np.where(acc % 3 == 0, -acc, acc) << np.int64(chunk % 30)
    acc = acc.astype(np.int64)[:, None]
    ours = accumulator.to_fp32_bits(acc, exponent_sum, 14)
    return assert_equal(ours, round_once(acc, exponent_sum - 262 - 14), acc, exponent_sum)


def block_product(chunk: int) -> int:
    """Every pair of magnitudes and signs, with every t, in one lane of a block."""
    rng = np.random.default_rng(chunk)
    ranges = (range(16), (0, 1), range(16), (0, 1), (0, 1), (0, 1))
    a, a_sign, b, b_sign, a_t, b_t = (each.reshape(-1) for each in np.meshgrid(*ranges))
    magnitudes = rng.integers(0, 16, (2, len(a), 16))
    signs, micro = rng.integers(0, 2, (2, len(a), 16)), rng.integers(0, 2, (2, len(a), 8))
    for side, (magnitude, sign, t) in enumerate(((a, a_sign, a_t), (b, b_sign, b_t))):
        magnitudes[side, :, chunk], signs[side, :, chunk] = magnitude, sign
        micro[side, :, chunk // 2] = t
    ours = accumulator.block_product(*(
        part[side] for side in (0, 1) for part in (magnitudes, signs, micro)))  # fmt: skip
    theirs = np.zeros(len(a), np.int64)
    for lane in range(16):
        doubled = (2 - micro[0, :, lane // 2]) * (2 - micro[1, :, lane // 2])
        negative = signs[0, :, lane] != signs[1, :, lane]
        product = magnitudes[0, :, lane] * magnitudes[1, :, lane] * doubled
        theirs += np.where(negative, -product, product)
    return assert_equal(ours, theirs)


def fraction_bits(chunk: int) -> int:
    """Every width, for 200 of the largest K: the most bits with which no sum overflows."""
    found = 0
    for k_max in (*range(200 * chunk + 1, 200 * chunk + 201), 1 << 17 + chunk):
        largest = 4 * -(-k_max // 16) << 14  # 2^14 instead of 14400: a power of two on purpose
        for width in range(10, 66):
            room = [bits for bits in range(63) if largest << bits <= 1 << width - 1]
            wanted = max(room) if room and width <= 62 else None
            try:
                ours = accumulator.fraction_bits(width, k_max)
            except ValueError:
                ours = None
            if ours != wanted:
                raise AssertionError(f"{ours}, not {wanted}, of {width} bits and K = {k_max}")
            found += 1
    return found


def multiply(a: MXTensor, b: MXTensor, acc_width: int, k_max: int) -> np.ndarray:
    """Multiply as docs/numerics.md says, beat by beat, in integers: FP32 patterns."""
    beats = 4 * -(-k_max // 16)
    fraction = acc_width - 15 - (beats - 1).bit_length()
    sides = []
    for tensor in (a, b):
        exponent = tensor.exponent.astype(np.int64)
        nan = (exponent == 255).any(axis=1)
        exponent = np.where(exponent == 255, 0, exponent)
        mantissa = tensor.mantissa.astype(np.int64)
        if tensor.format == MX4:
            mantissa = 4 * mantissa
        mantissa = np.where((tensor.exponent == 255)[..., None], 0, mantissa)
        is_mx9 = tensor.is_mx9[..., None]
        weight = (1 - 2 * tensor.sign.astype(np.int64)) * (
            2 - np.repeat(tensor.microexponent.astype(np.int64), 2, axis=-1))  # fmt: skip
        high = weight * np.where(is_mx9, mantissa // 8, mantissa)
        low = weight * np.where(is_mx9, mantissa % 8, 0)
        sides.append(((high, low), exponent, exponent.max(axis=1), nan))
    (a_parts, a_exponent, a_anchor, a_nan), (b_parts, b_exponent, b_anchor, b_nan) = sides
    acc = np.zeros((len(a_anchor), len(b_anchor)), np.int64)
    for block in range(a_exponent.shape[1]):
        for i, row in enumerate(a_parts):
            for j, column in enumerate(b_parts):
                d = np.einsum("me,ne->mn", row[:, block], column[:, block])
                shift = (a_anchor - a_exponent[:, block])[:, None] + 3 * (i + j) + (
                    b_anchor - b_exponent[:, block])  # fmt: skip
                acc += shift_and_round(d << fraction, shift)
    bits = round_once(acc, a_anchor[:, None] + b_anchor - 262 - fraction)
    return np.where(a_nan[:, None] | b_nan, np.uint32(QUIET_NAN), bits)


def one_element(fmt: object, lines: int) -> tuple[np.ndarray, ...]:
    """Give every mantissa of a format with either t, in the first element of a block."""
    mantissas = np.zeros((lines, 2, 16), np.uint8)
    mantissas[:, 0, 0] = np.arange(lines) // 2 % 2**fmt.mantissa_bits
    micro = np.zeros((lines, 2, 8), np.uint8)
    micro[:, 0] = (np.arange(lines) % 2)[:, None]
    return mantissas, micro


PAIRS = [(left, right) for left in (MX9, MX6, MX4) for right in (MX9, MX6, MX4)]


def two_blocks(chunk: int) -> int:
    """Every product of two elements, and one far larger product beside it."""
    (left, right), below = PAIRS[chunk % len(PAIRS)], chunk // len(PAIRS)
    operands = []
    for fmt, lines, distance in ((left, 256, below // 2), (right, 256, below - below // 2)):
        mantissas, micro = one_element(fmt, lines)
        mantissas[:, 1, 3] = 2**fmt.mantissa_bits - 1
        exponent = np.array([[100 - distance, 100]] * lines, np.uint8)
        sign = np.zeros_like(mantissas)
        sign[::3, 0] = 1
        operands.append(MXTensor(fmt, (lines, 32), 1, exponent, micro, mantissas, sign,
                                 np.full((lines, 2), fmt == MX9)))  # fmt: skip
    a, b = operands
    ours = gemm.gemm(a, b.transpose(), acc_width=40, k_max=6144).view(np.uint32)
    return assert_equal(ours, multiply(a, b, 40, 6144))


def raw_products(chunk: int) -> int:
    """Blocks of any codes, shapes and widths of the accumulator."""
    rng = np.random.default_rng(chunk)
    found = 0
    for acc_width, k_max in ((17, 16), (24, 80), (30, 160), (40, 6144), (44, 6144), (40, 96)):
        m, n = rng.integers(1, 12, 2)
        k = int(rng.integers(1, min(k_max, 96) + 1))
        a, b = (raw(rng, int(lines), k) for lines in (m, n))
        ours = gemm.gemm(a, b.transpose(), acc_width=acc_width, k_max=k_max).view(np.uint32)
        found += assert_equal(ours, multiply(a, b, acc_width, k_max))
    return found


def results(chunk: int) -> int:
    """Products with a bias of any bits, rounded to each format."""
    rng, found = np.random.default_rng(chunk), 0
    for _ in range(8):
        k = int(rng.integers(1, 40))
        a, b = raw(rng, 6, k), raw(rng, 7, k)
        bias = rng.integers(0, 1 << 32, 7, np.uint32)
        bias = np.where(rng.random(7) < 0.5, bias & 0x807FFFFF | 0x3F800000, bias)
        product = multiply(a, b, 40, 6144)
        total = floats.added(floats.flushed(product), floats.flushed(bias))
        for heads, bits in ((None, product), (bias.view(np.float32), total)):
            for output, wanted in (
                ("fp32", bits), ("fp16", floats.as_fp16(bits)), ("bf16", floats.as_bf16(bits)),
            ):  # fmt: skip
                ours = gemm.gemm(a, b.transpose(), bias=heads, output=output)
                found += assert_equal(ours.view(f"u{ours.itemsize}"), wanted)
    return found


def raw(rng: np.random.Generator, lines: int, k: int) -> MXTensor:
    """Draw a matrix of any codes."""
    shape = (lines, -(-k // 16))
    is_mx9 = rng.random(shape) < rng.choice([0, 0.5, 1])
    exponents = ([100, 101, 102, 104, 110, 125], [0, 1, 3, 250, 254], range(256))
    exponent = rng.choice(exponents[rng.integers(3)], shape).astype(np.uint8)
    mantissa = rng.integers(0, np.where(is_mx9, 128, 16)[..., None], (*shape, 16), np.uint8)
    return MXTensor("mixed", (lines, k), 1, exponent, rng.integers(0, 2, (*shape, 8), np.uint8),
                    mantissa, rng.integers(0, 2, (*shape, 16), np.uint8), is_mx9)  # fmt: skip


SWEEPS = (
    Sweep("what a beat adds", ("accumulator.round_shift", "accumulator.beat_shift"),
          "one division of integers, rounded down",
          "all D, all shifts to 45, F from 0 to 28", 29, round_shift),
    Sweep("accumulator to FP32", ("accumulator.to_fp32_bits",),
          "integers: shift, compare the rest with a half",
          "every sum of exponents with all accumulators of 16 bits; all of 27 bits, shifted",
          64 + 256, to_fp32),
    Sweep("D", ("accumulator.block_product", "accumulator.signed"),
          "element by element, doubled for each t of 0",
          "every pair of magnitudes and signs and every t in each lane", 16, block_product),
    Sweep("F", ("accumulator.fraction_bits",), "the most bits with which the largest sum fits",
          "every width, K to 10,000 and powers of two", 50, fraction_bits),
    Sweep("products beside a larger one",
          ("gemm.gemm", "accumulator.beat_shift", "operand.Operand"),
          "docs/numerics.md, beat by beat, in integers",
          "all pairs of mantissas and microexponents, in all pairs of formats, to 40 binades below",
          41 * len(PAIRS), two_blocks),
    Sweep("products of any codes", ("gemm.gemm", "mx.MXTensor.transpose"),
          "docs/numerics.md, beat by beat, in integers",
          "random codes, shapes and six widths of the accumulator", 200, raw_products),
    Sweep("results", ("gemm.gemm", "floats.add", "floats.narrow"),
          "the same; float64 for the bias, midpoints for FP16, ml_dtypes for BF16",
          "random codes, biases of any bits, each format", 100, results),
)  # fmt: skip
