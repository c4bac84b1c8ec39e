"""Verilog to a netlist of an FPGA family's cells, by Yosys in a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from commands import children
from commands.tools import ToolError

from .targets import Family
from .tools import require

_RUN_SCRIPT = ("import sys; from pyosys import libyosys; "
               "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


@dataclass(frozen=True)
class Resources:
    """What a unit takes.

    Attributes
    ----------
    luts : int
        Look-up tables of logic, whatever their number of inputs; those in carry cells included.
    luts_in_carries : int
        Those of them whose place carry cells take.
    lut_rams : int
        Cells of memories and shift registers in LUTs.
    dsps : int
    block_rams : float
        ECP5: of 18 kbit; Xilinx: of 36 kbit, where half a one is possible.
    registers : int
    cells : dict of str to int
        Every type of cell that the netlist has.
    """

    luts: int
    luts_in_carries: int
    lut_rams: int
    dsps: int
    block_rams: float
    registers: int
    cells: dict[str, int]


def count_resources(cells: dict[str, int], family: Family) -> Resources:
    """Add up the cells of a netlist by what they are.

    Parameters
    ----------
    cells : dict of str to int
        How many of each type.
    family : Family
    """
    def total(prefixes):
        return sum(count for cell, count in cells.items() if cell.startswith(prefixes))

    in_carries = family.luts_per_carry * total(family.carries)
    return Resources(
        luts=total(family.luts) + in_carries, luts_in_carries=in_carries,
        lut_rams=total(family.lut_rams), dsps=total(family.dsps),
        block_rams=sum(count * cells.get(cell, 0) for cell, count in family.block_rams.items()),
        registers=total(family.registers),
        cells={cell: count for cell, count in sorted(cells.items()) if not cell.startswith("$")})


def synthesize(verilog: str, family: Family, top: str, folder: Path) -> Resources:
    """Synthesize one Verilog text.

    Parameters
    ----------
    verilog : str
    family : Family
    top : str
        The module to begin with.
    folder : pathlib.Path
        Gets the Verilog, the script, the log, and the netlist as ``netlist.json``.

    Raises
    ------
    ToolError
        If Yosys is not installed, or does not end well.
    """
    require("pyosys")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unit.v").write_text(verilog, encoding="utf-8")
    (folder / "synth.ys").write_text("\n".join([
        "read_verilog unit.v",
        f"{family.command} -top {top} -json netlist.json",
        "tee -q -o cells.json stat -json",
    ]) + "\n", encoding="utf-8")
    statistics, log = folder / "cells.json", folder / "yosys.log"
    statistics.unlink(missing_ok=True)
    with log.open("w", encoding="utf-8") as output:
        run = children.run([sys.executable, "-c", _RUN_SCRIPT, "synth.ys"], cwd=folder,
                             stdout=output, stderr=subprocess.STDOUT)
    if run.returncode or not statistics.exists():
        raise ToolError(f"Yosys could not map the unit to {family.name}: the end of {log} says why")
    modules = json.loads(statistics.read_text(encoding="utf-8"))["modules"]
    cells = modules[f"\\{top}"]["num_cells_by_type"]
    return count_resources(cells, family)
