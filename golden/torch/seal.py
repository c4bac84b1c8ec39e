"""Whether a tensor still holds the numbers that it held, however it was written to.

PyTorch counts the writes to a tensor, but not those through ``.data`` or NumPy. So the bits
themselves are summed up, each times a random number of its own: sums of as many integers that
differ are equal by chance once in 2**32 times.
"""

import torch
from torch import nn

_WIDTH = 1 << 12
"""Numbers in one sum."""

_SUMS = 1 << 4
"""Sums in one pass, whose integers stay in the second-level cache."""

_FACTORS = torch.randint(
    -(1 << 62), 1 << 62, (_WIDTH,), generator=torch.Generator().manual_seed(0), device="cpu"
)
_FACTORS = _FACTORS * 2 + 1  # odd, so that the change of one number alone is always seen


class Seal:
    """Remembers what a tensor of float32 holds.

    Parameters
    ----------
    tensor : Tensor of float32, any shape
        On any device; also after it has been moved to another.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._sums = _sums(tensor)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor holds the same bits."""
        return tensor.is_meta or torch.equal(_sums(tensor), self._sums)


@torch.no_grad()
def _sums(tensor: torch.Tensor) -> torch.Tensor:
    words = tensor.reshape(-1).view(torch.int32)
    if len(words) % _WIDTH or not len(words):
        words = nn.functional.pad(words, (0, _WIDTH - len(words) % _WIDTH))
    factors = _FACTORS.to(tensor.device)
    parts = words.view(-1, _WIDTH).split(_SUMS)
    sums = [(part.long() * factors).sum(-1) for part in parts]
    return (torch.cat(sums) if len(sums) > 1 else sums[0]).cpu()
