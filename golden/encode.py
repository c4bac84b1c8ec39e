"""The arithmetic of quantization on arrays of blocks: as the definition in integers, and fast."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.floats import QUIET_NAN
from golden.formats import BLOCK_SIZE, PAIRS, MXFormat

ROUNDINGS = ("half_even", "truncate", "stochastic")
NAN_EXPONENT = 255
"""Biased shared exponent of a NaN block."""

_CHUNK_BLOCKS = 4096
"""Blocks per pass; their temporaries (256 KiB each) stay in the second-level cache."""

_SAFE_EXPONENT = 15
"""Smallest biased shared exponent for which `_encode_chunk` is exact; see there."""


@dataclass(frozen=True)
class Codes:
    """Codes of n blocks: shapes (n,), (n, 8), (n, 16) and (n, 16), all uint8."""

    exponent: NDArray[np.uint8]
    microexponent: NDArray[np.uint8]
    mantissa: NDArray[np.uint8]
    sign: NDArray[np.uint8]


def encode_integer(
    x: NDArray[np.float32],
    fmt: MXFormat,
    rounding: str = "half_even",
    uniform: NDArray[np.float32] | None = None,
) -> Codes:
    """Encode blocks by integer arithmetic on their bit patterns. Any input; the definition.

    Parameters
    ----------
    x : ndarray of float32, shape (n, 16)
    fmt : MXFormat
    rounding : {"half_even", "truncate", "stochastic"}
    uniform : ndarray of float32, shape (n, 16), optional
        For stochastic rounding, in (0, 1]: an element rounds up where its dropped fraction reaches
        this number.
    """
    bits = np.ascontiguousarray(x).view(np.uint32)
    sign = (bits >> 31).astype(np.uint8)
    exponent = ((bits >> 23) & 0xFF).astype(np.int32)
    significand = np.where(exponent == 0, 0, (bits & 0x7FFFFF) | 0x800000).astype(np.int64)
    shared = exponent.max(axis=1)
    nan = shared == NAN_EXPONENT
    micro = exponent.reshape(-1, PAIRS, 2).max(axis=2) < shared[:, None]
    top = shared[:, None] - np.repeat(micro, 2, axis=1)  # exponent of the step times 2**(m-1)
    # |x| / step = significand * 2**(exponent - 23) / 2**(top - (m - 1)); beyond 26 places nothing
    # is left.
    places = top - exponent + 24 - fmt.mantissa_bits
    shift = np.minimum(places, 26)
    mantissa = significand >> shift
    dropped = significand - (mantissa << shift)
    if rounding == "half_even":
        half = np.int64(1) << (shift - 1)
        mantissa += (dropped > half) | ((dropped == half) & (mantissa & 1 == 1))
    elif rounding == "stochastic":
        mantissa += np.ldexp(dropped.astype(np.float64), -places) >= uniform
    mantissa = np.minimum(mantissa, fmt.largest_mantissa)
    micro &= ~nan[:, None]
    mantissa[nan] = 0
    sign[nan] = 0
    return Codes(shared.astype(np.uint8), micro.astype(np.uint8), mantissa.astype(np.uint8), sign)


def encode(
    x: NDArray[np.float32], fmt: MXFormat, rounding: str, rng: np.random.Generator | None
) -> Codes:
    """Encode lines of blocks as `encode_integer` does, to the bit, in fewer and faster passes.

    Parameters
    ----------
    x : ndarray of float32, shape (lines, length)
        Of any strides. Lines are padded with zeros to whole blocks, a few blocks at a time.
    fmt : MXFormat
    rounding : {"half_even", "truncate", "stochastic"}
    rng : numpy.random.Generator or None
        Draws for stochastic rounding, one FP32 number per element, in order; else None.
    """
    blocks = -(-x.shape[1] // BLOCK_SIZE)
    n = len(x) * blocks
    codes = Codes(
        np.empty(n, np.uint8),
        np.empty((n, PAIRS), np.uint8),
        np.empty((n, BLOCK_SIZE), np.uint8),
        np.empty((n, BLOCK_SIZE), np.uint8),
    )
    chunk = _Chunk(min(n, _CHUNK_BLOCKS))
    with np.errstate(all="ignore"):
        for part, given in _padded(x, blocks):
            out = Codes(
                codes.exponent[part],
                codes.microexponent[part],
                codes.mantissa[part],
                codes.sign[part],
            )
            if rng is None:
                chunk.encode(given, fmt, rounding, out)
            else:
                uniform = rng.random(given.shape, dtype=np.float32) + np.float32(2**-24)
                _store(encode_integer(given, fmt, rounding, uniform), out)
    return codes


def _store(codes: Codes, out: Codes, where: slice | NDArray[np.intp] = slice(None)) -> None:
    out.exponent[where] = codes.exponent
    out.microexponent[where] = codes.microexponent
    out.mantissa[where] = codes.mantissa
    out.sign[where] = codes.sign


def decode(codes: Codes, point: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return the FP32 patterns of blocks.

    Parameters
    ----------
    codes : Codes
        Of n blocks.
    point : ndarray of int32, shape () or (n, 1)
        Bits behind the point of the mantissas: m - 1.

    Returns
    -------
    ndarray of uint32, shape (n, 16)
        No subnormal is multiplied, so they are right where the processor would flush them.
    """
    top = codes.exponent[:, None].astype(np.int32) - codes.microexponent - point
    step = (np.maximum(top, 1) << 23).view(np.float32)
    values = np.empty(codes.mantissa.shape, np.float32)
    with np.errstate(all="ignore"):  # of NaN blocks with mantissas, which a file may hold
        for place in (0, 1):
            np.multiply(codes.mantissa[:, place::2], step, out=values[:, place::2])
    bits = values.view(np.uint32)
    low = np.flatnonzero((top < 1).any(axis=1))
    if low.size:
        # In units of 2**-149, of which FP32 has every one below 2**24 as its own pattern.
        places = np.repeat(top[low] + 22, 2, axis=1)
        units = codes.mantissa[low].astype(np.int64) << places
        normal = units.astype(np.float32).view(np.uint32) - np.uint32(149 << 23)
        bits[low] = np.where(units < 1 << 24, units, normal)
    bits |= codes.sign.astype(np.uint32) << 31
    bits[codes.exponent == NAN_EXPONENT] = QUIET_NAN
    return bits


