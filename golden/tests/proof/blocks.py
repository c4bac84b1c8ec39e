"""Blocks: quantization against the definition in float64, and back."""

from dataclasses import dataclass

import numpy as np

from golden import encode, mx, residual
from golden.formats import MX9, MX_FORMATS, MXFormat
from golden.mx import MXTensor
from golden.tests.proof.sweep import Sweep, assert_equal

FORMATS = tuple(MX_FORMATS.values())


@dataclass(frozen=True)
class Definition:
    """The codes of blocks, shape (n, 16), by docs/numerics.md in float64, where all is exact."""

    exponent: np.ndarray
    microexponent: np.ndarray
    ratio: np.ndarray
    """Magnitudes in steps; of no meaning in a NaN block."""
    sign: np.ndarray
    is_nan: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, fmt: MXFormat) -> "Definition":
        with np.errstate(all="ignore"):
            magnitude = np.abs(x.astype(np.float64))
        is_nan = ~np.isfinite(magnitude).all(axis=1)
        magnitude = np.where(is_nan[:, None] | (magnitude < 2.0**-126), 0, magnitude)
        binade = np.where(magnitude > 0, np.frexp(magnitude)[1] - 1, -127)
        shared = binade.max(axis=1)
        pairs = binade.reshape(len(x), 8, 2)
        micro = (pairs[:, :, 0] < shared[:, None]) & (pairs[:, :, 1] < shared[:, None])
        power = shared[:, None] - np.repeat(micro, 2, axis=1) - (fmt.mantissa_bits - 1)
        sign = np.signbit(x) & ~is_nan[:, None]
        return cls(np.where(is_nan, 255, shared + 127), micro, np.ldexp(magnitude, -power), sign,
                   is_nan)  # fmt: skip

    def mantissas(self, fmt: MXFormat, rounding: str) -> np.ndarray:
        whole = np.rint(self.ratio) if rounding == "half_even" else np.floor(self.ratio)
        return np.minimum(whole, 2**fmt.mantissa_bits - 1)


def compare(x: np.ndarray) -> int:
    """Quantize blocks to every format with both roundings that hardware has."""
    found = 0
    for fmt in FORMATS:
        wanted = Definition.of(x, fmt)
        for rounding in ("half_even", "truncate"):
            codes = encode.encode(x, fmt, rounding, None)
            bits = x.view(np.uint32)
            assert_equal(codes.exponent, wanted.exponent.astype(np.uint8))
            assert_equal(codes.microexponent, wanted.microexponent.astype(np.uint8))
            mantissas = wanted.mantissas(fmt, rounding).astype(np.uint8)
            found += assert_equal(codes.mantissa, mantissas, bits)
            assert_equal(codes.sign, wanted.sign.astype(np.uint8), bits)
        over = (np.rint(wanted.ratio) > fmt.largest_mantissa) & ~wanted.is_nan[:, None]
        counted = mx.saturated_count(x.reshape(1, -1), mx.quantize(x.reshape(1, -1), fmt))
        if counted != np.count_nonzero(over):
            raise AssertionError(f"{counted} saturated, not {np.count_nonzero(over)}")
    return found


PARTS = 16
PLACES = [(exponent, below) for exponent in (1, 14, 15, 127, 254)
          for below in range(min(exponent, 11))]  # fmt: skip
"""Biased shared exponents, and how far below them the element lies."""


