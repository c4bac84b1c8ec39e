"""Which bytes of memory an operand is made of, and whether two operands share one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """Pieces of some bytes each, at regular distances.

    Attributes
    ----------
    address : int
        Of the first piece.
    size : int
        Bytes of a piece.
    walks : tuple of (int, int)
        Count and distance in bytes, not negative, of each loop that leads from piece to piece.
    """

    address: int
    size: int
    walks: tuple[tuple[int, int], ...] = ()

    @property
    def end(self) -> int:
        """First address above the last piece."""
        return self.address + sum((count - 1) * step for count, step in self.walks) + self.size

    def touches(self, other: "Region") -> bool:
        """Tell whether a byte belongs to both."""
        if self.address >= other.end or other.address >= self.end:
            return False
        base = min(self.address, other.address)
        mine, theirs = self._starts(base), other._starts(base)
        nearest = np.searchsorted(theirs, mine - other.size, side="right")
        found = nearest < len(theirs)
        return bool(np.any(theirs[nearest[found]] < mine[found] + self.size))

    def _starts(self, base: int) -> NDArray[np.int64]:
        """Return where pieces begin, counted from a base, sorted."""
        starts = np.array([self.address - base], np.int64)
        for count, step in self.walks:
            starts = (starts[:, None] + np.arange(count, dtype=np.int64) * step).reshape(-1)
        return np.unique(starts)
