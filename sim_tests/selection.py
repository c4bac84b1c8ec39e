"""Selections of tests, as `selection.toml` lists them: a part that runs, and parts that take turns.

What takes turns is covered after as many turns as it has members: turn ``t`` takes the members from
``t * take`` on, round and round.
"""

import re
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "selection.toml"

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Turns:
    """Tests of which a few run in each turn.

    Attributes
    ----------
    tests : tuple of str
        Folders, files or functions: all tests there are members.
    keep : tuple of str
        Ends of the names of those that run in every turn.
    take : int
        How many of the others run in a turn.
    """

    tests: tuple[str, ...]
    keep: tuple[str, ...] = ()
    take: int = 1

    def members(self, names: Iterable[str]) -> list[str]:
        """List the tests that take turns or are kept."""
        return _members(self.tests, tuple(names))

    def choose(self, names: Sequence[str], turn: int | None) -> set[str]:
        """Choose this turn's members; without a turn those of every turn."""
        members = self.members(names)
        kept = {name for name in members if name.endswith(self.keep)}
        if turn is None:
            return kept
        # Tests of one machine follow each other, since they share its model.
        others = sorted((name for name in members if name not in kept),
                        key=lambda name: (name.partition("[")[2], name))
        return kept | {others[(turn * self.take + step) % len(others)]
                       for step in range(min(self.take, len(others)))}


@dataclass(frozen=True)
class Selection:
    """A part of all tests.

    Attributes
    ----------
    tests : tuple of str
        Folders, files or functions; empty are all.
    first : tuple of str
        What takes longest, in the order in which it is started.
    turns : tuple of Turns
        A test is in one of them at most.
    """

    tests: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    turns: tuple[Turns, ...] = ()

    def choose(self, names: Sequence[str], turn: int | None) -> set[str]:
        """Choose the tests of a turn.

        Parameters
        ----------
        names : sequence of str
            Of all tests, as pytest has them, behind which xdist may have put ``@`` and a group.
        turn : int or None
            Any; the same one chooses the same tests. None chooses those of every turn.
        """
        plain = {_plain(name): name for name in names}
        chosen = {name for name in plain
                  if not self.tests or any(_is_of(name, place) for place in self.tests)}
        within = tuple(name for name in plain if name in chosen)
        for turns in self.turns:
            chosen -= set(turns.members(within)) - turns.choose(within, turn)
        return {plain[name] for name in chosen}

    def rank(self, name: str) -> int:
        """Return the place of a test in the order of starts."""
        return next((place for place, first in enumerate(self.first)
                     if _is_of(_plain(name), first)), len(self.first))


def read(path: Path = FILE) -> Mapping[str, Selection]:
    """Read the selections by their names."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Selection(
        tests=tuple(table.get("tests", ())), first=tuple(table.get("first", ())),
        turns=tuple(Turns(tuple(each["tests"]), tuple(each.get("keep", ())), each.get("take", 1))
                    for each in table.get("turns", ())))
        for name, table in tables.items()}


def today() -> int:
    """Return the turn of the day."""
    return int(time.time()) // DAY_SECONDS


def _plain(name: str) -> str:
    """Take the group off a test's name."""
    return re.sub(r"@\w+$", "", name)


@lru_cache(maxsize=1024)
def _members(places: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    """List the names that are of some places; the same are asked for in each turn."""
    return [name for name in names if any(_is_of(name, place) for place in places)]


def _is_of(name: str, place: str) -> bool:
    """Tell whether a test is in a folder or file, or is a function or one of its cases."""
    return name == place or name.startswith((f"{place}/", f"{place}::", f"{place}["))
