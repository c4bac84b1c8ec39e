"""How busy a block's list of commands keeps the array: ``mixdit study block``.

Exit codes are those of `commands.exit_codes`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import count
from typing import Annotated, Any

import typer
from rich.table import Table

from commands.figures import Figures
from commands.running import sentences
from hw.contract.config import Config
from hw.machine_options import machine_options
from perf.studies.report.terminal import console, find, progress

from .figures import BlockFigures, measure
from .models import MODELS

NOTHING_KEPT = "Interrupted: nothing is kept."


@machine_options("rows", "cols", "act_bytes", "weight_bytes", "act_depth", "weight_depth",
                 "stage_depth", "drain_lanes", "read_depth", "outstanding", "burst_beats")
def block(
    machine: Mapping[str, Any],
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[NAME]...", help=f"Of {', '.join(MODELS)}; all without.")] = None,
    vector_lanes: Annotated[int, typer.Option(help="Full lanes of the vector unit.")] = 2,
    bus_bytes: Annotated[int, typer.Option(help="Bytes of a word of the bus.")] = 32,
    latency: Annotated[int, typer.Option(
        min=1, help="Of the memory's reads and writes, in cycles.")] = 100,
) -> Figures:
    """Ask the exact cycle model how long a model's blocks take as lists of commands, all in MX6.

    Shapes alone are needed. Of models of 4,096 image tokens a part of 128 is computed, with all
    keys, and counted as often as there are such parts.

    Example: mixdit study block

    Example: mixdit study block dit-256 --rows 16 --cols 16 --bus-bytes 64 --vector-lanes 8
    """
    with sentences(NOTHING_KEPT):
        if not vector_lanes:
            raise ValueError("vector_lanes=0 is a machine without a vector unit, which cannot "
                             "carry out what lies between a block's GEMMs")
        config = Config.sized(**machine, bus_bytes=bus_bytes, vector_lanes=vector_lanes)
        models = find(names, MODELS, "model")
        with progress("blocks") as show:
            done = count(0)
            found = [measure(model, config, latency, lambda part, model=model: show(
                next(done), sum(len(each.parts) for each in models), f"{model.title}, {part}"))
                for model in models]
        for figures in found:
            console.print(_table(figures))
        return Figures({"latency": latency, "machine": config.describe(), "blocks": [
            {"title": each.title, "cycles": each.cycles, "multiplications": each.multiplications,
             "busy": each.busy, "parts": [asdict(part) for part in each.parts]}
            for each in found]})


def _table(figures: BlockFigures) -> Table:
    """Show each part's commands, and the whole."""
    table = Table(title=f"{figures.title}: {figures.busy:.1%} of {figures.cycles:,} cycles are "
                        "useful multiplications")
    for column in ("Part", "Times", "Command", "Cycles"):
        table.add_column(column, justify="left" if column in ("Part", "Command") else "right")
    for part in figures.parts:
        table.add_section()
        for number, (what, cycles) in enumerate(part.commands):
            table.add_row("" if number else part.name, "" if number else f"{part.count:,}", what,
                          f"{cycles:,}")
        table.add_row("", "", "all", f"{part.cycles:,}")
    return table
