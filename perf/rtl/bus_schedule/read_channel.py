"""One user of the bus's read side: `hw.memory.read_channel`, `hw.memory.burst_splitter`."""

from hw.contract.config import Config
from hw.streams.memory_fifo import MemoryFIFO
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

SPLIT = 1
"""A segment is taken; its first burst is offered in the next cycle."""


class ReadChannel:
    """Ask for the words of segments burst by burst, each when the queue has room for all of it.

    Parameters
    ----------
    config : Config
    depth : int
        Words of the queue.

    Attributes
    ----------
    depth : int
    offer : (int, int) or None
        From which cycle on a burst is offered to the port, and its words.
    granted, arrived, left : list of int
        When the port took each burst; when each word came, and left the queue.
    """

    def __init__(self, config: Config, depth: int):
        self._word, self._most, self.depth = config.bus_bytes, config.burst_beats, depth
        self._asked = 0
        self.offer: tuple[int, int] | None = None
        self.granted: Cycles = []
        self.arrived: Cycles = []
        self.left: Cycles = []

    @property
    def free(self) -> int:
        """When the last burst was taken: in the same cycle a segment may be."""
        return self.granted[-1] if self.granted else NOT_YET

    def ask(self, address: int, length: int, taken: int) -> Step:
        """Ask for the words of a segment that is taken in a cycle."""
        word, end = address // self._word, -(-(address + length) // self._word)
        offered = taken + SPLIT
        while word < end:
            beats = min(end - word, self._most - word % self._most)
            self.offer = max(offered, (yield from self._room(beats))), beats
            yield self.granted, len(self.granted)
            offered, word = self.granted[-1] + 1, word + beats

    def _room(self, beats: int) -> Process[int]:
        """Say when the queue has room for so many words that nobody has asked for yet."""
        self._asked += beats
        gone = self._asked - self.depth
        if gone <= 0:
            return NOT_YET
        if len(self.left) < gone:
            yield self.left, gone - 1
        return self.left[gone - 1] + RELEASED

    def word(self) -> Process[int]:
        """Say from when on the next word may be taken out of the queue."""
        place = len(self.left)
        if len(self.arrived) <= place:
            yield self.arrived, place
        offered = self.arrived[place] + MemoryFIFO.latency
        return max(offered, self.left[-1] + 1) if place else offered
