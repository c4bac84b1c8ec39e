"""`hw.streams.stream_fifo` and `hw.streams.stream_buffer`, as recurrences over their payloads."""

from hw.streams.stream_fifo import StreamFIFO
from perf.rtl.bus_schedule.network import Cycles, Process
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

BUFFERED = 2
"""Payloads that a `StreamBuffer` holds."""


class Queue:
    """A `StreamFIFO`.

    Payload i is read from the memory in G[i] and leaves the memory's output in H[i]; behind that
    come a `StreamBuffer`'s two registers.

        G[i] = max(put[i] + 1, G[i-1] + 1, H[i-1])    H[i] = max(G[i] + 1, taken[i-2] + 1)

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
        self._read: Cycles = []

    def room(self) -> Process[int]:
        """Say from when on the next payload may be put."""
        wanted = len(self.put) - self._depth
        if wanted < 0:
            return NOT_YET
        while len(self._read) <= wanted:
            place = len(self._read)
            if place:
                left = NOT_YET
                if place > BUFFERED:
                    if len(self.taken) <= place - 1 - BUFFERED:
                        yield self.taken, place - 1 - BUFFERED
                    left = self.taken[place - 1 - BUFFERED]
                moved = max(self._read[-1] + 1, left + RELEASED)
                self._read.append(max(self.put[place] + 1, self._read[-1] + 1, moved))
            else:
                self._read.append(self.put[0] + 1)
        return self._read[wanted] + RELEASED

    def offered(self) -> Process[int]:
        """Say from when on the next payload may be taken."""
        place = len(self.taken)
        if len(self.put) <= place:
            yield self.put, place
        offered = self.put[place] + StreamFIFO.latency
        return max(offered, self.taken[-1] + 1) if place else offered


def buffer_room(taken: Cycles, place: int) -> Process[int]:
    """Say when a `StreamBuffer` has room for a payload, by when those before left it."""
    if place < BUFFERED:
        return NOT_YET
    if len(taken) <= place - BUFFERED:
        yield taken, place - BUFFERED
    return taken[place - BUFFERED] + RELEASED
