"""Rounding to MX values in few passes, without making codes.

All values of a pair are multiples of one step, 2**(E - t - (m - 1)), up to 2**m - 1 steps. Adding
an even number of steps between 2**23 and 2**24 to a number, and subtracting them again, rounds it
to a multiple, half to even, because FP32 addition does. As long as the sum stays between them too,
which it does for (2**m - 1) * 2**(24 - m) steps: 2**(24 - m) times the largest value. 2**(E - t) is
made of the bits of the numbers, two of them at once in an integer of 64 bits.
"""

from collections.abc import Sequence

import torch

from golden.formats import BLOCK_SIZE, PAIRS, MXFormat

CHUNK_BLOCKS, _DEVICE_BLOCKS = 1 << 12, 1 << 20
"""Blocks per pass on a CPU, whose temporaries stay in the second-level cache, and elsewhere."""

_BOTH = 0x1_0000_0001
"""Times this, an integer of 32 bits stands in both halves of one of 64."""

_MAGNITUDE = 0x7FFFFFFF
_FIELD = 0xFF << 23
_BINADE = 1 << 23

_SMALLEST = 32 * _BINADE
_LARGEST = 231 * _BINADE
"""Biased shared exponents between which all sums, limits and steps are normal numbers of FP32, and
FP32's subnormals are far below half a step."""

_LIFT = 64
"""Blocks outside of that range are moved into it by so many binades, and back."""


