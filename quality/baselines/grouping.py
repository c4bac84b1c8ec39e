"""Numbers along K in groups of one size, whatever K is."""

import torch
from torch import Tensor
from torch.nn import functional


def to_groups(x: Tensor, size: int) -> Tensor:
    """Return `x`, (..., K), as float32 groups, (..., groups, size); the last is filled with zeros.

    Raises
    ------
    TypeError
        If `x` is no floating-point tensor.
    """
    if not x.is_floating_point():
        raise TypeError(f"floating-point numbers are quantized, not {x.dtype}: convert them first")
    padded = functional.pad(x.float(), (0, -x.shape[-1] % size))
    return padded.unflatten(-1, (-1, size)) if padded.numel() else padded.unsqueeze(-1)


def from_groups(groups: Tensor, shape: torch.Size) -> Tensor:
    """Return the numbers of `to_groups` in their own shape."""
    return groups.flatten(-2)[..., : shape[-1]].reshape(shape)
