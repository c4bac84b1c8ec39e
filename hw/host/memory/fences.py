"""What waits for what: distances to the commands whose results others read."""

from dataclasses import dataclass, field

from golden.memory.descriptor import FIELD, Command

from .handle import Handle
from .regions import Region
from .store import Block

FARTHEST = (1 << FIELD["WAIT_A"].width) - 1
"""Largest distance that a descriptor can name."""

BEGUN_BEHIND = 4
"""Most commands behind a faulty one that may have written results (docs/commands.md)."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A command of a list, and what it touches.

    Attributes
    ----------
    command : Command
    reads : dict of str to list of (Block, Region)
        By the field of the descriptor that holds the reading back: "wait_a", "wait_b", "wait_side".
    writes : (Block, Region) or None
        Where its results go.
    handles : dict of str to Handle
        Its operands, by their names in sentences.
    """

    command: Command
    reads: dict[str, list[tuple[Block, Region]]] = field(default_factory=dict)
    writes: tuple[Block, Region] | None = None
    handles: dict[str, Handle] = field(default_factory=dict)


def touch(one: tuple[Block, Region], other: tuple[Block, Region]) -> bool:
    """Tell whether two operands share a byte."""
    return one[0] is other[0] and one[1].touches(other[1])


class Fences:
    """Remember what the commands of a list write, and tell later ones how far back that is.

    Only what reads the results of an earlier command needs a fence. What overwrites an operand or
    the results of an earlier command needs none: results are written in the order of the commands,
    and all that a command reads is in its results, the last of which are written before the first
    of a later command.
    """

    def __init__(self) -> None:
        self._count = 0
        self._writes: dict[Block, list[tuple[int, Region]]] = {}

    def distances(self, reads: dict[str, list[tuple[Block, Region]]]) -> dict[str, int]:
        """Return for the next command the distances to what it has to wait for.

        Parameters
        ----------
        reads : dict of str to list of (Block, Region)

        Returns
        -------
        dict of str to int
            By the same names; 0 where there is nothing. Commands end in order, so that the latest
            writer is enough; one too far back for the field has ended when the farthest that the
            field can name has.
        """
        return {name: min(FARTHEST, self._nearest(places)) for name, places in reads.items()}

    def _nearest(self, places: list[tuple[Block, Region]]) -> int:
        latest = max((self._latest(*place) for place in places), default=-1)
        return self._count - latest if latest >= 0 else 0

    def _latest(self, block: Block, region: Region) -> int:
        """Return the number of the last command that writes where something is read, or -1."""
        return next((number for number, written in reversed(self._writes.get(block, []))
                     if written.touches(region)), -1)

    def note(self, writes: tuple[Block, Region] | None) -> None:
        """Count a command that writes this."""
        if writes is not None:
            block, region = writes
            self._writes.setdefault(block, []).append((self._count, region))
        self._count += 1


def overwritten(entries: list[Entry], first: int, fault: int) -> tuple[int, int] | None:
    """Find a command that cannot be tried again: a later one may have overwritten its operand.

    Parameters
    ----------
    entries : list of Entry
        Of a list that stopped.
    first : int
        The command from which on they would be tried.
    fault : int
        The one at which it stopped. Those behind it had begun, up to one that waits for it or for
        something behind it.

    Returns
    -------
    (int, int) or None
        The command, and the one that overwrites its operand.
    """
    begun = []
    for number in range(fault, min(fault + 1 + BEGUN_BEHIND, len(entries))):
        command = entries[number].command
        waits = [getattr(command, name) for name in entries[number].reads]
        if any(0 < wait <= number - fault for wait in waits):
            break  # nor has one behind it: results are written in the order of the commands
        begun.append(number)
    return next(((reader, writer) for writer in begun for reader in range(first, writer)
                 if entries[writer].writes is not None
                 and any(touch(place, entries[writer].writes)
                         for places in entries[reader].reads.values() for place in places)), None)
