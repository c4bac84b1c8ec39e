"""The memory behind the bus, as `simulation/harness/memory.h` answers."""

from collections.abc import Iterator
from dataclasses import dataclass

_WORD = (1 << 64) - 1


@dataclass(frozen=True)
class Latencies:
    """Of a memory that brings a word in each cycle, and takes one.

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
    seed : int
        Of what is drawn, as of `simulation.memory_machine.Manners`.
    """

    read: int
    write: int
    jitter: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("read", 1), ("write", 1), ("jitter", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"an answer comes in the next cycle at the earliest, and nothing "
                                 f"is drawn below 0: {name}={getattr(self, name)} must be at "
                                 f"least {least}")

    def draws(self) -> Iterator[int]:
        """Draw how much later each burst is answered, in the order in which they are taken."""
        state = self.seed
        while True:  # SplitMix64, as in `simulation/harness/stall.h`
            state = (state + 0x9E3779B97F4A7C15) & _WORD
            mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _WORD
            mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
            yield (mixed ^ mixed >> 31) % (self.jitter + 1)