def elements(chunk: int) -> int:
    """Every significand at a distance below the shared exponent, with t = 0 and with t = 1."""
    (exponent, below), part = PLACES[chunk // PARTS], chunk % PARTS
    count = (1 << 23) // PARTS
    fraction = np.arange(count, dtype=np.uint32) + np.uint32(part * count)
    bits = fraction | np.uint32(exponent - below << 23)
    bits[1::2] |= np.uint32(1 << 31)
    return beside_and_apart(exponent, bits)


def beside_and_apart(exponent: int, bits: np.ndarray) -> int:
    """Compare patterns beside a power of two, where t = 0, and in pairs of their own."""
    top = np.uint32(exponent << 23)
    beside = np.full((-(-len(bits) // 8), 16), top)
    beside[:, 1::2] = np.resize(bits, (len(beside), 8))
    apart = np.full((-(-len(bits) // 14), 16), top)
    apart[:, 2:] = np.resize(bits, (len(apart), 14))
    return compare(beside.view(np.float32)) + compare(apart.view(np.float32))


def exponents(chunk: int) -> int:
    """Every exponent up to a shared one, with the significands at which rounding turns."""
    fractions = np.array([0, 1, 0x080000, 0x0FFFFF, 0x400000, 0x480000, 0x780000, 0x7C0000,
                          0x7FFFFF], np.uint32)  # fmt: skip
    fields = np.arange(chunk + 2, dtype=np.uint32)[:, None]
    return beside_and_apart(chunk + 1, (fields << 23 | fractions).reshape(-1))


def alphabet(base: int) -> np.ndarray:
    """List patterns of every kind at and below a biased exponent."""
    special = [0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x7F800000, 0xFFC00001]
    near = [(base - below) << 23 | fraction
            for below in range(min(base, 9)) for fraction in (0, 0x480000, 0x7FFFFF)]  # fmt: skip
    signed = [each ^ (index % 2) << 31 for index, each in enumerate(near)]
    return np.array(special + signed, np.uint32)


BASES = (127, 4, 16, 254)
LETTERS = len(alphabet(127))
STARTS = [(base, first) for base in BASES for first in range(len(alphabet(base)))]


def letters(chunk: int) -> np.ndarray:
    """Make all blocks of four numbers, in three pairs, that begin with one pattern."""
    base, first = STARTS[chunk]
    kinds = alphabet(base)
    x = np.zeros((len(kinds) ** 3, 16), np.uint32)
    x[:, 0] = kinds[first]
    for place, each in zip((1, 2, 15), np.meshgrid(kinds, kinds, kinds), strict=True):
        x[:, place] = each.reshape(-1)
    return x.view(np.float32)


def stochastic(chunk: int) -> int:
    rng = np.random.default_rng(chunk)
    exponent = rng.integers(0, 255, (4000, 1)) - rng.integers(0, 12, (4000, 16))
    bits = np.maximum(exponent, 0).astype(np.uint32) << 23 | rng.integers(
        0, 1 << 23, (4000, 16), np.uint32
    ) & np.uint32(rng.choice([0x7FFFFF, 0x7F0000]))
    uniform = rng.random(bits.shape, np.float32) + np.float32(2**-24)
    x, found = bits.view(np.float32), 0
    for fmt in FORMATS:
        wanted = Definition.of(x, fmt)
        below = np.floor(wanted.ratio)
        rounded = below + (wanted.ratio - below >= uniform)
        ours = encode.encode_integer(x, fmt, "stochastic", uniform).mantissa
        theirs = np.minimum(rounded, fmt.largest_mantissa).astype(np.uint8)
        found += assert_equal(ours, theirs, bits)
    return found


def dequantize(chunk: int) -> int:
    """Every code of an element: two shared exponents of 256."""
    found = 0
    for fmt in (*FORMATS, "mixed"):
        mantissas = np.arange(128 if fmt == "mixed" else 2**fmt.mantissa_bits, dtype=np.int64)
        exponent, micro, sign, mantissa = (
            each.reshape(-1)
            for each in np.meshgrid(
                np.array([2 * chunk, 2 * chunk + 1]), (0, 1), (0, 1), np.resize(mantissas, 128)
            )
        )
        wide = mantissa >= 16 if fmt == "mixed" else np.full(len(mantissa), fmt == MX9)
        point = np.where(wide, 6, 3) if fmt == "mixed" else fmt.mantissa_bits - 1
        tensor = MXTensor(
            fmt, (len(mantissa), 16), 1, exponent[:, None].astype(np.uint8),
            np.repeat(micro[:, None, None], 8, 2).astype(np.uint8),
            np.repeat(mantissa[:, None, None], 16, 2).astype(np.uint8),
            np.repeat(sign[:, None, None], 16, 2).astype(np.uint8), wide[:, None])  # fmt: skip
        ours = tensor.dequantize().view(np.uint32)
        value = np.ldexp(mantissa * (1.0 - 2.0 * sign), exponent - 127 - micro - point)
        value = np.where(mantissa == 0, np.where(sign, -0.0, 0.0), value)
        theirs = np.where(
            exponent == 255,
            np.uint32(0x7FC00000),
            np.where(exponent == 255, 0, value).astype(np.float32).view(np.uint32),
        )
        found += assert_equal(ours, np.repeat(theirs[:, None], 16, 1), exponent[:, None],
                              mantissa[:, None])  # fmt: skip
    return found


def halves(chunk: int) -> int:
    """Every mantissa as H and L: 8 H + L, in both precisions."""
    del chunk
    codes = np.arange(128, dtype=np.uint8).reshape(-1, 16)
    found = 0
    for is_mx9 in (True, False):
        given = codes if is_mx9 else codes[:1]
        base, low = residual.split(given, is_mx9)
        value = base.astype(np.int64) * (8 if is_mx9 else 1) + low
        if base.max() > 15 or low.max() > (7 if is_mx9 else 0):
            raise AssertionError("a part is too wide")
        assert_equal(value, given.astype(np.int64))
        found += assert_equal(residual.join(base, low, is_mx9), given)
    return found


SWEEPS = (
    Sweep("elements of blocks", ("encode.encode", "encode.encode_integer"),
          "the definition in float64, where every quotient is exact",
          "all significands, t = 0 and 1, zero to ten binades below five shared exponents, every "
          "format and rounding", PARTS * len(PLACES), elements),
    Sweep("exponents of blocks", ("encode.encode", "encode.encode_integer"),
          "the definition in float64",
          "every exponent up to every shared one, nine significands, t = 0 and 1, every format and "
          "rounding", 254, exponents),
    Sweep("blocks of four numbers",
          ("encode.encode", "encode.encode_integer", "mx.quantize", "mx.saturated_count"),
          "the definition in float64",
          "all quadruples of 34 patterns (NaN, infinity, zeros, subnormals, ties, the largest), at "
          "four shared exponents", len(STARTS), lambda chunk: compare(letters(chunk))),
    Sweep("stochastic rounding", ("encode.encode_integer",), "floor, and the fraction in float64",
          "random blocks and draws", 50, stochastic),
    Sweep("decoding", ("mx.MXTensor.dequantize", "encode.decode"),
          "sign, mantissa and power of two in float64",
          "every exponent, microexponent, mantissa and sign, every format", 128, dequantize),
    Sweep("H and L", ("residual.split", "residual.join"), "8 H + L", "all mantissas", 1, halves),
)  # fmt: skip
