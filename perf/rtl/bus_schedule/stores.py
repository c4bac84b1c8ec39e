"""Words on their way to memory, from who writes them to who joins them to bursts."""

from dataclasses import dataclass, field
from typing import NamedTuple

from perf.rtl.bus_schedule.network import Cycles


class Store(NamedTuple):
    """A word.

    Attributes
    ----------
    word : int
        Its address in words of the bus.
    strobes : int
        A bit for each of its bytes that is written.
    ends : bool
        It is the last of its command.
    after : bool
        It goes when all before it have been answered.
    """

    word: int
    strobes: int
    ends: bool = False
    after: bool = False


@dataclass
class Stores:
    """A stream of words.

    Attributes
    ----------
    words : list of Store
    offered, taken : list of int
        Of each.
    news : list of int
        One entry more whenever there may be something new to see.
    """

    words: list[Store] = field(default_factory=list)
    offered: Cycles = field(default_factory=list)
    taken: Cycles = field(default_factory=list)
    news: Cycles = field(default_factory=list)

    def offer(self, word: Store, since: int) -> None:
        """Offer a word from a cycle on."""
        self.words.append(word)
        self.offered.append(since)
        self.news.append(since)
