"""The benches on netlists of library cells: ``mixdit check gates``, or some netlists by name."""

import json
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from commands import builds, tools
from commands.checkout import require_checkout
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.options import folder
from commands.outputs import check_folder, whole
from commands.running import sentences
from commands.terminal import make_console
from perf.rtl.ppa.library import find_library
from reporting.table import Column, Table
from sim_tests.bench import BUILD, seed
from sim_tests.coverage import documents
from sim_tests.gates.benches import Outcome, judge_once
from sim_tests.gates.subjects import SUBJECTS


def main(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[NETLIST]...", help=f"Of {', '.join(SUBJECTS)}; all without.")] = None,
    liberty: Annotated[str | None, typer.Option(
        help="Liberty file of another library; or MIXDIT_LIBERTY.")] = None,
    out: Annotated[Path, typer.Option(
        parser=folder, metavar="FOLDER", help="For netlists and logs.")] = Path("build/gates"),
    keep: Annotated[bool, typer.Option(
        help="Replace the record in docs/verification, and its table on the page.")] = False,
) -> Figures:
    """Map parts of the machine, and a whole one, to library cells, and run their benches on them.

    Cells behave by the functions that the library states, without delays. What has passed is not
    done again until something changes; so an interrupted call goes on. The exit code is 1 if a
    bench fails.

    Example: mixdit check gates cell_area detector_area
    """
    console = make_console(width=120)
    outcomes: list[Outcome] = []
    with sentences("Interrupted: what has passed is kept, the next call goes on."):
        require_checkout()
        if keep and names:
            raise ValueError("only a whole run is kept: leave out the names")
        if keep:
            documents.check_others(documents.GATES)
        wrong = [name for name in names or () if name not in SUBJECTS]
        if wrong:
            raise ValueError(f"there is no netlist {wrong[0]!r}; there are {', '.join(SUBJECTS)}")
        builds.check_place(BUILD)
        check_folder(out)
        tools.require([] if liberty or os.environ.get("MIXDIT_LIBERTY") else ["osu018"])
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        library = find_library(liberty)
        chosen = [SUBJECTS[name] for name in dict.fromkeys(names or SUBJECTS)]
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                      TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("mapping", total=len(chosen))
            for subject in chosen:
                progress.update(bar, description=subject.name)
                outcomes.append(judge_once(subject, library, out / subject.name))
                progress.update(bar, advance=1)
        record = out / "gates.json"
        with whole(record) as file:
            file.write((json.dumps(_record(library.path.stem, outcomes), indent=1) + "\n").encode())
    if keep:
        documents.keep(record, documents.GATES)
    _print(console, outcomes)
    failed = [each for each in outcomes if each.fault]
    return Figures(record, ExitCode.DIFFERENT if failed else ExitCode.DONE)


def _record(library: str, outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {"library": library, "seed": seed(), "netlists": {each.subject.name: {
        "recipe": each.subject.recipe.name, "cells": each.cells, "registers": each.registers,
        "passed": each.passed, "fault": each.fault, "seconds": round(each.seconds),
    } for each in outcomes}}


def _print(console: Console, outcomes: Sequence[Outcome]) -> None:
    table = Table((Column("netlist", text=True), Column("recipe", text=True), Column("cells"),
                   Column("registers"), Column("tests\npassed"), Column("seconds")),
                  title="Benches on netlists of library cells")
    for each in outcomes:
        table.add(each.subject.name, each.subject.recipe.name, f"{each.cells:,}",
                  f"{each.registers:,}", str(sum(each.passed.values())), f"{each.seconds:.0f}",
                  missed=[4] if each.fault else ())
    console.print(table.for_terminal())
    for each in outcomes:
        if each.fault:
            console.print(f"{each.subject.name}: {each.fault}", style="red")
