"""Which blocks are outliers, decided on the tensor's device; twin of `golden.policy`."""

import numpy as np
import torch

from golden.formats import BLOCK_SIZE
from golden.policy import Policy, select_units

_MAGNITUDE_MASK = 0x7FFFFFFF
_INDEX_BITS = 32


def outlier_blocks(magnitude: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Return for every 16-block whether it is MX9; twin of `golden.policy.outlier_blocks`.

    Parameters
    ----------
    magnitude : Tensor of int, shape (..., rows, K-blocks) or (K-blocks,)
        Largest magnitudes of the blocks as 31-bit FP32 patterns, channels in the policy's order.
    policy : Policy

    Returns
    -------
    Tensor of bool, same shape
        On the same device. No number is sent to the host for it.
    """
    lead = magnitude.shape
    magnitude = torch.atleast_2d(magnitude)
    units = select(_gather(magnitude, policy), policy)
    if policy.granularity == "head":
        return units[..., None, None].expand(lead)
    if policy.granularity == "channel_block":
        rows = magnitude.shape[-2]
        units = units.repeat_interleave(_tile(policy, rows), -2)[..., :rows, :]
    return units.reshape(lead)


def block_magnitudes(x: torch.Tensor) -> torch.Tensor:
    """Return the largest magnitude of every block as a 31-bit FP32 pattern.

    Parameters
    ----------
    x : Tensor, shape (..., K)
        float32, float16 or bfloat16. Subnormals count in full, NaN patterns are the largest.

    Returns
    -------
    Tensor of int32, shape (..., K-blocks)
    """
    blocks = to_blocks(x.detach(), -1)
    if x.dtype == torch.float32:
        return (blocks.view(torch.int32) & _MAGNITUDE_MASK).amax(-1)
    largest = (blocks.view(torch.int16) & (_MAGNITUDE_MASK >> 16)).amax(-1)
    if x.dtype == torch.bfloat16:
        return largest.int() << 16
    # A conversion to FP32 may quiet a NaN, which would change its rank.
    nan = (largest.int() << 13) | 0x7F800000
    return torch.where(largest > 0x7C00, nan, largest.view(torch.float16).float().view(torch.int32))


def select(magnitude: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Choose the outlier units among all units of a tensor; twin of `golden.policy.select_units`.

    Parameters
    ----------
    magnitude : Tensor of int32
        31-bit patterns, shaped as `golden.units.unit_magnitudes` says.
    policy : Policy

    Returns
    -------
    Tensor of bool, same shape
    """
    if policy.selection == "threshold":
        return magnitude > policy.threshold_pattern
    if policy.selection == "static":
        tags = select_units(np.empty(magnitude.shape, np.uint32), policy)  # only its shape is read
        return torch.from_numpy(tags).to(magnitude.device)
    if policy.scope == "tensor":
        return _top(magnitude.flatten(), policy).view(magnitude.shape)
    if policy.granularity == "channel_block":
        return _top(magnitude, policy)
    if magnitude.numel() == 0:
        return torch.zeros_like(magnitude, dtype=torch.bool)
    rows = magnitude.shape[-2]
    tile = _tile(policy, rows)
    whole = rows - rows % tile
    parts = magnitude[..., :whole, :].unflatten(-2, (-1, tile)), magnitude[..., whole:, :]
    chosen = [_top(part.flatten(-2), policy).view(part.shape) for part in parts if part.numel()]
    return torch.cat([chosen[0].flatten(-3, -2), *chosen[1:]], -2)


def _top(magnitude: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Mark the allowed number of largest units along the last axis, the lower index if equal."""
    units = magnitude.shape[-1]
    count = policy.count(units)
    if count == 0:
        return torch.zeros_like(magnitude, dtype=torch.bool)
    # No two keys are equal, so exactly `count` of them reach the last one taken.
    rank = torch.arange(units, device=magnitude.device)
    keys = (magnitude.long() << _INDEX_BITS) - rank
    return keys >= keys.topk(count, -1).values[..., -1:]


def _gather(magnitude: torch.Tensor, policy: Policy) -> torch.Tensor:
    """Reduce magnitudes of blocks to those of their units."""
    if policy.granularity == "block":
        return magnitude
    if policy.granularity == "head":
        if magnitude.dim() < 3:
            raise ValueError(
                "heads need a tensor (..., heads, tokens, channels), "
                f"not one of {magnitude.dim()} dimensions"
            )
        if magnitude.numel() == 0:
            return magnitude.new_zeros(magnitude.shape[:-2])
        return magnitude.amax((-2, -1))
    rows = magnitude.shape[-2]
    if magnitude.numel() == 0:
        return magnitude[..., : -(-rows // _tile(policy, rows)), :]
    tile = _tile(policy, rows)
    padded = torch.nn.functional.pad(magnitude, (0, 0, 0, -rows % tile))
    return padded.unflatten(-2, (-1, tile)).amax(-2)


def _tile(policy: Policy, rows: int) -> int:
    """Return the rows of a token tile, no more than there are."""
    return max(1, min(policy.tile_rows or rows, rows))


def to_blocks(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Move `axis` last, pad it with zeros to whole blocks and split it: shape (..., blocks, 16)."""
    moved = x.movedim(axis, -1)
    tail = -moved.shape[-1] % BLOCK_SIZE
    padded = torch.nn.functional.pad(moved, (0, tail)) if tail else moved
    return padded.contiguous().unflatten(-1, (padded.shape[-1] // BLOCK_SIZE, BLOCK_SIZE))
