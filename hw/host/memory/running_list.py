"""A list of commands on its way through the ring."""

from golden.memory.descriptor import BYTES, Command
from hw.host.driver_errors import MachineError

from .fences import Entry, overwritten
from .registers import NamedRegisters
from .store import Block, Store

COUNTS = 1 << 32
"""The ring's counts wrap at this."""


class RunningList:
    """Put commands into the ring as it has room, and count those that have ended.

    Parameters
    ----------
    registers : NamedRegisters
    store : Store
        Where the ring lies.
    ring : Block
    entries : list of Entry
    first : int
        RING_COMPLETED before the first of them.

    Attributes
    ----------
    ended : int
        Commands that have ended.
    """

    def __init__(self, registers: NamedRegisters, store: Store, ring: Block, entries: list[Entry],
                 first: int) -> None:
        self._registers, self._store, self._ring = registers, store, ring
        self._size = ring.size // BYTES
        self.entries, self._first = entries, first
        self.ended = self._fed = 0

    @property
    def left(self) -> int:
        """Commands that have not ended."""
        return len(self.entries) - self.ended

    @property
    def current(self) -> Command:
        """The first command that has not ended."""
        return self.entries[self.ended].command

    @property
    def sequence(self) -> int:
        """Commands that had ended before that one, since reset, modulo 2^32."""
        return (self._first + self.ended) % COUNTS

    def look(self) -> None:
        """Count the commands that have ended.

        Raises
        ------
        MachineError
            If more have than there are.
        """
        ended = (self._registers.read("RING_COMPLETED") - self._first) % COUNTS
        if self.entries and ended > len(self.entries):
            raise MachineError(f"RING_COMPLETED counts {ended} ended commands of a list of "
                               f"{len(self.entries)}: the machine was reset, or somebody else "
                               "uses its ring")
        self.ended = ended if self.entries else 0

    def feed(self) -> int:
        """Put as many commands into the ring as it has room for; return how many."""
        count = min(self._size - (self._fed - self.ended), len(self.entries) - self._fed)
        for number in range(self._fed, self._fed + count):
            slot = (self._first + number) % self._size
            self._store.write_bytes(self._ring.address + slot * BYTES, self._descriptor(number))
        if count > 0:
            self._store.device.barrier()
            self._registers.write("RING_TAIL", (self._first + self._fed + count) % COUNTS)
            self._fed += count  # last: a call that was broken off writes the same once more
        return count

    def check_live(self, first: int) -> None:
        """Refuse what would work on memory that was freed, from a command on.

        Raises
        ------
        ValueError
        """
        for number, entry in enumerate(self.entries[first:], first):
            for name, handle in entry.handles.items():
                handle.check_live(f"{name} of command {number}")

    def check_again(self, first: int) -> None:
        """Refuse to try commands again, from one on, that would not find what they read.

        Raises
        ------
        ValueError
        """
        self.check_live(first)
        if lost := overwritten(self.entries, first, self.ended):
            raise ValueError(f"command {lost[0]} cannot be tried again, since command {lost[1]} "
                             "had begun and may have overwritten what it reads: stop the ring, "
                             "and run the list anew")

    def _descriptor(self, number: int) -> bytes:
        """Return a command's bytes.

        It interrupts where the list ends; before, twice in every round in which some have no room.
        """
        command, half = self.entries[number].command, self._size // 2
        left = len(self.entries) - (number + 1)
        if not left or ((number + 1) % max(1, half) == 0 and left > half):
            command = Command(**(command.describe() | {"interrupt": 1}))
        return command.pack()
