"""Calibration tables: what commands load into them, and leave there for later ones."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from golden.memory.layouts import ORDER_BYTES

NO_ORDER, NO_TAGS = np.zeros(0, np.int64), np.zeros(0, np.bool_)


@dataclass
class Table:
    """One table.

    Attributes
    ----------
    order : ndarray of int
        The channel that goes to each place; empty before one is loaded.
    tags : ndarray of bool
        Of each K-block, in the new order; likewise.
    """

    order: NDArray[np.int64] = field(default_factory=lambda: NO_ORDER)
    tags: NDArray[np.bool_] = field(default_factory=lambda: NO_TAGS)


def order_of(data: bytes) -> NDArray[np.int64]:
    """Read an order: entries of 16 bits, the channel for place 0 first."""
    return np.frombuffer(data, f"<u{ORDER_BYTES}").astype(np.int64)


def tags_of(data: bytes, blocks: int) -> NDArray[np.bool_]:
    """Read static tags: a bit for each K-block, the first in bit 0 of the first byte."""
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[:blocks].astype(bool)
