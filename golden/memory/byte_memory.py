"""A memory of bytes behind a bus, with holes in it that answer with errors."""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.arguments import whole

CANARY = 0xA5
"""What memory holds before anything is written."""


class BusError(Exception):
    """An access that was answered with an error.

    Attributes
    ----------
    address : int
        First byte that answered so.
    decodes : bool
        Something is at that address (SLVERR); otherwise nothing is (DECERR).
    """

    def __init__(self, address: int, decodes: bool) -> None:
        super().__init__(f"{'SLVERR' if decodes else 'DECERR'} at {address:#x}")
        self.address, self.decodes = address, decodes


class _Region(NamedTuple):
    base: int
    data: NDArray[np.uint8]


class Memory:
    """Bytes at the addresses of some regions; all others answer DECERR.

    Attributes
    ----------
    broken : list of (int, int)
        First address and number of bytes of what answers SLVERR.
    """

    def __init__(self) -> None:
        self._regions: list[_Region] = []
        self.broken: list[tuple[int, int]] = []

    def add(self, base: int, size: int, fill: int = CANARY) -> NDArray[np.uint8]:
        """Add a region and return its bytes, shape (size,), as an array to look at and change.

        Raises
        ------
        TypeError, ValueError
            If a number is none that it can be, or it overlaps another.
        """
        base, size = whole(base, "base", least=0), whole(size, "size", least=1)
        if whole(fill, "fill", least=0) > 0xFF:
            raise ValueError(f"fill is a byte, from 0 to 255, not {fill}")
        for other in self._regions:
            if base < other.base + len(other.data) and other.base < base + size:
                raise ValueError(f"{size} bytes at {base:#x} overlap the region at "
                                 f"{other.base:#x}")
        region = _Region(base, np.full(size, fill, np.uint8))
        self._regions.append(region)
        self._regions.sort(key=lambda each: each.base)
        return region.data

    @property
    def regions(self) -> list[tuple[int, NDArray[np.uint8]]]:
        """Base and bytes of each region, by rising base."""
        return [(region.base, region.data) for region in self._regions]

    def read(self, address: int, size: int) -> bytes:
        """Read some bytes.

        Raises
        ------
        BusError
            If one of them cannot be read.
        TypeError, ValueError
            If an address or a size is no whole number, or there are less than no bytes.
        """
        address, size = whole(address, "address"), whole(size, "size", least=0)
        return b"".join(part.tobytes() for part in self._parts(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Write the bytes of a buffer; all or none.

        Raises
        ------
        BusError
            If one of them cannot be written.
        TypeError, ValueError
            If an address is no whole number, or the buffer none whose bytes stand side by side.
        """
        rest = np.frombuffer(data, np.uint8)
        for part in self._parts(whole(address, "address"), rest.size):
            part[:], rest = rest[: len(part)], rest[len(part) :]

    def _parts(self, address: int, size: int) -> list[NDArray[np.uint8]]:
        """Return the bytes at some addresses, as parts of the regions that have them."""
        for first, count in self.broken:
            if address < first + count and first < address + size:
                raise BusError(max(first, address), decodes=True)
        parts, end = [], address + size
        while address < end:
            index = bisect_right(self._regions, address, key=lambda each: each.base) - 1
            region = self._regions[index] if index >= 0 else None
            if region is None or address >= region.base + len(region.data):
                raise BusError(address, decodes=False)
            part = region.data[address - region.base : end - region.base]
            parts.append(part)
            address += len(part)
        return parts
