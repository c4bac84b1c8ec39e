"""What the machine counts of its bus."""

from dataclasses import dataclass, fields
from typing import Self

from .registers import NamedRegisters


@dataclass(frozen=True, kw_only=True)
class BusCounters:
    """Counts of the bus since reset, modulo 2^32; a difference of two is that of a time between.

    Attributes
    ----------
    read_bursts, write_bursts : int
        Reads and writes that the bus has taken.
    read_beats, write_beats : int
        Words that it has brought and taken.
    read_stalls, write_stalls : int
        Cycles in which one was offered and not taken.
    read_owed, write_owed : int
        What was not answered, summed over cycles.
    """

    read_bursts: int
    read_beats: int
    read_stalls: int
    read_owed: int
    write_bursts: int
    write_beats: int
    write_stalls: int
    write_owed: int

    @classmethod
    def read(cls, registers: NamedRegisters) -> Self:
        """Read all of them, one after the other."""
        return cls(**{each.name: registers.read(each.name.upper()) for each in fields(cls)})

    def __sub__(self, other: "BusCounters") -> "BusCounters":
        return BusCounters(**{
            each.name: (getattr(self, each.name) - getattr(other, each.name)) % (1 << 32)
            for each in fields(self)})

    @property
    def read_latency(self) -> float:
        """Cycles from a read to its end, on average; 0 without reads."""
        return self.read_owed / self.read_bursts if self.read_bursts else 0.0

    @property
    def write_latency(self) -> float:
        """Cycles from a write to its answer, on average; 0 without writes."""
        return self.write_owed / self.write_bursts if self.write_bursts else 0.0
