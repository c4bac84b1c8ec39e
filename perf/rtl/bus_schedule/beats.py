"""Beats of results on their way to who writes them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from perf.rtl.bus_schedule.network import Cycles, Step


class Beat(NamedTuple):
    """A beat of the result stream.

    Attributes
    ----------
    parts : int
        Rows of numbers, or units of packets.
    ends_job : bool
    """

    parts: int
    ends_job: bool


@dataclass
class Beats:
    """A stream of them.

    Attributes
    ----------
    beats : list of Beat
    offered, taken : list of int
        Of each.
    """

    beats: list[Beat] = field(default_factory=list)
    offered: Cycles = field(default_factory=list)
    taken: Cycles = field(default_factory=list)

    def offer(self, beat: Beat, since: int) -> None:
        """Offer a beat from a cycle on."""
        self.beats.append(beat)
        self.offered.append(since)

    def leave(self) -> Step:
        """Wait until all that was offered has been taken."""
        if len(self.taken) < len(self.offered):
            yield self.taken, len(self.offered) - 1
