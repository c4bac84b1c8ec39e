"""What the accelerator computes, to the bit, in plain integers and fractions.

Written from docs/numerics.md, packets.md and interfaces.md alone. FP32, FP16 and BF16 numbers are
their bit patterns, as Python integers, throughout. A `Block` is sixteen elements along K.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")
BLOCK = 16
EXPONENT_BIAS = 127
NAN_EXPONENT = 255
QUIET_NAN = 0x7FC00000
INFINITY = 0x7F800000
BASE_BYTES = 12
RESIDUAL_BYTES = 6

Rounding = Callable[[Fraction], int]
"""`round`, which is half to even, or `math.floor`, which truncates a magnitude."""

Beat = tuple[int | None, ...]
"""The bytes of one beat, `None` where tkeep is 0."""


@dataclass(frozen=True)
class Float:
    """An IEEE-like binary format.

    Attributes
    ----------
    exponent_bits, precision
        Width of the exponent; bits of the significand with its hidden one.
    code
        What JOB_FORMAT and JOB_OUTPUT call it.
    has_subnormals
        Whether rounding to it keeps subnormals.
    """

    exponent_bits: int
    precision: int
    code: int
    has_subnormals: bool = False

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return (self.exponent_bits + self.precision) // 8

    @property
    def largest(self) -> int:
        """The biased exponent of infinities and NaNs, which is also a mask for exponents."""
        return (1 << self.exponent_bits) - 1

    def fields(self, pattern: int) -> tuple[int, int, int]:
        """Cut a pattern into sign, biased exponent and fraction."""
        fraction_bits = self.precision - 1
        return (
            pattern >> (fraction_bits + self.exponent_bits),
            pattern >> fraction_bits & self.largest,
            pattern & ((1 << fraction_bits) - 1),
        )

    def magnitude(self, pattern: int) -> Fraction:
        """|x| of a finite number, subnormals included."""
        _, exponent, fraction = self.fields(pattern)
        hidden = (1 << (self.precision - 1)) if exponent else 0
        scale = max(exponent, 1) - (self.largest >> 1) - (self.precision - 1)
        return (hidden + fraction) * Fraction(2) ** scale

    def encode(self, sign: int, magnitude: Fraction) -> int:
        """Round half to even: as if exponents had no limit, but for subnormals that are kept."""
        top = self.exponent_bits + self.precision - 1
        if magnitude == 0:
            return sign << top
        bias = self.largest >> 1
        exponent = floor_log2(magnitude)
        if self.has_subnormals:
            exponent = max(exponent, 1 - bias)
        significand = round(magnitude / Fraction(2) ** (exponent - (self.precision - 1)))
        if significand == 1 << self.precision:
            significand, exponent = significand // 2, exponent + 1
        biased = exponent + bias
        if biased >= self.largest:
            return sign << top | self.largest << (self.precision - 1)
        if biased < 1:
            return sign << top
        # The hidden one carries into the exponent; a subnormal has none to carry.
        return (sign << top) + ((biased - 1) << (self.precision - 1)) + significand


FP32 = Float(8, 24, code=0)
FP16 = Float(5, 11, code=1, has_subnormals=True)
BF16 = Float(8, 8, code=2)


def floor_log2(value: Fraction) -> int:
    """The exponent of a positive number."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if Fraction(2) ** guess <= value else guess - 1


def widen(pattern: int, source: Float) -> int:
    """FP16 or BF16 to FP32, exactly."""
    sign, exponent, fraction = source.fields(pattern)
    moved = fraction << (FP32.precision - source.precision)
    if exponent == source.largest:
        return sign << 31 | INFINITY | moved
    if source.exponent_bits == FP32.exponent_bits:
        return sign << 31 | exponent << 23 | moved
    return FP32.encode(sign, source.magnitude(pattern))


def narrow(pattern: int, target: Float) -> int:
    """FP32 to FP16, BF16 or FP32; a NaN becomes the quiet one with nothing else set."""
    if target is FP32:
        return pattern
    sign, exponent, fraction = FP32.fields(pattern)
    if exponent == FP32.largest:
        infinity = target.largest << (target.precision - 1)
        if fraction:
            return infinity | 1 << (target.precision - 2)
        return sign << (8 * target.size - 1) | infinity
    return target.encode(sign, FP32.magnitude(pattern))


def flush(pattern: int) -> int:
    """An FP32 subnormal as the zero of its sign."""
    return pattern if FP32.fields(pattern)[1] else pattern & 1 << 31


