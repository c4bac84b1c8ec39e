"""Synthesize the machine for FPGAs, place and route it on an ECP5: ``mixdit fpga``.

Exit codes: 0 when the clock is fast enough, or nothing was placed; 1 when it is too slow; else as
`commands.exit_codes` has them.
"""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, check_folder
from commands.running import sentences
from commands.terminal import make_console
from hw.parts.emit import emit
from perf.rtl.ppa.unit import Unit

from .harness import INNER, TOP, emit_harnessed
from .placement import pack, place
from .report import Report, Row, print_report, write_json
from .synthesis import synthesize
from .targets import DEVICE, ECP5, FAMILIES, PARTS, PLACED, XC7
from .tools import PACKAGES, require


def measure(console: Console, folder: Path, seed: int, *, with_placement: bool,
            accelerator: Unit = PLACED["streams"]) -> Report:
    """Do everything, and say what was done.

    Parameters
    ----------
    console : Console
    folder : pathlib.Path
        Gets a folder per unit and family.
    seed : int
        Of the placer.
    with_placement : bool
        Without, only synthesis.
    accelerator : Unit
        What is placed.

    Raises
    ------
    commands.tools.ToolError
        If a tool is missing or fails.
    """
    require(*list(PACKAGES)[: None if with_placement else 1])
    report = Report(seed, accelerator)
    for unit in PARTS:
        verilog = emit(unit.make(), INNER, header=unit.configuration)
        for family in FAMILIES:
            _synthesize(console, report, unit, family, verilog, INNER, folder)
    machine = emit_harnessed(accelerator.make(), header=accelerator.configuration)
    _synthesize(console, report, accelerator, XC7, machine, INNER, folder)
    placed = _synthesize(console, report, accelerator, ECP5, machine, TOP, folder)
    if with_placement:
        report.placement = _timed(console, f"placed and routed on {DEVICE.describe()}",
                                  lambda: place(placed, DEVICE, seed))
        report.bitstream_bytes = pack(placed).stat().st_size
    return report


def _synthesize(console, report, unit, family, verilog, top, folder):
    """Add a row; return the folder in which it was made."""
    place = folder / f"{unit.name}_{family.name}".replace(" ", "_").lower()
    resources = _timed(console, f"{unit.name} synthesized for {family.name}",
                       lambda: synthesize(verilog, family, top, place))
    report.rows.append(Row(unit, family.name, resources))
    return place


def _timed(console, what, work):
    started = time.perf_counter()
    with console.status(f"{what} …"):
        result = work()
    console.print(f"{time.perf_counter() - started:6.0f} s  {what}")
    return result


def fpga(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For everything that is made.")] = (
        Path("build/fpga")),
    seed: Annotated[int, typer.Option(help="Of the placer.")] = 1,
    with_placement: Annotated[bool, typer.Option(
        "--place/--no-place", help="Without, synthesis only: a few minutes instead of half an "
        "hour.")] = True,
    machine: Annotated[Literal["streams", "ring"], typer.Option(
        help="4x4 cells between streams, or 2x2 between a command ring and a bus of 128 "
        "bits.")] = "streams",
) -> Figures:
    """Synthesize the machine for FPGAs, place and route it on an ECP5.

    The exit code is 1 if the clock is too slow there.

    Example: mixdit fpga --no-place --json
    """
    console = make_console(width=150)
    with sentences("Interrupted: no report was written."):
        check_folder(out)
        check_file(out / "report.json")
        report = measure(console, out, seed, with_placement=with_placement,
                         accelerator=PLACED[machine])
        print_report(console, report)
        write_json(out / "report.json", report)
    console.print(f"Report: {out / 'report.json'}", soft_wrap=True)
    return Figures(out / "report.json",
                   ExitCode.DIFFERENT if report.met is False else ExitCode.DONE)
