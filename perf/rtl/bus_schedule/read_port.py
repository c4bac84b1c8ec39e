"""The bus's read side, shared by channels: `hw.memory.read_port`, and the memory's words."""

from collections.abc import Sequence

from hw.contract.config import Config
from perf.rtl.bus_schedule.bus_memory import Latencies
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

OFFERED = 1
"""A burst is taken; its address is offered to the bus in the next cycle."""


class ReadPort:
    """Take the channels' bursts in turn; fulfils `Arbiter`.

    Parameters
    ----------
    config : Config
    latencies : Latencies
    channels : sequence of ReadChannel

    Attributes
    ----------
    bursts, words, owed : int
        That were asked for; that came; the cycles that each burst was owed, summed.
    """

    def __init__(self, config: Config, latencies: Latencies, channels: Sequence[ReadChannel]):
        self._outstanding, self._latency = config.outstanding, latencies.read
        self._channels = channels
        self._turn = 0
        self._granted = self._came = NOT_YET  # the last burst, the last word
        self._answered: list[int] = []  # when the last word of each burst came
        self.words = self.owed = 0

    @property
    def bursts(self) -> int:
        """How many were asked for."""
        return len(self._answered)

    def decide(self) -> bool:
        """Take the next burst; tell whether there was one."""
        offers = [(number, each.offer) for number, each in enumerate(self._channels) if each.offer]
        if not offers:
            return False
        cycle = max(self._granted + 1, min(since for _, (since, _) in offers))
        if self.bursts >= self._outstanding:
            cycle = max(cycle, self._answered[-self._outstanding] + RELEASED)
        asking = [number for number, (since, _) in offers if since <= cycle]
        self._turn = min(asking, key=lambda number: (number <= self._turn, number))
        channel = self._channels[self._turn]
        self._answer(channel, channel.offer[1], cycle + OFFERED)
        channel.offer = None
        channel.granted.append(cycle)
        self._granted = cycle
        return True

    def _answer(self, channel: ReadChannel, beats: int, asked: int) -> None:
        """Bring the words of a burst whose address the bus takes in a cycle."""
        first = max(asked + self._latency, self._came + 1)
        channel.arrived.extend(range(first, first + beats))
        self._came = first + beats - 1
        self._answered.append(self._came)
        self.words += beats
        self.owed += self._came - asked
