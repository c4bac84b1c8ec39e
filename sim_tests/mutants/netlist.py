"""The flat netlist of a component, whose cells know which module of ``hw/`` they are of."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from amaranth.lib.wiring import Component
from pyosys import libyosys

from hw.parts.emit import emit_each
from hw.parts.sram import MODULE as SRAM
from sim_tests.mutants.mutant import SELECT, Mutant, fields

HW = Path(__file__).resolve().parents[2] / "hw"

_LEFT_OUT = ("$scopeinfo", "$meminit", "$meminit_v2", "$print", "$check")
"""Cell types that are no logic."""

_CLOCKS = re.compile(r".*(CLK|ARST)$")
"""Ports that no mutant touches: a bench has one clock, and no module another reset."""

_OWNER = "mixdit_owner"

_ALL = 10**8
"""Of mutants to list: more than any module has."""


class Netlist:
    """A component after ``proc`` and ``flatten``, before any optimization but of constants.

    Parameters
    ----------
    component : wiring.Component
    name : str
        Verilog name of the top.
    folder : pathlib.Path
        For Yosys' files.

    Attributes
    ----------
    owners : dict of str to str
        The module of ``hw/`` of each cell.
    has_memory : bool
        It instantiates the memory module.
    """

    def __init__(self, component: Component, name: str, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.folder = name, folder
        self._design = libyosys.Design()
        texts = emit_each(component, name, lambda part, **options: rtlil.convert(
            part, emit_src=True, **options))
        for module, text in texts.items():
            file = folder / f"{module}.il"
            file.write_text(text, encoding="utf-8")
            self.run(f"read_rtlil -nooverwrite {file}")
        self.has_memory = any(SRAM in text for text in texts.values())
        self.run(f"hierarchy -top {name}")
        for command in ("proc", "flatten", "opt_expr", "opt_clean", "memory_collect"):
            self.run(command)
        self._module = next(iter(self._design.modules_.values()))
        self._find_owners(_file_of(type(component)))
        self._places = self._find_places()

    def run(self, command: str) -> None:
        """Run a command of Yosys, without a word."""
        libyosys.run_pass(f"tee -q {command}", self._design)

    def _find_owners(self, top: str) -> None:
        """Say of each cell which module it is of, by the files of the instances it lies in."""
        scopes = {}
        for cell in self._module.cells_.values():
            if cell.type.str() == "$scopeinfo":
                if file := _in_hw(_attribute(cell, "\\module_src")):  # Amaranth has some too
                    scopes[cell.name.str().lstrip("\\")] = file
        self.owners, self._paths = {}, {}
        for cell in self._module.cells_.values():
            name, kind = cell.name.str(), cell.type.str()
            if kind in _LEFT_OUT or SRAM in kind:
                continue
            scope = _scope(name)
            owner, root = top, ""
            parts = scope.split(".") if scope else []
            for length in range(len(parts), 0, -1):
                if ".".join(parts[:length]) in scopes:
                    owner = scopes[".".join(parts[:length])]
                    break
            # The outermost instance of the same file is the module's own.
            for length in range(1, len(parts) + 1):
                if scopes.get(".".join(parts[:length])) == owner:
                    root = ".".join(parts[:length])
                    break
            self.owners[name] = owner
            self._paths[name] = (root, scope.removeprefix(root).lstrip("."))

    def _find_places(self) -> dict[tuple, str]:
        """Give each cell a place: instance, source, path, type and occurrence."""
        seen, places = Counter(), {}
        cells = {cell.name.str(): cell for cell in self._module.cells_.values()}
        for name in sorted(self.owners, key=_by_numbers):
            cell = cells[name]
            lines = _attribute(cell, "\\src").split("|")
            source = "|".join(sorted({found for line in lines if (found := _line(line))}))
            root, path = self._paths[name]
            key = (root, self.owners[name], source, path, cell.type.str())
            places[(*key, seen[key])] = name
            seen[key] += 1
        self._keys = {name: key for key, name in places.items()}
        return places

    def modules(self) -> Counter:
        """Count the cells of each module."""
        return Counter(self.owners.values())

    def draw(self, module: str, count: int, seed: int) -> list[Mutant]:
        """Choose mutants of a module: a line of the source, a cell that it made, and a bit of that.

        Parameters
        ----------
        module : str
        count : int
            At most so many; a small module has fewer. Fewer are some of those that more are.
        seed : int

        Returns
        -------
        list of Mutant
        """
        for cell in self._module.cells_.values():
            if self.owners.get(cell.name.str()) == module:
                cell.set_string_attribute(libyosys.IdString("\\" + _OWNER), module)
        listed = self.folder / "listed.txt"
        self.run(f"mutate -list {_ALL} -o {listed} a:{_OWNER}={module}")
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for line in listed.read_text(encoding="utf-8").splitlines():
            options = fields(line)
            if options.get("mode", "none") != "none" and not _CLOCKS.fullmatch(options["port"]):
                cell = _name(options["cell"])
                found[self._keys[cell][2] or self._keys[cell][4]][cell].append(line)
        if not found:
            raise ValueError(f"{self.name} has nothing of {module} that a mutant could change")
        rng, drawn = np.random.default_rng(seed), []
        while found and len(drawn) < count:
            source = list(found)[rng.integers(len(found))]
            cell = list(found[source])[rng.integers(len(found[source]))]
            lines = found[source][cell]
            drawn.append(self._mutant(lines.pop(rng.integers(len(lines)))))
            if not lines:
                del found[source][cell]
            if not found[source]:
                del found[source]
        return drawn

    def _mutant(self, line: str) -> Mutant:
        """Read a mutant as Yosys lists it."""
        options = fields(line)
        cell, control = _name(options["cell"]), options.get("ctrlbit")
        _, owner, source, path, kind, occurrence = self._keys[cell]
        return Mutant(owner, source, path, cell, kind, occurrence,
                      options["mode"], options["port"], int(options["portbit"]),
                      None if control is None else int(control))

    def sibling(self, mutant: Mutant) -> Mutant | None:
        """Find the same mistake at the same place of the source; None if there is no such cell.

        Of several instances of the module the first is taken.
        """
        wanted = (mutant.module, mutant.source, mutant.path, mutant.type, mutant.occurrence)
        fitting = [name for key, name in self._places.items() if key[1:] == wanted]
        if not fitting:
            return None
        cell = min(fitting, key=_by_numbers)
        ports = self._widths(cell)
        width = ports.get(mutant.port, 0)
        if mutant.bit >= width or (mutant.control or 0) >= width:
            return None
        return replace(mutant, cell=cell)

    def holds(self, mutant: Mutant, names: Sequence[str]) -> bool:
        """Tell whether a mutant stands between a register and a signal of the top that it drives.

        A test that sets the signal would set what the mutant makes of the register, and in vain.
        """
        for cell in self._module.cells_.values():
            if cell.name.str() == mutant.cell and mutant.port == "Q":
                for port, signal in cell.connections_.items():
                    if port.str() == "\\Q" and signal.is_wire():
                        return signal.as_wire().name.str().lstrip("\\") in names
        return False

    def _widths(self, name: str) -> dict[str, int]:
        """Return the width of each port of a cell."""
        for cell in self._module.cells_.values():
            if cell.name.str() == name:
                return {port.str().lstrip("\\"): signal.size()
                        for port, signal in cell.connections_.items()}
        return {}

    def embed(self, mutants: list[Mutant]) -> str:
        """Put mutants behind the input `SELECT`, numbered from 1, and return the Verilog."""
        good = self.folder / "good.il"
        self.run(f"write_rtlil {good}")
        for number, mutant in enumerate(mutants, 1):
            self.run(mutant.command(self.name, number=number))
        if not mutants:
            raise ValueError("there is no mutant to embed")
        self.run("opt_clean")
        verilog = self.folder / "mutants.v"
        self.run(f"write_verilog -noattr {verilog}")
        text = verilog.read_text(encoding="utf-8")
        if SELECT not in text:
            raise AssertionError(f"{verilog} has no input {SELECT}")
        return text


def _attribute(cell: libyosys.Cell, name: str) -> str:
    """Return a cell's attribute as text, "" if there is none."""
    for key, value in cell.attributes.items():
        if key.str() == name:
            return value.decode_string()
    return ""


