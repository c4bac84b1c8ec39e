"""A standard-cell library, as far as synthesis figures need it: where it is, and its areas."""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from commands.tools import OSU018, SHARE

PACKAGES = "qflow-tech-osu018 opensta"
MISSING = (
    "there is no liberty file osu018_stdcells.lib here: install it and the timing analyser with "
    f"`apt-get install {PACKAGES}` (Debian), or name another library with --liberty")

_CELL = re.compile(r"^\s*cell\s*\(\s*\"?([\w$]+)\"?\s*\)\s*\{", re.MULTILINE)
_AREA = re.compile(r"^\s*area\s*:\s*([\d.eE+-]+)\s*;", re.MULTILINE)
_FLIP_FLOP = re.compile(r"^\s*ff\s*\(", re.MULTILINE)


class LibraryError(ValueError):
    """A library that cannot be used, with a sentence that says why."""


@dataclass(frozen=True)
class Roles:
    """Which cells of a library play the parts that a flow must name.

    Attributes
    ----------
    gate : str
        The two-input NAND that counts as one gate equivalent.
    full_adder : tuple of str
        Cell, then its pins a, b, carry in, sum, carry out; empty where the library has none.
    driver : str
        What drives the inputs when timing is analysed.
    load : float
        What each output drives, in the library's unit of capacitance.
    """

    gate: str
    full_adder: tuple[str, ...]
    driver: str
    load: float


ROLES = {
    "osu018_stdcells": Roles("NAND2X1", ("FAX1", "A", "B", "C", "YS", "YC"), "BUFX2", 0.05),
}


@dataclass(frozen=True)
class Library:
    """A liberty file.

    Attributes
    ----------
    path : pathlib.Path
    roles : Roles
    """

    path: Path
    roles: Roles

    @cached_property
    def _cells(self) -> dict[str, str]:
        """Text of every cell."""
        text = self.path.read_text(encoding="utf-8", errors="replace")
        heads = list(_CELL.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        return {head[1]: text[head.end():end] for head, end in zip(heads, ends, strict=True)}

    @cached_property
    def areas(self) -> dict[str, float]:
        """Area of every cell that has one, in the library's own unit."""
        found = {name: _AREA.search(text) for name, text in self._cells.items()}
        return {name: float(area[1]) for name, area in found.items() if area}

    @cached_property
    def flip_flops(self) -> frozenset[str]:
        """Cells that are edge-triggered registers."""
        return frozenset(name for name, text in self._cells.items() if _FLIP_FLOP.search(text))

    def gate_equivalents(self, cells: dict[str, int]) -> float:
        """Add up cells in units of the library's two-input NAND."""
        return sum(self.areas[cell] * count for cell, count in cells.items()) / self.areas[
            self.roles.gate]


def find_library(path: str | None = None) -> Library:
    """Open a liberty file.

    Parameters
    ----------
    path : str, optional
        Of the file; without it the environment's MIXDIT_LIBERTY, then osu018 where Debian has it.

    Raises
    ------
    LibraryError
        If there is none, or nothing is known of which cells to use.
    """
    named = path or os.environ.get("MIXDIT_LIBERTY")
    if named:
        file = Path(named)
        if not file.is_file():
            raise LibraryError(f"there is no liberty file at {named}")
    else:
        files = [Path(folder) / OSU018 for folder in SHARE]
        file = next((each for each in files if each.is_file()), None)
        if file is None:
            raise LibraryError(MISSING)
    roles = ROLES.get(file.stem) or _guessed_roles(file)
    library = Library(file, roles)
    for cell in (roles.gate, roles.driver, *roles.full_adder[:1]):
        if cell not in library.areas:
            raise LibraryError(f"{file} has no cell {cell}: it is another library than its name "
                               "says, or has no areas")
    return library


def _guessed_roles(file):
    """Find a NAND and a buffer by the names that libraries use; no full adder."""
    names = _CELL.findall(file.read_text(encoding="utf-8", errors="replace"))
    gate, driver = (
        next((name for name in sorted(names, key=len) if re.search(pattern, name, re.I)), None)
        for pattern in (r"nand2", r"buf"))
    if gate is None or driver is None:
        raise LibraryError(
            f"{file} has no cell named like a two-input NAND and a buffer: add the library to "
            "ROLES in perf/rtl/ppa/library.py")
    return Roles(gate, (), driver, 0.05)