def spans(
    lines: int, blocks: int, most: int = _CHUNK_BLOCKS
) -> Iterator[tuple[slice, slice, slice]]:
    """Cut lines of blocks into chunks of at most so many blocks, in order.

    Yields
    ------
    lines, blocks, numbers : slice
        The chunk's lines, the blocks it has of each, and their numbers among all blocks.
    """
    if not blocks:
        return
    together = max(1, most // blocks)
    for first in range(0, lines, together):
        last = min(first + together, lines)
        for start in range(0, blocks, most):
            stop = min(start + most, blocks)
            numbers = slice(first * blocks + start, (last - 1) * blocks + stop)
            yield slice(first, last), slice(start, stop), numbers


def _padded(x: NDArray[np.float32], blocks: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    for lines, part, numbers in spans(len(x), blocks):
        given = x[lines, part.start * BLOCK_SIZE : part.stop * BLOCK_SIZE]
        width = (part.stop - part.start) * BLOCK_SIZE
        if given.shape[1] < width:
            padded = np.zeros((len(given), width), np.float32)
            padded[:, : given.shape[1]] = given
            given = padded
        yield numbers, np.ascontiguousarray(given).reshape(-1, BLOCK_SIZE)


class _Chunk:
    """Scratch memory for encoding a few thousand blocks at a time, and the passes over it.

    Divides by the step with an FP32 multiplication by its reciprocal. With a biased shared exponent
    from 15 to 254 the reciprocal is a normal FP32 power of two, so the product is exact, unless it
    is below FP32's normals, and then it is far below one half and its mantissa is zero in any case.
    An FP32 subnormal comes out as zero for the same reason, as it should. Adding 1.5 * 2**23 then
    rounds half to even, as FP32 addition does, and leaves the signed mantissa in the low byte.
    Other blocks go to `encode_integer`.
    """

    def __init__(self, blocks: int) -> None:
        elements = blocks * BLOCK_SIZE
        self._word = np.empty(elements, np.uint32)
        self._scale = np.empty(elements, np.uint32)
        self._byte = np.empty(elements, np.uint8)
        self._low = np.empty(elements // 2, np.uint16)
        self._high = np.empty(elements // 2, np.uint16)
        self._maxima = np.empty(elements // 2, np.uint8)

    def _largest_of_pairs(
        self, values: NDArray[np.uint8], out: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        pairs = values.view(np.uint16)
        low, high = self._low[: len(pairs)], self._high[: len(pairs)]
        np.bitwise_and(pairs, 0xFF, out=low)
        np.right_shift(pairs, 8, out=high)
        np.maximum(low, high, out=low)
        np.copyto(out, low, casting="unsafe")
        return out

    def encode(
        self,
        x: NDArray[np.float32],
        fmt: MXFormat,
        rounding: str,
        out: Codes,
    ) -> None:
        bits = x.view(np.uint32).reshape(-1)
        size = len(bits)
        word, scale, byte = self._word[:size], self._scale[:size], self._byte[:size]

        np.less(bits.view(np.int32), 0, out=out.sign.reshape(-1).view(np.bool_))
        np.right_shift(bits, 23, out=word)
        np.copyto(byte, word, casting="unsafe")  # the exponent field; the sign falls off
        pair_max = self._largest_of_pairs(byte, self._maxima[: size // 2])
        four_max = self._largest_of_pairs(pair_max, np.empty(size // 4, np.uint8))
        eight_max = self._largest_of_pairs(four_max, np.empty(size // 8, np.uint8))
        shared = self._largest_of_pairs(eight_max, out.exponent)

        # The same byte in all 8 pairs of a block, in one 64-bit multiplication.
        spread = (shared.astype(np.uint64) * np.uint64(0x0101010101010101)).view(np.uint8)
        micro = out.microexponent.reshape(-1)
        np.less(pair_max, spread, out=micro.view(np.bool_))

        # 1 / step = 2**(m - 1 + t - E), whose biased exponent is 127 + m - 1 + t - (E_biased -
        # 127).
        np.subtract(np.uint8((253 + fmt.mantissa_bits) & 0xFF), spread, out=spread)
        spread += micro
        np.multiply(spread, np.uint16(0x0101), out=self._low[: size // 2], dtype=np.uint16)
        np.copyto(scale, self._low[: size // 2].view(np.uint8))
        np.left_shift(scale, 23, out=scale)

        ratio = scale.view(np.float32)
        np.multiply(bits.view(np.float32), ratio, out=ratio)
        if rounding == "truncate":
            np.trunc(ratio, out=ratio)
        np.add(ratio, np.float32(1.5 * 2**23), out=ratio)
        mantissa = out.mantissa.reshape(-1)
        np.copyto(mantissa, scale, casting="unsafe")
        np.absolute(mantissa.view(np.int8), out=mantissa.view(np.int8))
        np.minimum(mantissa, fmt.largest_mantissa, out=mantissa)

        # Wraps around: true for 0 to 14 and for 255.
        special = np.flatnonzero((shared + np.uint8(1)) <= _SAFE_EXPONENT)
        if special.size:
            _store(encode_integer(x[special], fmt, rounding), out, special)
