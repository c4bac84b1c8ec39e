"""Measure area and clock: ``mixdit area``, or some units by name.

Exit codes as `commands.exit_codes` has them; 1 also means that a target is missed.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands import tools
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, check_folder
from commands.running import sentences
from commands.terminal import make_console

from .by_module import measure_modules, print_modules, write_modules
from .claims import make_claims
from .library import find_library
from .measure import measure
from .report import draw, keep_json, print_table, write_json, write_markdown
from .units import UNITS

FIGURES = Path(__file__).parent / "figures.json"
"""Of the last run that was kept."""

REPORTS = ("report.json", "report.md", "per_mac.png")
MODULES = "modules.json"


def area(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[UNIT]...", help="Units to measure; all without.")] = None,
    liberty: Annotated[str | None, typer.Option(
        help="Liberty file of another library; or MIXDIT_LIBERTY.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for netlists, logs and results.")] = Path(
        "build/ppa"),
    jobs: Annotated[int, typer.Option(min=1, help="Tools run at once.")] = 2,
    timing: Annotated[bool, typer.Option(help="Also the speed point.")] = True,
    keep: Annotated[bool, typer.Option(
        help="Replace the figures in the repository, which estimates read, or the units' part of "
        "them.")] = False,
    by_module: Annotated[bool, typer.Option(
        "--by-module", help="Show the area of each module inside the units instead.")] = False,
) -> Figures:
    """Synthesize the machine's parts and the references.

    Area, clock and targets are printed and written. The exit code is 1 if a target is missed;
    targets need the speed point, and the units that they are about.

    Example: mixdit area csr --no-timing --json
    """
    console = make_console(width=150)
    known = {unit.name: unit for unit in UNITS}
    with sentences("Interrupted. No figures were written."):
        if keep and not timing:
            raise ValueError("figures are kept with their speed points: leave out --no-timing")
        if by_module and not names:
            raise ValueError("--by-module needs the name of a unit, such as 'memory system'")
        wrong = [name for name in names or () if name not in known]
        if wrong:
            raise ValueError(f"there is no unit {wrong[0]!r}; there are {', '.join(known)}")
        units = [known[name] for name in names] if names else list(UNITS)
        check_folder(out)
        for file in (*(out / name for name in (*REPORTS, MODULES)), *[FIGURES] * keep):
            check_file(file)
        needs_cells = not liberty and not os.environ.get("MIXDIT_LIBERTY")
        tools.require([*["sta"] * (timing and not by_module), *["osu018"] * needs_cells])
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        library = find_library(liberty)
        if by_module:
            modules = []
            for unit in units:
                with console.status(f"Mapping the modules of {unit.name}"):
                    modules.append((unit, measure_modules(unit, library, out)))
                print_modules(console, *modules[-1])
            write_modules(out / MODULES, modules)
            console.print(f"Written: {out / MODULES}", soft_wrap=True)
            return Figures(out / MODULES)
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                      TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("emitting Verilog", total=None)

            def show(done: int, total: int, what: str) -> None:
                progress.update(bar, completed=done, total=total, description=what)

            found = measure(units, library, out, jobs=jobs, with_timing=timing, on_progress=show)
        claims = make_claims({each.unit.name: each for each in found}) if timing else []
        print_table(console, found, claims)
        write_json(out / "report.json", found, claims, library)
        write_markdown(out / "report.md", found, claims)
        if any(each.per_mac is not None for each in found):
            draw(out / "per_mac.png", found)
        if keep and names:
            keep_json(FIGURES, list(known), found, claims, library)
        elif keep:
            write_json(FIGURES, found, claims, library)
    console.print(f"Written: {out}/report.json, report.md, per_mac.png", soft_wrap=True)
    if keep:
        console.print(f"Kept: {FIGURES.name}, which estimates of whole machines read.")
    return Figures(out / "report.json", ExitCode.DONE if all(claim.met for claim in claims)
                   else ExitCode.DIFFERENT)
