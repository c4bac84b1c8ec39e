"""Room for tiles, known when they are given back."""

from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.schedule.latencies import RELEASED


class TileRoom:
    """As `perf.rtl.schedule.rooms.Room`, whose tiles may still have to be given back.

    Parameters
    ----------
    depth : int
        Blocks.
    slots : int
        Tiles.

    Attributes
    ----------
    released : list of int
        When each tile was given back.
    """

    def __init__(self, depth: int, slots: int):
        self._blocks, self._slots = depth, slots
        self._sizes: list[int] = []
        self._given_back = self._since = 0
        self.released: Cycles = []

    def reserve(self, blocks: int) -> Process[int]:
        """Reserve room for a tile; return the first cycle in which there is that much."""
        while self._blocks < blocks or self._slots == 0:
            if len(self.released) <= self._given_back:
                yield self.released, self._given_back
            self._since = self.released[self._given_back] + RELEASED
            self._blocks += self._sizes[self._given_back]
            self._slots += 1
            self._given_back += 1
        self._blocks -= blocks
        self._slots -= 1
        self._sizes.append(blocks)
        return self._since
