"""The memory behind the bus, as `simulation/harness/memory.h` answers."""

from collections.abc import Iterator
from dataclasses import dataclass

_WORD, _HALF = (1 << 64) - 1, 1 << 32


CHANNELS = ("ar", "r", "aw", "w", "b")


@dataclass(frozen=True)
class Latencies:
    """Of a memory that brings a word in each cycle, and takes one, but where its channels pause.

    Answers of one kind come in the order in which they were asked for; between kinds of reads,
    whoever is due first, which is the same order where `jitter` is 0.

    Attributes
    ----------
    read : int
        Cycles from an address to its first word; at least 1.
    write : int
        Cycles from the last of address and words to the answer; at least 1.
    jitter : int
        Up to so many more, drawn for each burst.
    pause : float
        Share of cycles in which a channel of the bus does nothing, drawn for each of `CHANNELS`.
    seed : int
        Of what is drawn, as of `simulation.memory_machine.Manners`.
    lead : int
        Cycles for which pauses have been drawn before the first that counts.
    """

    read: int
    write: int
    jitter: int = 0
    pause: float = 0.0
    seed: int = 1
    lead: int = 0

    def __post_init__(self) -> None:
        for name, least in (("read", 1), ("write", 1), ("jitter", 0), ("pause", 0), ("seed", 0),
                            ("lead", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"an answer comes in the next cycle at the earliest, and nothing "
                                 f"is drawn below 0: {name}={getattr(self, name)} must be at "
                                 f"least {least}")
        if self.pause >= 1:
            raise ValueError(f"a pause must be less than 1, not {self.pause}")

    @property
    def is_random(self) -> bool:
        """Whether anything is drawn."""
        return bool(self.jitter or self.pause)

    def draws(self) -> Iterator[int]:
        """Draw how much later each burst is answered, in the order in which they are taken."""
        return (number % (self.jitter + 1) for number in random_numbers(self.seed))

    def pauses(self, channel: str) -> "Pauses":
        """Return the pauses of a channel."""
        return Pauses(self.pause, self.seed * len(CHANNELS) + CHANNELS.index(channel) + 1,
                      self.lead)


class Pauses:
    """Tell in which cycles a channel does nothing.

    Parameters
    ----------
    share : float
        Of all cycles.
    seed, lead : int
        As of `Latencies`, the seed of the channel's own.
    """

    def __init__(self, share: float, seed: int, lead: int):
        self._threshold, self._lead = int(share * _HALF), lead
        self._numbers, self._known = random_numbers(seed), []

    def opens(self, cycle: int) -> int:
        """Return the first cycle, from one on, in which the channel does something."""
        if not self._threshold:
            return cycle
        while True:
            while len(self._known) <= cycle + self._lead:
                self._known.append(next(self._numbers) % _HALF < self._threshold)
            if not self._known[cycle + self._lead]:
                return cycle
            cycle += 1


def random_numbers(seed: int) -> Iterator[int]:
    """Draw numbers of 64 bits: SplitMix64, as in `simulation/harness/stall.h`."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _WORD
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
        yield mixed ^ mixed >> 31