def _in_hw(source: str) -> str:
    """Name a file in ``hw/`` without its suffix; "" for any other."""
    path = Path(source.rpartition(":")[0])
    return path.relative_to(HW).with_suffix("").as_posix() if path.is_relative_to(HW) else ""


def _line(source: str) -> str:
    """Name a line in ``hw/``; "" for any other."""
    file, _, line = source.rpartition(":")
    return f"{_in_hw(source)}.py:{line}" if _in_hw(f"{file}:{line}") else ""


def _file_of(kind: type) -> str:
    """Name the file in ``hw/`` of a component, or what a bench made itself by its module."""
    name = kind.__module__
    return name.removeprefix("hw.").replace(".", "/") if name.startswith("hw.") else "?"


def _name(cell: str) -> str:
    """Name a cell as Yosys does inside."""
    return cell if cell.startswith("$") else f"\\{cell}"


def _scope(cell: str) -> str:
    """Return the instances that a cell of a flat netlist lies in, joined by dots."""
    if not cell.startswith(("$flatten", "\\")):
        return ""
    inside = cell.removeprefix("$flatten")
    if inside == cell:  # a name of its own: all of it is one
        return cell.lstrip("\\").rpartition(".")[0]
    return ".".join(part.lstrip("\\") for part in re.split(r"\.(?=[\\$])", inside)[:-1])


def _by_numbers(name: str) -> list:
    """Sort numbers in names as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in re.findall(r"\d+|\D+", name)]
