"""Processes that give each other cycles, and one place where time has an order."""

from collections.abc import Generator, Iterable
from typing import Protocol, TypeVar

Cycles = list[int]
"""When each of a row of things happened; whoever makes it appends, and nothing is taken back."""

Wait = tuple[Cycles, int]
"""Of a process: it goes on when these cycles have an entry at this place."""

Result = TypeVar("Result")

Process = Generator[Wait, None, Result]
"""A part of a process, that comes to something."""

Step = Generator[Wait, None, None]


class Arbiter(Protocol):
    """Who decides what depends on who comes first."""

    def decide(self) -> bool:
        """Decide the earliest thing that is to be decided; tell whether there was any."""


class Network:
    """Run processes until nothing is left to happen.

    A process computes cycles from cycles, as far as it knows them, however late or early the others
    are: so it does not matter who runs first. When all wait, whatever anybody can still ask for
    follows from a decision that the arbiter has not made, and comes after it; so the earliest one
    of those that are open can be made.

    Parameters
    ----------
    arbiter : Arbiter
    """

    def __init__(self, arbiter: Arbiter):
        self._arbiter = arbiter
        self._waiting: list[tuple[Step, Wait]] = []

    def add(self, processes: Iterable[Step]) -> None:
        """Add processes, before `run`."""
        self._waiting += [(each, ([0], 0)) for each in processes]

    def run(self) -> int:
        """Run; return how many processes wait for what never comes."""
        while self._run_on() or self._arbiter.decide():
            pass
        return len(self._waiting)

    def _run_on(self) -> bool:
        """Resume whoever can go on; tell whether anybody could."""
        moved, left = False, []
        for entry in self._waiting:
            process, (cycles, place) = entry
            if len(cycles) > place:
                moved = True
                try:
                    wait = next(process)
                    while len(wait[0]) > wait[1]:
                        wait = next(process)
                except StopIteration:
                    continue
                entry = process, wait
            left.append(entry)
        self._waiting = left
        return moved