def find_magnitudes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest magnitudes of pairs and of blocks as 31-bit FP32 patterns.

    Parameters
    ----------
    x : Tensor of float32, shape (..., 16), contiguous
        Subnormals count in full, NaN patterns are the largest.

    Returns
    -------
    pairs : Tensor of int64, shape (..., 8)
    blocks : Tensor of int64, shape (..., 1)
    """
    if x.storage_offset() % 2:  # two numbers could not be seen as one integer
        x = x.clone()
    words = x.view(torch.int64)
    pairs = torch.empty_like(words)
    blocks = torch.empty_like(words[..., :1])
    odd = words.new_empty(_chunk(words), PAIRS)
    for given, found, largest in _split(words, pairs, blocks):
        _find_pairs(given, found, odd)
        torch.amax(found, -1, keepdim=True, out=largest)
    return pairs, blocks


def find_block_magnitudes(x: torch.Tensor) -> torch.Tensor:
    """Return the second of what `find_magnitudes` does as int32, faster and in little memory."""
    words = x.view(torch.int32)
    blocks = torch.empty_like(words[..., :1])
    magnitudes = words.new_empty(_chunk(words), BLOCK_SIZE)
    for given, largest in _split(words, blocks):
        found = torch.bitwise_and(given, _MAGNITUDE, out=magnitudes[: len(given)])
        torch.amax(found, -1, keepdim=True, out=largest)
    return blocks


def _find_pairs(words: torch.Tensor, found: torch.Tensor, odd: torch.Tensor) -> None:
    """Write the largest magnitudes of pairs, each an integer of 64 bits."""
    torch.bitwise_and(words, _MAGNITUDE, out=found)
    shifted = torch.bitwise_right_shift(words, 32, out=odd[: len(words)])
    shifted &= _MAGNITUDE
    torch.maximum(found, shifted, out=found)


def round_blocks(
    x: torch.Tensor,
    magnitudes: tuple[torch.Tensor, torch.Tensor],
    ordinary: MXFormat,
    outlier: MXFormat | None = None,
    chosen: torch.Tensor | None = None,
) -> torch.Tensor:
    """Round blocks to the nearest values of their formats, saturated as `golden.quantize` does.

    Parameters
    ----------
    x : Tensor of float32, shape (..., 16), contiguous
    magnitudes : (Tensor, Tensor)
        What `find_magnitudes` said. Their memory becomes that of the result.
    ordinary, outlier : MXFormat
        Of the blocks that are not chosen, and of those that are.
    chosen : Tensor of bool, shape (...), optional

    Returns
    -------
    Tensor of float32, same shape
        No value is -0. A block with an infinity or a NaN gives NaNs. FP32 subnormals count as
        zeros.
    """
    pairs, shared = magnitudes
    shared &= _FIELD
    scratch = x.new_empty(2, _chunk(x), BLOCK_SIZE)
    mixed = _mixed_factors(ordinary, outlier, chosen)
    for given, top, largest, *factors in _split(x, pairs, shared, *mixed):
        _round(given, top, largest, factors or _factors(ordinary), scratch[:, : len(given)])
    return pairs.view(torch.float32)


def round_in_place(
    x: torch.Tensor,
    ordinary: MXFormat,
    outlier: MXFormat | None = None,
    chosen: torch.Tensor | None = None,
) -> torch.Tensor:
    """Do what `round_blocks` does in the memory of `x`, and with little more."""
    if x.storage_offset() % 2:  # two numbers could not be seen as one integer
        x = x.clone()
    words = x.view(torch.int64)
    scratch = x.new_empty(2, _chunk(x), BLOCK_SIZE)
    pairs, odd = words.new_empty(2, _chunk(x), PAIRS)
    shared = pairs.new_empty(len(pairs), 1)
    for given, bits, *factors in _split(x, words, *_mixed_factors(ordinary, outlier, chosen)):
        count = len(given)
        top, largest = pairs[:count], shared[:count]
        _find_pairs(bits, top, odd)
        torch.amax(top, -1, keepdim=True, out=largest)
        largest &= _FIELD
        _round(given, top, largest, factors or _factors(ordinary), scratch[:, :count])
        given.copy_(top.view(torch.float32))
    return x


def _mixed_factors(
    ordinary: MXFormat, outlier: MXFormat | None, chosen: torch.Tensor | None
) -> list[torch.Tensor]:
    """Return the `_factors` of each block, shape (..., 1); nothing where all have one format."""
    if chosen is None:
        return []
    tags = chosen.unsqueeze(-1)
    choices = zip(_factors(outlier), _factors(ordinary), strict=True)
    return [torch.where(tags, *choice) for choice in choices]


def _factors(fmt: MXFormat) -> tuple[float, float]:
    """Return what is added over 2**(E - t), and the largest value over what is added."""
    m = fmt.mantissa_bits
    return fmt.largest_mantissa * 2.0 ** (25 - 2 * m), 2.0 ** (m - 24)


def _round(
    x: torch.Tensor,
    pairs: torch.Tensor,
    shared: torch.Tensor,
    factors: Sequence[float | torch.Tensor],
    scratch: torch.Tensor,
) -> None:
    """Round blocks (n, 16) into the memory of `pairs`. Those out of the safe range make it slower.

    Whether there are any is asked on a CPU only; elsewhere the answer would have to be waited for.
    """
    if _can_ask(x) and _is_safe(shared):
        _round_safe(x, pairs, shared, factors, scratch)
        return
    lift = torch.where(shared > _LARGEST, 2.0**-_LIFT, 1.0)
    lift = torch.where(shared < _SMALLEST, 2.0**_LIFT, lift)
    lift = torch.where(shared == _FIELD, torch.nan, lift)
    is_subnormal = (x.view(torch.int32) & _FIELD) == 0
    lifted = x.masked_fill(is_subnormal, 0.0) * lift
    tops, largest = find_magnitudes(lifted)
    _round_safe(lifted, tops, largest.bitwise_and_(_FIELD), factors, scratch)
    torch.mul(tops.view(torch.float32), 1 / lift, out=pairs.view(torch.float32))


def _is_safe(shared: torch.Tensor) -> bool:
    smallest, largest = (int(bound) for bound in shared.aminmax())
    if largest > _LARGEST:
        return False
    # A block with no exponent above 0 is rounded to zero, as it should be.
    return smallest >= _SMALLEST or not bool(((shared > 0) & (shared < _SMALLEST)).any())


def _round_safe(
    x: torch.Tensor,
    pairs: torch.Tensor,
    shared: torch.Tensor,
    factors: Sequence[float | torch.Tensor],
    scratch: torch.Tensor,
) -> None:
    """Round blocks whose exponents are safe or 0 into the memory of `pairs`."""
    # t is 1 where a pair has no number in the block's binade.
    torch.maximum(pairs, (shared - _BINADE).clamp_(min=_SMALLEST - _BINADE), out=pairs)
    pairs &= _FIELD
    pairs *= _BOTH
    anchor = pairs.view(torch.float32)
    anchor *= factors[0]
    rounded, smallest = scratch
    torch.add(x, anchor, out=rounded)
    rounded -= anchor
    anchor *= factors[1]
    torch.neg(anchor, out=smallest)
    torch.clamp(rounded, smallest, anchor, out=anchor)


def _can_ask(x: torch.Tensor) -> bool:
    return x.device.type == "cpu"


def _chunk(blocks: torch.Tensor) -> int:
    """Return how many blocks (..., n) are handled in one pass."""
    limit = CHUNK_BLOCKS if _can_ask(blocks) else _DEVICE_BLOCKS
    return max(1, min(blocks[..., 0].numel(), limit))


def _split(*tensors: torch.Tensor) -> "zip[tuple[torch.Tensor, ...]]":
    """Yield chunks of tensors (..., n) with as many blocks each, as matrices (blocks, n)."""
    count = _chunk(tensors[0])
    parts = (each.reshape(-1, each.shape[-1]).split(count) for each in tensors)
    return zip(*parts, strict=True)
