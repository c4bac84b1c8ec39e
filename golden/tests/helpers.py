"""Inputs and a second formulation that the golden tests share."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from golden.formats import BLOCK_SIZE, FP16, MX9, FloatFormat, MXFormat
from golden.mx import MXTensor

CODES = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")


def assert_same_bits(actual: np.ndarray, expected: np.ndarray, what: str = "value") -> None:
    """Compare FP32 (or integer) arrays bit by bit and name the first difference."""
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}"
    left, right = (a.view(np.uint32) if a.dtype == np.float32 else a for a in (actual, expected))
    if not np.array_equal(left, right):
        at = tuple(int(i) for i in np.argwhere(left != right)[0])
        raise AssertionError(f"{what}{list(at)}: {left[at]:#x}, not {right[at]:#x}")


def assert_same_codes(actual: MXTensor, expected: MXTensor) -> None:
    """Compare every code of two tensors."""
    for name in CODES:
        assert_same_bits(getattr(actual, name), getattr(expected, name), name)


def matrix(tensor: MXTensor, *index: int) -> MXTensor:
    """Return one matrix, blocked along its rows, of a tensor with more dimensions."""
    codes = {name: getattr(tensor, name)[index] for name in CODES}
    return MXTensor(tensor.format, tensor.shape[-2:], 1, **codes)


def random_blocks(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Finite FP32 blocks of every kind, shape (count, 16).

    A quarter each: Gaussian; exponents anywhere; all elements within a few binades of a random
    exponent, with few significant bits (so ties abound); the same with zeros and subnormals.
    """
    bits = rng.integers(0, 1 << 32, (count, BLOCK_SIZE), dtype=np.uint32)
    kind = np.arange(count) % 4
    near = np.clip(
        rng.integers(0, 255, (count, 1)) - rng.integers(0, 11, (count, BLOCK_SIZE)), 0, 254
    ).astype(np.uint32)
    few = bits & np.uint32(0x807F8000) | (near << 23)
    bits = np.where((kind >= 2)[:, None], few, bits)
    small = rng.integers(0, 4, bits.shape)
    bits = np.where((kind == 3)[:, None] & (small == 0), bits & 0x80000000, bits)
    bits = np.where((kind == 3)[:, None] & (small == 1), bits & 0x807FFFFF, bits)
    gaussian = rng.standard_normal(bits.shape, np.float32).view(np.uint32)
    bits = np.where((kind == 0)[:, None], gaussian, bits)
    return np.where((bits & 0x7F800000) == 0x7F800000, bits ^ 0x40000000, bits).view(np.float32)


def activations(seed: int = 0, rows: int = 20, k: int = 200) -> NDArray[np.float32]:
    """Lognormal channels, five of them 30 times larger, as in a diffusion transformer."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, k)) * np.exp(rng.standard_normal(k))
    x[:, rng.permutation(k)[:5]] *= 30
    return x.astype(np.float32)


def as_fraction(bits: int) -> Fraction:
    """Return the value of a finite FP32 pattern."""
    sign, exponent, fraction = bits >> 31, bits >> 23 & 0xFF, bits & 0x7FFFFF
    significand = fraction if exponent == 0 else fraction | 1 << 23
    return (-1) ** sign * significand * Fraction(2) ** (max(exponent, 1) - 150)


def binade(x: Fraction) -> int:
    """Return floor(log2(x)) of a positive number."""
    power = x.numerator.bit_length() - x.denominator.bit_length()
    return power if Fraction(2) ** power <= x else power - 1


def round_to_float(value: Fraction, fmt: FloatFormat) -> int:
    """Round to a pattern by the definition: once, half to even, flushed below FP32's normals."""
    sign = int(value < 0) << (fmt.width - 1)
    if value == 0:
        return 0
    lowest = 1 - fmt.bias if fmt is FP16 else -(10**6)
    power = max(binade(abs(value)), lowest) - fmt.mantissa_bits
    count = round(abs(value) / Fraction(2) ** power)
    rounded = count * Fraction(2) ** power
    if rounded < Fraction(2) ** -126:
        return sign
    if rounded >= Fraction(2) ** (fmt.bias + 1):
        return sign | ((1 << fmt.exponent_bits) - 1) << fmt.mantissa_bits
    exponent = max(binade(rounded), 1 - fmt.bias) if rounded else 1 - fmt.bias
    significand = int(rounded / Fraction(2) ** (exponent - fmt.mantissa_bits))
    return sign | ((exponent + fmt.bias - 1) << fmt.mantissa_bits) + significand


def define_block(patterns: list[int], fmt: MXFormat) -> tuple[int, list[int], list[int], list[int]]:
    """Quantize a block of FP32 patterns by the definition, over rationals.

    Returns
    -------
    exponent, microexponents, mantissas, signs
    """
    signs = [p >> 31 for p in patterns]
    if any(p & 0x7F800000 == 0x7F800000 for p in patterns):
        return 255, [0] * 8, [0] * 16, [0] * 16
    smallest = Fraction(2) ** -126
    values = [abs(as_fraction(p)) for p in patterns]
    values = [x if x >= smallest else Fraction(0) for x in values]
    if not any(values):
        return 0, [0] * 8, [0] * 16, signs
    shared = binade(max(values))
    micro, mantissas = [], []
    for pair in zip(values[::2], values[1::2], strict=True):
        micro.append(0 if any(x >= Fraction(2) ** shared for x in pair) else 1)
        step = Fraction(2) ** (shared - micro[-1] - (fmt.mantissa_bits - 1))
        # Python rounds a Fraction half to even.
        mantissas += [min(round(x / step), 2**fmt.mantissa_bits - 1) for x in pair]
    return shared + 127, micro, mantissas, signs


def element_values(tensor: MXTensor, line: int) -> list[Fraction]:
    """Return the values of a line's elements, padding included, over rationals."""
    values = []
    for block in range(tensor.exponent.shape[1]):
        m = fraction_point(tensor, line, block)
        for i in range(BLOCK_SIZE):
            t = int(tensor.microexponent[line, block, i // 2])
            power = int(tensor.exponent[line, block]) - 127 - t - m
            magnitude = int(tensor.mantissa[line, block, i]) * Fraction(2) ** power
            values.append(-magnitude if tensor.sign[line, block, i] else magnitude)
    return values


def fraction_point(tensor: MXTensor, line: int, block: int) -> int:
    """Return the bits behind the point of a block's mantissas: m - 1."""
    if tensor.format != "mixed":
        return tensor.format.mantissa_bits - 1
    return MX9.mantissa_bits - 1 if tensor.is_mx9[line, block] else 3
