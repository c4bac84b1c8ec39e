"""A range of device memory, handed out in blocks."""

from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager

from golden.arguments import whole
from golden.memory.descriptor import ALIGNMENT

from .device import Device


class Block:
    """Bytes that were handed out.

    Attributes
    ----------
    address, size : int
        Multiples of 64.
    is_live : bool
        They have not been freed.
    is_kept : bool
        The ring needs them: they are not freed.
    """

    def __init__(self, address: int, size: int) -> None:
        self.address, self.size, self.is_live, self.is_kept = address, size, True, False

    def __lt__(self, other: "Block") -> bool:
        return self.address < other.address


class Store:
    """Hand out blocks of memory, and bring bytes into them and out of them.

    Parameters
    ----------
    device : Device
    address, size : int
        The range, multiples of 64; nobody else writes there.

    Raises
    ------
    ValueError
        If the range is none.
    """

    def __init__(self, device: Device, address: int, size: int) -> None:
        self.device = device
        self.address = whole(address, "address", least=0)
        self.size = whole(size, "size", least=ALIGNMENT)
        for name in ("address", "size"):
            if getattr(self, name) % ALIGNMENT:
                raise ValueError(f"a memory's {name} must be a multiple of {ALIGNMENT}, not "
                                 f"{getattr(self, name):#x}")
        self._blocks: list[Block] = []

    @property
    def free_bytes(self) -> int:
        """Bytes that are not handed out, in one piece or in several."""
        return self.size - sum(block.size for block in self._blocks)

    def allocate(self, size: int) -> Block:
        """Hand out bytes at the first place that has room, a multiple of 64.

        Raises
        ------
        MemoryError
            If no place has.
        """
        size = -(-max(size, 1) // ALIGNMENT) * ALIGNMENT
        gaps, last = [], self.address
        for block in [*self._blocks, Block(self.address + self.size, 0)]:
            if block.address - last >= size:
                found = Block(last, size)
                insort(self._blocks, found)
                return found
            gaps.append(block.address - last)
            last = block.address + block.size
        raise MemoryError(f"the memory has no room for {size} bytes: {self.free_bytes} of "
                          f"{self.size} are free, {max(gaps)} in one piece; free or reset what is "
                          "no longer needed")

    def check_release(self, block: Block) -> None:
        """Raise a ValueError if a block was freed before, is kept, or is none of this memory."""
        if not block.is_live:
            raise ValueError(f"what lay at {block.address:#x} was freed before")
        if block not in self._blocks:
            raise ValueError(f"what lies at {block.address:#x} is of another memory")
        if block.is_kept:
            raise ValueError(f"what lies at {block.address:#x} is the ring's")

    def release(self, block: Block) -> None:
        """Take a block back; raises as `check_release` does."""
        self.check_release(block)
        self._blocks.remove(block)
        block.is_live = False

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Free at its end what was handed out inside, and not freed."""
        before = set(self._blocks)
        try:
            yield
        finally:
            for block in [each for each in self._blocks if each not in before]:
                self.release(block)

    def read_bytes(self, address: int, size: int) -> bytes:
        """Read what the machine or the host wrote."""
        self.device.invalidate(address, size)
        return self.device.read_memory(address, size)

    def write_bytes(self, address: int, data: bytes) -> None:
        """Write for the machine."""
        self.device.write_memory(address, data)
        self.device.flush(address, len(data))
