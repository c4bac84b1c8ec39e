"""The area of a unit, module by module: each is mapped by itself, and nothing is shared."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from commands.outputs import write_text
from hw.parts.sram import MODULE

from .library import Library
from .measure import TOP, emit_unit
from .recipes import AREA_RECIPES
from .synthesis import synthesize
from .unit import Unit

RECIPE = AREA_RECIPES[0]


@dataclass(frozen=True)
class ModuleArea:
    """What one module takes, without those inside it.

    Attributes
    ----------
    module : str
        Path from the unit; empty for its own.
    gate_equivalents : float
    registers : int
    """

    module: str
    gate_equivalents: float
    registers: int


def measure_modules(unit: Unit, library: Library, folder: Path) -> list[ModuleArea]:
    """Map every module of a unit by itself, the largest first.

    Parameters
    ----------
    unit : Unit
    library : Library
    folder : pathlib.Path
        For the script, the log and the netlist.

    Raises
    ------
    SynthesisError
        If Yosys does not end well.
    """
    source = emit_unit(unit, folder)
    modules = [name for name in re.findall(rf"^module {TOP}_(\w+)", source.read_text(
        encoding="utf-8"), re.MULTILINE) if name != MODULE and not name.startswith(unit.left_out)]
    place = source.parent / "by_module"
    synthesize(source, library, RECIPE, place, repeated=tuple(modules), left_out=unit.left_out,
               top=TOP)
    statistics = json.loads((place / "cells.json").read_text(encoding="utf-8"))["modules"]
    found = []
    for name, each in statistics.items():
        cells = {cell: count for cell, count in each["num_cells_by_type"].items()
                 if cell in library.areas}
        registers = sum(cells.get(cell, 0) for cell in library.flip_flops)
        if cells:
            found.append(ModuleArea(name.removeprefix("\\").removeprefix(TOP).removeprefix("_"),
                                    round(library.gate_equivalents(cells), 1), registers))
    return sorted(found, key=lambda each: (-each.gate_equivalents, each.module))


def print_modules(console: Console, unit: Unit, found: Sequence[ModuleArea]) -> None:
    """Print a table, and the sum."""
    table = Table(title=unit.name, caption="Each module mapped by itself, without those inside it.")
    table.add_column("Module")
    for name in ("GE", "Registers"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(each.module or "(itself)", f"{each.gate_equivalents:,.0f}",
                      f"{each.registers:,}")
    table.add_section()
    table.add_row("sum", f"{sum(each.gate_equivalents for each in found):,.0f}",
                  f"{sum(each.registers for each in found):,}")
    console.print(table)


def write_modules(path: Path, found: Sequence[tuple[Unit, Sequence[ModuleArea]]]) -> None:
    """Write every number."""
    write_text(path, json.dumps({
        unit.name: {"configuration": unit.configuration,
                    "modules": [asdict(each) for each in modules]}
        for unit, modules in found}, indent=2) + "\n")
