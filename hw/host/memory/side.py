"""What stands beside the matrices of a command: biases, channel orders, static tags, words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.arguments import whole
from golden.memory.layouts import BIAS_BYTES, ORDER_BYTES
from golden.memory.tables import order_of, tags_of

from .handle import Batched, Handle
from .regions import Region

COUNT_BYTES = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Biases(Batched):
    """Numbers in FP32 that are added to every row of results, shape (..., N)."""

    def region(self) -> Region:
        """Say which bytes it is made of."""
        return Region(self.address, self.shape[-1] * BIAS_BYTES, self.walks)

    def read(self) -> NDArray[np.float32]:
        """Read them.

        Raises
        ------
        ValueError
            If they were freed.
        """
        self.check_live("the bias")
        data = self.store.read_bytes(self.address, int(np.prod(self.shape)) * BIAS_BYTES)
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(self.shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class Order(Handle):
    """The channel that comes to each place, shape (K,)."""

    def region(self) -> Region:
        """Say which bytes it is made of."""
        return Region(self.address, self.shape[0] * ORDER_BYTES)

    def read(self) -> NDArray[np.int64]:
        """Read it; raises a ValueError if it was freed."""
        self.check_live("the order")
        return order_of(self.store.read_bytes(self.address, self.region().size))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tags(Handle):
    """Which K-blocks are MX9, in the new order, shape (K-blocks,)."""

    def region(self) -> Region:
        """Say which bytes it is made of."""
        return Region(self.address, -(-self.shape[0] // 8))

    def read(self) -> NDArray[np.bool_]:
        """Read them; raises a ValueError if they were freed."""
        self.check_live("the tags")
        return tags_of(self.store.read_bytes(self.address, self.region().size), self.shape[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Word(Handle):
    """A count of 32 bits that commands wait for, or write."""

    def region(self) -> Region:
        """Say which bytes it is made of."""
        return Region(self.address, COUNT_BYTES)

    def read(self) -> int:
        """Read it; raises a ValueError if it was freed."""
        self.check_live("the word")
        return int.from_bytes(self.store.read_bytes(self.address, COUNT_BYTES), "little")

    def write(self, value: int) -> None:
        """Write it, modulo 2^32; raises a TypeError or ValueError if it is none, or was freed."""
        self.check_live("the word")
        self.store.write_bytes(self.address, count_bytes(value))


def count_bytes(value: int) -> bytes:
    """Return a count as it lies in memory, modulo 2^32."""
    value = whole(value, "a count", least=0) % (1 << 8 * COUNT_BYTES)
    return value.to_bytes(COUNT_BYTES, "little")
