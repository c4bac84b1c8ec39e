"""Where in the Python source the lines of emitted Verilog come from, read from its attributes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from sim_tests.bench import ROOT
from sim_tests.coverage.emission import NO_PLACE

Place = tuple[str, int]
"""A file, by its path in the project, and a line of it."""

GENERATOR = "hw/"
"""Where a place has to be; others are of Amaranth, such as the reset that it adds."""

_MODULE = re.compile(r"module (\w+)")
_ATTRIBUTE = re.compile(r'^ *\(\* (src|arms) = "([^"]*)" \*\)$')
_INLINE = re.compile(r'\(\* src = "([^"]*)" \*\)')
_DECLARATION = re.compile(
    r"^  (?:input |output )?(?:wire |reg )?(?:signed )?(?:\[[^]]*\] )?(\w+);$")
_CHAIN = re.compile(r"^( *)(?:if \(|end else if \()")
_RESET = re.compile(r"if \((?:\w+_)?rst\) begin$")
_CASE = re.compile(r"^( *)casez \(")
_ITEM = re.compile(r"^( *)(?:[\d'h?bdzx, ]+|default):$")
_TARGET = re.compile(r"^ *(?:assign )?\{?(\w+)[^=]* = ")
_REGISTER = re.compile(r"^    (\w+)(?:\[[^]]*\])? <= (\w+);$")
_NUMBERED = re.compile(r"(\w+?)_\d+")


@dataclass
class Condition:
    """An ``if`` or a ``case`` of the Verilog.

    Attributes
    ----------
    place : tuple or None
        Of the condition; None if it is not the generator's.
    arms : list of list of tuple
        Places of the statements directly in each arm.
    """

    place: Place | None
    arms: list[list[Place]]


@dataclass
class Module:
    """A Verilog module.

    Attributes
    ----------
    name : str
    place : tuple or None
        Where its component is elaborated; None of the memory, which is no component.
    signals : dict of str to (tuple or None)
        Place of each signal that the source names.
    """

    name: str
    place: Place | None
    signals: dict[str, Place | None] = field(default_factory=dict)


@dataclass
class Places:
    """What stands where in a Verilog file. Lines count from 1.

    Attributes
    ----------
    modules : dict of int to Module
        The module that a line is in.
    declared : dict of int to str
        The signal that a line declares.
    arms : dict of int to (Condition, int)
        The condition and the arm that begins in a line.
    targets : dict of int to str
        The signal that a line decides upon: what is assigned, through a register's next value.
    muxes : dict of int to (tuple or None)
        Place of the expression in a line.
    """

    modules: dict[int, Module] = field(default_factory=dict)
    declared: dict[int, str] = field(default_factory=dict)
    arms: dict[int, tuple[Condition, int]] = field(default_factory=dict)
    targets: dict[int, str] = field(default_factory=dict)
    muxes: dict[int, Place | None] = field(default_factory=dict)


def plain(name: str, module: Module) -> str:
    """Return a signal's name without the number that sets it apart from another of its name."""
    found = _NUMBERED.fullmatch(name)
    return found[1] if found and found[1] in module.signals else name


def place_of(text: str) -> Place | None:
    """Read ``path:line``, or ``path:line.column-...`` of Yosys."""
    path, _, line = text.partition("|")[0].rpartition(":")
    try:
        path = Path(path).relative_to(ROOT).as_posix()
    except ValueError:
        return None
    return (path, int(line.partition(".")[0])) if path.startswith(GENERATOR) else None


def read_places(text: str) -> Places:
    """Read the attributes of a Verilog file that `sim_tests.coverage.emission` wrote."""
    places, module = Places(), Module("", None)
    marks: dict[str, str] = {}
    chains: dict[int, tuple[Condition, int]] = {}  # by their indentation
    registers, waiting = {}, []
    target = ""
    for number, line in enumerate(text.splitlines(), 1):
        if found := _ATTRIBUTE.match(line):
            marks[found[1]] = found[2]
            continue
        if found := _MODULE.match(line):
            module = Module(found[1], place_of(marks.get("src", "")))
            registers, waiting = {}, []
        places.modules[number] = module
        if line == "endmodule":
            for where, name in waiting:
                places.targets[where] = registers.get(name, name)
        elif found := _DECLARATION.match(line):
            places.declared[number] = found[1]
            if not found[1].startswith("_"):
                place = place_of(marks["src"]) if "src" in marks else None
                module.signals[found[1]] = place or module.signals.get(found[1])
        elif found := _REGISTER.match(line):
            registers[found[2]] = found[1]
        elif found := _CHAIN.match(line):
            depth = len(found[1])
            if line.lstrip().startswith("if"):
                is_reset = _RESET.search(line) is not None  # Amaranth adds it; every bench resets
                chains[depth] = _condition({} if is_reset else marks), 0
            elif depth in chains:
                condition, arm = chains[depth]
                chains[depth] = condition, arm + 1
            places.arms[number] = chains[depth]
            waiting.append((number, target))
        elif found := _CASE.match(line):
            chains[len(found[1]) + 2] = _condition(marks), -1
        elif (found := _ITEM.match(line)) and len(found[1]) in chains:
            condition, arm = chains[len(found[1])]
            places.arms[number] = chains[len(found[1])] = condition, arm + 1
            waiting.append((number, target))
        elif found := _TARGET.match(line):
            target = found[1]
            if found := _INLINE.search(line):
                places.muxes[number] = place_of(found[1])
                waiting.append((number, target))
        if line.strip() and not line.endswith("*)"):
            marks = {}
    return places


def _condition(marks: dict[str, str]) -> Condition:
    arms = [[place for each in arm.split() if (place := place_of(each))]
            for arm in marks.get("arms", NO_PLACE).split("|")]
    return Condition(place_of(marks.get("src", "")), arms)
