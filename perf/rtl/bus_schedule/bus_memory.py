"""The memory behind the bus, as `simulation/harness/memory.h` answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Latencies:
    """Of a memory that answers in the order in which it is asked, a word in each cycle.

    Attributes
    ----------
    read : int
        Cycles from an address to its first word; at least 1.
    write : int
        Cycles from the last of address and words to the answer; at least 1.
    """

    read: int
    write: int

    def __post_init__(self) -> None:
        for name in ("read", "write"):
            if getattr(self, name) < 1:
                raise ValueError(f"an answer comes in the next cycle at the earliest: a latency "
                                 f"of {getattr(self, name)} for {name} is none")