def is_finite(pattern: int) -> bool:
    """Whether an FP32 number is neither infinity nor NaN."""
    return FP32.fields(pattern)[1] != FP32.largest


def add(a: int, b: int) -> int:
    """FP32 a + b, half to even, without subnormals."""
    a, b = flush(a), flush(b)
    if not (is_finite(a) and is_finite(b)):
        specials = {x for x in (a, b) if not is_finite(x)}
        special = specials.pop()
        is_infinity = not specials and special & 0x7FFFFFFF == INFINITY
        return special if is_infinity else QUIET_NAN
    if a == b == 1 << 31:
        return a
    total = signed(a) + signed(b)
    return FP32.encode(int(total < 0), abs(total))


def signed(pattern: int) -> Fraction:
    """The value of a finite FP32 number."""
    return FP32.magnitude(pattern) * (-1) ** (pattern >> 31)


@dataclass(frozen=True)
class Block:
    """Sixteen elements: MX6 if `low` is None, else MX9 with magnitudes 8 H + L.

    Attributes
    ----------
    exponent
        The shared one, biased; 255 marks a NaN block.
    micro
        Microexponents, one per pair.
    signs, high, low
        Sign, H and L of each element.
    """

    exponent: int
    micro: tuple[int, ...]
    signs: tuple[int, ...]
    high: tuple[int, ...]
    low: tuple[int, ...] | None

    @property
    def is_nan(self) -> bool:
        """Whether it decodes to NaNs."""
        return self.exponent == NAN_EXPONENT

    def parts(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Magnitudes beat by beat, and whether they are residuals."""
        yield 0, self.high
        if self.low is not None:
            yield 1, self.low

    def base_bytes(self) -> bytes:
        """The twelve bytes that look like an MX6 block."""
        return (
            bytes([self.exponent])
            + bits_to_int(self.micro, 1).to_bytes(1, "little")
            + bits_to_int(self.signs, 1).to_bytes(2, "little")
            + bits_to_int(self.high, 4).to_bytes(8, "little")
        )

    def residual_bytes(self) -> bytes:
        """The six bytes that make it MX9."""
        return bits_to_int(self.low or (), 3).to_bytes(RESIDUAL_BYTES, "little")


def bits_to_int(values: Iterable[int], width: int) -> int:
    """Put numbers of `width` bits side by side, the first one lowest."""
    return sum(value << (width * i) for i, value in enumerate(values))


@dataclass(frozen=True)
class Quantized:
    """A block, and how many of its elements stopped at the largest mantissa."""

    block: Block
    saturated: int


def quantize(patterns: Sequence[int], is_mx9: bool, rounding: Rounding = round) -> Quantized:
    """Sixteen FP32 numbers to MX9 or MX6."""
    made = to_codes(patterns, 7 if is_mx9 else 4, rounding)
    if not is_mx9:
        return made
    codes = made.block.high
    low = tuple(x & 7 for x in codes)
    return replace(made, block=replace(made.block, high=tuple(x >> 3 for x in codes), low=low))


def quantize_mx4(patterns: Sequence[int], rounding: Rounding = round) -> Block:
    """Sixteen FP32 numbers to MX4, whose magnitudes are H's two high bits."""
    block = to_codes(patterns, 2, rounding).block
    return replace(block, high=tuple(x << 2 for x in block.high))


def to_codes(patterns: Sequence[int], mantissa_bits: int, rounding: Rounding) -> Quantized:
    """Sixteen FP32 numbers to magnitudes of so many bits, which are all of `high`."""
    zeros = (0,) * BLOCK
    if not all(is_finite(x) for x in patterns):
        return Quantized(Block(NAN_EXPONENT, zeros[:8], zeros, zeros, None), 0)
    patterns = [flush(x) for x in patterns]
    exponents = [FP32.fields(x)[1] for x in patterns]
    shared = max(exponents)
    micro = tuple(int(max(exponents[i], exponents[i + 1]) < shared) for i in range(0, BLOCK, 2))
    largest = (1 << mantissa_bits) - 1
    steps = [Fraction(2) ** (shared - EXPONENT_BIAS - t - (mantissa_bits - 1)) for t in micro]
    rounded = [rounding(FP32.magnitude(x) / steps[i // 2]) for i, x in enumerate(patterns)]
    signs, codes = tuple(x >> 31 for x in patterns), tuple(min(x, largest) for x in rounded)
    return Quantized(Block(shared, micro, signs, codes, None), sum(x > largest for x in rounded))


def mx4_values(block: Block) -> list[Fraction]:
    """The numbers that a finite MX4 block stands for, by the formula of the formats."""
    return [
        (-1) ** block.signs[i]
        * Fraction(block.high[i] >> 2)
        * Fraction(2) ** (block.exponent - EXPONENT_BIAS - block.micro[i // 2] - (2 - 1))
        for i in range(BLOCK)
    ]


def beat_sum(a: Block, b: Block, a_part: Sequence[int], b_part: Sequence[int]) -> int:
    """D of one beat, an integer of weight 2^(Ea + Eb - 8)."""
    return sum(
        (-1) ** (a.signs[i] ^ b.signs[i])
        * a_part[i]
        * b_part[i]
        * 2 ** (2 - a.micro[i // 2] - b.micro[i // 2])
        for i in range(BLOCK)
    )


def dot(row: Sequence[Block], column: Sequence[Block], fraction_bits: int) -> int:
    """One element of C, in FP32, without its bias."""
    if any(x.is_nan for x in (*row, *column)):
        return QUIET_NAN
    row_anchor = max(x.exponent for x in row)
    column_anchor = max(x.exponent for x in column)
    accumulator = 0
    for a, b in zip(row, column, strict=True):
        below = (row_anchor - a.exponent) + (column_anchor - b.exponent)
        for a_residual, a_part in a.parts():
            for b_residual, b_part in b.parts():
                shift = below + 3 * (a_residual + b_residual)
                scaled = Fraction(beat_sum(a, b, a_part, b_part) * 2**fraction_bits, 2**shift)
                accumulator += (scaled + Fraction(1, 2)).__floor__()
    weight = (row_anchor - EXPONENT_BIAS) + (column_anchor - EXPONENT_BIAS) - 8 - fraction_bits
    return FP32.encode(int(accumulator < 0), abs(accumulator) * Fraction(2) ** weight)


def blocks_of(numbers: Sequence[int]) -> list[list[int]]:
    """A row in blocks of sixteen, the last one filled up with zeros."""
    padded = [*numbers, *[0] * (-len(numbers) % BLOCK)]
    return [padded[i : i + BLOCK] for i in range(0, len(padded), BLOCK)]


def unit_magnitudes(rows: Sequence[Sequence[int]]) -> list[int]:
    """The largest magnitude of each K-block of a tile, as a 31-bit pattern."""
    return [
        max(x & 0x7FFFFFFF for block in unit for x in block)
        for unit in zip(*(blocks_of(row) for row in rows), strict=True)
    ]


def top(magnitudes: Sequence[int], units: int) -> list[bool]:
    """Tag the largest units; ties go to the lower index."""
    ranking = sorted(range(len(magnitudes)), key=lambda i: (-magnitudes[i], i))
    return [i in ranking[:units] for i in range(len(magnitudes))]


def in_chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Cut a sequence; the last piece may be shorter."""
    return [items[i : i + size] for i in range(0, len(items), size)]


def fill(data: bytes, size: int) -> bytes:
    """Fill up with zeros to a multiple of `size`."""
    return data + bytes(-len(data) % size)


def packed_tile(
    columns: Sequence[Sequence[Block]], beat_bytes: int, biases: Sequence[int] | None = None
) -> bytes:
    """A packet of packed weights, or (rows for columns) of packed activations.

    All columns must have the same K-blocks in MX9.
    """
    packet = b""
    if biases is not None:
        packet += fill(b"".join(x.to_bytes(4, "little") for x in biases), beat_bytes)
    units = list(zip(*columns, strict=True))
    for i, unit in enumerate(units):
        if i % (8 * beat_bytes) == 0:
            tags = [x[0].low is not None for x in units[i : i + 8 * beat_bytes]]
            packet += bits_to_int(tags, 1).to_bytes(beat_bytes, "little")
        packet += packed_unit(unit, beat_bytes)
    return packet


def packed_unit(unit: Sequence[Block], beat_bytes: int) -> bytes:
    """One K-block of a packed tile: base blocks, and of MX9 the residuals."""
    data = fill(b"".join(x.base_bytes() for x in unit), beat_bytes)
    if unit[0].low is not None:
        data += fill(b"".join(x.residual_bytes() for x in unit), beat_bytes)
    return data


def beats_of(data: bytes, beat_bytes: int) -> list[Beat]:
    """A dense packet in beats, without the bytes behind its end."""
    return [(*chunk, *[None] * (beat_bytes - len(chunk))) for chunk in in_chunks(data, beat_bytes)]
