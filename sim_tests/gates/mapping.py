"""From a component to the Verilog of its netlist, with a model of each cell."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib.wiring import Component

from commands import children
from commands.tools import ToolError
from hw.parts.emit import emit_files
from hw.parts.sram import MODULE
from perf.rtl.ppa.library import Library
from perf.rtl.ppa.synthesis import Netlist, synthesize
from sim_tests.gates.subjects import Subject

NETLIST, MEMORY = "netlist.v", "memory.v"
"""What `synthesize` writes, and the memory module beside it."""

_RUN = ("import sys; from pyosys import libyosys; "
        "libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())")


@dataclass(frozen=True)
class Mapped:
    """A netlist.

    Attributes
    ----------
    source : pathlib.Path
        The Verilog that it was made from.
    netlist : Netlist
    models : str
        Verilog of the cells that are in it.
    files : dict of str to str
        What a bench builds: the netlist with its models, and the memory module if there is one.
    """

    source: Path
    netlist: Netlist
    models: str
    files: dict[str, str]


def map_to_gates(subject: Subject, component: Component, library: Library, folder: Path) -> Mapped:
    """Synthesize a subject.

    Parameters
    ----------
    subject : Subject
    component : wiring.Component
        Its own.
    library : Library
    folder : pathlib.Path
        Takes the source, the scripts, the logs and the netlist.

    Raises
    ------
    ToolError
        If Yosys does not end well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = emit_files(component, subject.top)
    source = folder / "source.v"
    source.write_text("\n".join(files.values()), encoding="utf-8")
    netlist = synthesize(source, library, subject.recipe, folder, top=subject.top,
                         repeated=subject.repeated)
    models = cell_models(library, set(netlist.cells), folder)
    memory = {name: text for name, text in files.items() if name == f"{subject.top}_{MODULE}.v"}
    (folder / MEMORY).write_text("\n".join(memory.values()), encoding="utf-8")
    _check(subject.top, library, folder)
    text = netlist.verilog.read_text(encoding="utf-8")
    return Mapped(source, netlist, models, {f"{subject.top}.v": f"{text}\n{models}"} | memory)


def cell_models(library: Library, cells: set[str], folder: Path) -> str:
    """Write cells as Verilog, by the functions that the library states of them.

    They have no delays, and nothing of the library's own Verilog.

    Raises
    ------
    ToolError
        If Yosys does not end well, or the library does not say what a cell does.
    """
    _yosys(folder, "cells", f"read_liberty -ignore_miss_func {library.path}",
           "write_verilog -noattr cells.v")
    text = (folder / "cells.v").read_text(encoding="utf-8")
    known = {found[1]: found[0] for found in re.finditer(
        r"^module (\w+)\(.*?^endmodule\n", text, re.MULTILINE | re.DOTALL)}
    if missing := cells - set(known):
        raise ToolError(f"{library.path.name} does not say what {min(missing)} does")
    return "\n".join(known[name] for name in sorted(cells))


def _check(top: str, library: Library, folder: Path) -> None:
    """See that no gates go round in a loop, and that nothing is driven twice.

    Verilator can't tell: it sees loops of whole vectors, one bit of which follows from another.
    """
    _yosys(folder, "check", f"read_liberty -ignore_miss_func {library.path}",
           f"read_verilog {NETLIST} {MEMORY}", f"hierarchy -check -top {top}", "proc", "flatten",
           "memory_collect", "check -assert")


def _yosys(folder: Path, name: str, *commands: str) -> None:
    """Run Yosys in a folder; its script and its log are named."""
    script, log = folder / f"{name}.ys", folder / f"{name}.log"
    script.write_text("\n".join(commands) + "\n", encoding="utf-8")
    with log.open("w", encoding="utf-8") as output:
        done = children.run([sys.executable, "-c", _RUN, script.name], cwd=folder, stdout=output,
                            stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolError(f"Yosys failed: the end of {log} says why")
