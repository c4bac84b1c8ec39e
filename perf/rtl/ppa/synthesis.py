"""Verilog to a netlist of library cells, by Yosys and ABC in a process of their own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from commands import children
from commands.tools import ToolError
from hw.parts.sram import MODULE

from .library import Library
from .recipes import FASTEST, SynthesisRecipe

HERE = Path(__file__).parent

_RUN_SCRIPT = ("import sys; from pyosys import libyosys; "
               "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


class SynthesisError(ToolError):
    """Yosys stopped; the sentence says where its log is."""


@dataclass(frozen=True)
class Netlist:
    """What one recipe made of one unit.

    Attributes
    ----------
    recipe : str
    verilog : pathlib.Path
        The mapped netlist.
    cells : dict of str to int
        How many of each library cell, through all instances.
    registers : int
        Flip-flops among them.
    area : float
        In gate equivalents; memories left out.
    """

    recipe: str
    verilog: Path
    cells: dict[str, int]
    registers: int
    area: float


def synthesize(source: Path, library: Library, recipe: SynthesisRecipe, folder: Path, *,
               repeated: tuple[str, ...] = (), left_out: tuple[str, ...] = (), top: str = "top",
               memory: Path | None = None) -> Netlist:
    """Synthesize one Verilog file.

    Parameters
    ----------
    source : pathlib.Path
    library : Library
    recipe : SynthesisRecipe
    folder : pathlib.Path
        For the script, the log and the netlist.
    repeated : tuple of str
        Modules, without the top's name, that are mapped once and instantiated; all others are
        flattened.
    left_out : tuple of str
        Modules, named likewise, that become black boxes.
    top : str
    memory : pathlib.Path, optional
        Verilog of a module to put in the place of every memory, which it calls ```MEMORY``; without
        it they are black boxes, whose bits are counted and whose area is not.

    Raises
    ------
    SynthesisError
        If Yosys does not end well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "map.abc").write_text(
        recipe.mapping.format(period=FASTEST).replace("; ", "\n") + "\n", encoding="utf-8")
    (folder / "drive.constr").write_text(
        f"set_driving_cell {library.roles.driver}\nset_load {library.roles.load}\n",
        encoding="utf-8")
    full_adder = library.roles.full_adder
    if full_adder:
        cell, *pins = full_adder
        ports = ", ".join(f".{pin}({port})" for pin, port in zip(
            pins, ("a", "b", "c", "sum", "carry"), strict=True))
        (folder / "library_adder.v").write_text(
            '(* techmap_celltype = "full_adder" *)\n'
            "module library_full_adder (input a, b, c, output sum, carry);\n"
            f"  {cell} adder ({ports});\nendmodule\n", encoding="utf-8")
    script = folder / "synth.ys"
    script.write_text("\n".join(
        _passes(
        source.resolve(), library, recipe, repeated, left_out, top, memory)) + "\n",
        encoding="utf-8")
    statistics = folder / "cells.json"
    statistics.unlink(missing_ok=True)
    with (folder / "yosys.log").open("w", encoding="utf-8") as log:
        run = children.run([sys.executable, "-c", _RUN_SCRIPT, script.name], cwd=folder,
                           stdout=log, stderr=subprocess.STDOUT)
    if run.returncode or not statistics.exists():
        raise SynthesisError(f"Yosys failed on {source.name} with {recipe.name}: the end of "
                             f"{folder / 'yosys.log'} says why")
    modules = json.loads(statistics.read_text(encoding="utf-8"))["modules"]
    cells, registers = _count(modules, top, {f"{top}_{name}" for name in left_out}, library)
    return Netlist(recipe.name, folder / "netlist.v", cells, registers,
                   library.gate_equivalents(cells))


def _passes(source, library, recipe, repeated, left_out, top, memory):
    """List Yosys' commands."""
    liberty = f"-liberty {library.path}"
    yield f"read_verilog {source}"
    sram = f"{top}_{MODULE}"
    if sram in source.read_text(encoding="utf-8"):
        yield (f"read_verilog -overwrite -DMEMORY={sram} {memory.resolve()}" if memory
               else f"blackbox {sram}")
    yield from (f"blackbox {top}_{module}" for module in left_out)
    yield f"hierarchy -check -top {top}"
    yield from (f"setattr -mod -set keep_hierarchy 1 {top}_{module}" for module in repeated)
    yield from ("proc", "flatten -noscopeinfo", "opt_expr", "opt_clean")
    yield f"synth -top {top} -run coarse:fine" + (" -booth" if recipe.booth else "")
    yield from ("memory_map", "opt -undriven -fine", "maccmap", "opt_clean")
    if recipe.full_adders and library.roles.full_adder:
        yield f"techmap -map {HERE / 'full_adders.v'}"
        # Constants reach a carry only after the places below it are gone.
        for _ in range(3):
            yield from ("opt", f"techmap -map {HERE / 'constant_adders.v'}")
        yield from ("opt", "techmap -map library_adder.v")
    carries = f" -map +/choices/{recipe.carry}.v" if recipe.carry else ""
    yield from (f"techmap -map +/techmap.v{carries}", "opt -fast", "simplemap", "opt -fast")
    yield from ("dfflegalize -cell $_DFF_P_ 01", "opt -full", f"dfflibmap {liberty}", "opt")
    yield "simplemap"  # the last multiplexers that optimization has made
    yield f"abc {liberty} -script map.abc -constr drive.constr"
    yield from ("opt_clean", "setundef -zero", "tee -q -o cells.json stat -json",
                "write_verilog -noattr -noexpr -simple-lhs netlist.v")


def _count(modules, top, left_out, library):
    """Add up the library cells through the hierarchy; flip-flops as well."""
    def total(module):
        cells = {}
        for cell, count in modules[module]["num_cells_by_type"].items():
            if cell.removeprefix("\\") in left_out:
                continue
            if f"\\{cell}" in modules or cell in modules:
                inside = total(f"\\{cell}" if f"\\{cell}" in modules else cell)
            elif cell in library.areas:
                inside = {cell: 1}
            elif MODULE in cell:
                inside = {}
            else:
                raise SynthesisError(f"{cell} was left unmapped: {library.path.name} has no cell "
                                     "for it")
            for name, each in inside.items():
                cells[name] = cells.get(name, 0) + each * count
        return cells
    cells = total(f"\\{top}")
    registers = sum(count for cell, count in cells.items() if cell in library.flip_flops)
    return dict(sorted(cells.items())), registers
