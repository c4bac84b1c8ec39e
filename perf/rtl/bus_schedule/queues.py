"""`hw.streams.memory_fifo` and `hw.streams.stream_buffer`, as recurrences over their payloads."""

from hw.streams.memory_fifo import MemoryFIFO
from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

BUFFERED = 2
"""Payloads that a `StreamBuffer` holds."""


class Queue:
    """A `MemoryFIFO`.

    Payload i is read from the memory in G[i], when the one before it is taken or later:

        G[i] = max(put[i] + 1, taken[i-1])

    Parameters
    ----------
    depth : int

    Attributes
    ----------
    put, taken : list of int
        When each payload went in, and out.
    """

    def __init__(self, depth: int):
        self._depth = depth
        self.put: Cycles = []
        self.taken: Cycles = []

    def room(self) -> Process[int]:
        """Say from when on the next payload may be put."""
        wanted = len(self.put) - self._depth  # has to be read before
        if wanted < 0:
            return NOT_YET
        read = self.put[wanted] + 1
        if wanted:
            if len(self.taken) < wanted:
                yield self.taken, wanted - 1
            read = max(read, self.taken[wanted - 1])
        return read + RELEASED

    def offered(self) -> Process[int]:
        """Say from when on the next payload may be taken."""
        place = len(self.taken)
        if len(self.put) <= place:
            yield self.put, place
        offered = self.put[place] + MemoryFIFO.latency
        return max(offered, self.taken[-1] + 1) if place else offered


def buffer_room(taken: Cycles, place: int) -> Process[int]:
    """Say when a `StreamBuffer` has room for a payload, by when those before left it."""
    if place < BUFFERED:
        return NOT_YET
    if len(taken) <= place - BUFFERED:
        yield taken, place - BUFFERED
    return taken[place - BUFFERED] + RELEASED
