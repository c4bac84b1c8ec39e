"""What all handles of operands in memory have in common."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from golden.arguments import whole

from .store import Block, Store

MOST_BATCHES = 2
"""Batch levels of a command."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Handle:
    """Something that lies in memory.

    Attributes
    ----------
    store : Store
        The memory.
    block : Block
        Where it was handed out; several handles may lie in one.
    address : int
        Of its first byte.
    shape : tuple of int
        As NumPy would have it.
    """

    store: Store = field(repr=False)
    block: Block = field(repr=False)
    address: int
    shape: tuple[int, ...]

    def check_live(self, name: str = "it") -> None:
        """Refuse a handle whose memory was freed.

        Raises
        ------
        ValueError
        """
        if not self.block.is_live:
            raise ValueError(f"{name}, at {self.address:#x}, was freed: place it again")


@dataclass(frozen=True, eq=False, kw_only=True)
class Batched(Handle):
    """Operands of one form, up to two batch dimensions of them, in front of their own.

    Attributes
    ----------
    steps : tuple of int
        Bytes from one to the next, for each batch dimension.
    """

    steps: tuple[int, ...] = ()

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch dimensions."""
        return self.shape[: len(self.steps)]

    @property
    def walks(self) -> tuple[tuple[int, int], ...]:
        """Count and distance for each batch dimension."""
        return tuple(zip(self.batch, self.steps, strict=True))

    def __getitem__(self, index: int) -> Self:
        """Return what lies at an index of the first batch dimension, in place."""
        if not self.batch:
            raise TypeError("without batch dimensions there is no index: of a matrix take rows or "
                            "columns")
        index, count = whole(index, "the index"), self.batch[0]
        if not -count <= index < count:
            raise IndexError(f"index {index} is not among {count} batches")
        return replace(self, address=self.address + index % count * self.steps[0],
                       shape=self.shape[1:], steps=self.steps[1:])

    def places(self) -> list[int]:
        """List the addresses of all batches, the last dimension fastest."""
        return [self.address + sum(at * step for at, step in zip(index, self.steps, strict=True))
                for index in np.ndindex(*self.batch)]


def check_batch(batch: tuple[int, ...]) -> None:
    """Refuse more batch dimensions than commands have, and empty ones.

    Raises
    ------
    ValueError
    """
    if len(batch) > MOST_BATCHES:
        raise ValueError(f"there may be {MOST_BATCHES} batch dimensions in front of a matrix, not "
                         f"{len(batch)} as in {batch}: reshape it")
    if 0 in batch:
        raise ValueError(f"no batch dimension may be empty, as in {batch}")


def dense_steps(batch: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Return the steps of batches of some bytes that lie end to end."""
    return tuple(int(np.prod(batch[level + 1:], dtype=np.int64)) * size
                 for level in range(len(batch)))
