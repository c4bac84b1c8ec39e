"""Descriptors on their way to the dispatcher: `hw.memory.descriptor_reader`."""

from golden.memory.descriptor import BYTES
from hw.contract.config import Config
from hw.memory.descriptor_reader import AHEAD
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.read_channel import ReadChannel
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

GATHERED = 1
"""A descriptor's last word is taken; the dispatcher sees it in the next cycle."""


class DescriptorReader:
    """Fetch the descriptors of a list, a few ahead of who carries them out.

    Parameters
    ----------
    config : Config
    channel : ReadChannel
    places : list of int
        Address of each descriptor.
    since : int
        First cycle in which the ring's tail says that they are there.

    Attributes
    ----------
    ready, done : list of int
        From when on the dispatcher sees each, and when it is done with it.
    """

    def __init__(self, config: Config, channel: ReadChannel, places: list[int], since: int):
        self._words = BYTES // config.bus_bytes
        self._channel, self._places, self._since = channel, places, since
        self.ready: Cycles = []
        self.done: Cycles = []

    def ask(self) -> Step:
        """Ask for all of them."""
        offered = self._since
        for number, address in enumerate(self._places):
            if number >= AHEAD:
                if len(self.done) <= number - AHEAD:
                    yield self.done, number - AHEAD
                offered = max(offered, self.done[number - AHEAD] + RELEASED)
            taken = max(offered, self._channel.free)
            yield from self._channel.ask(address, BYTES, taken)
            offered = taken + 1

    def gather(self) -> Step:
        """Gather the words of each, when the dispatcher is done with the one before."""
        channel, since = self._channel, NOT_YET
        for number in range(len(self._places)):
            for _ in range(self._words):
                channel.left.append(max(since, (yield from channel.word())))
            self.ready.append(channel.left[-1] + GATHERED)
            if len(self.done) <= number:
                yield self.done, number
            since = self.done[number] + RELEASED
