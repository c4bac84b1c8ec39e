"""The bus's read side, shared by channels: `hw.memory.read_port`, and the memory's words."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from hw.contract.config import Config
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

OFFERED = 1
"""A burst is taken; its address is offered to the bus in the next cycle."""


class Burst(NamedTuple):
    """A burst that the memory has taken.

    Attributes
    ----------
    due : int
        From when on its first word may come.
    asked : int
        When the memory took its address.
    beats : int
    """

    due: int
    asked: int
    beats: int


class ReadPort:
    """Take the channels' bursts in turn, and bring their words.

    Parameters
    ----------
    config : Config
    latencies : Latencies
    channels : sequence of ReadChannel

    Attributes
    ----------
    next_asked : int or None
        When the memory takes the address of the burst that was taken last, if it has not.
    bursts, words, owed, stalls : int
        That were asked for; that came; the cycles that each burst was owed, summed, and those for
        which its address was offered and not taken.
    """

    def __init__(self, config: Config, latencies: Latencies, channels: Sequence[ReadChannel]):
        self._outstanding, self._latency = config.outstanding, latencies.read
        self._addresses, self._words = (latencies.pauses(name) for name in ("ar", "r"))
        self._channels = channels
        self._unanswered: list[deque[Burst]] = [deque() for _ in channels]
        self._turn = 0
        self._taken = self._asked = self._came = NOT_YET  # the last burst, address, word
        self._beats = 0  # of that burst
        self._answered: list[int] = []  # when the last word of each burst came
        self.next_asked: int | None = None
        self.bursts = self.words = self.owed = self.stalls = 0

    @property
    def next_taken(self) -> int | None:
        """When the next burst can be taken, if one is asked for."""
        offers = [each.offer[0] for each in self._channels if each.offer]
        if not offers:
            return None
        if self.next_asked is not None:
            return None
        cycle = max(self._taken + 1, self._asked, min(offers))
        before = self.bursts - self._outstanding
        if before >= 0:
            if len(self._answered) <= before:
                return None
            cycle = max(cycle, self._answered[before] + RELEASED)
        return cycle

    def take(self, cycle: int) -> None:
        """Take the next burst, and offer its address to the memory."""
        asking = [number for number, each in enumerate(self._channels)
                  if each.offer and each.offer[0] <= cycle]
        self._turn = min(asking, key=lambda number: (number <= self._turn, number))
        channel = self._channels[self._turn]
        _, self._beats = channel.offer
        channel.offer = None
        channel.granted.append(cycle)
        self._taken = cycle
        self.next_asked = self._addresses.opens(cycle + OFFERED)
        self.stalls += self.next_asked - cycle - OFFERED
        self.bursts += 1

    def ask(self, later: int = 0) -> None:
        """Let the memory take that address, whose answer comes so much later than usual."""
        self._asked, self.next_asked = self.next_asked, None
        self._unanswered[self._turn].append(
            Burst(self._asked + self._latency + later, self._asked, self._beats))

    @property
    def next_answer(self) -> int | None:
        """When the first word of the next burst comes, of those that were taken."""
        due = [each[0].due for each in self._unanswered if each]
        return self._words.opens(max(self._came + 1, min(due))) if due else None

    def answer(self) -> None:
        """Bring the words of that burst: of those at the head of a channel's, the one due first."""
        first = self.next_answer
        heads = [(each[0].due, each[0].asked, number)
                 for number, each in enumerate(self._unanswered) if each]
        number = min(heads)[2]
        burst = self._unanswered[number].popleft()
        self._came = first - 1
        for _ in range(burst.beats):
            self._came = self._words.opens(self._came + 1)
            self._channels[number].arrived.append(self._came)
        self._answered.append(self._came)
        self.words += burst.beats
        self.owed += self._came - burst.asked
