"""A computation's lists, run and reported: what commands that run lists have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.terminal import complain
from examples.attention_steps import PrecisionChoice
from examples.lists.computation import Computation
from examples.lists.running import ListRow, simulate_lists
from examples.places import show_places
from hw.contract.config import Config


def run_and_report(
    computation: Computation, choices: Sequence[PrecisionChoice], config: Config, *, latency: int,
    title: str, folder: Path, console: Console, **more: Any,
) -> tuple[Figures, list[ListRow]]:
    """Run lists in several styles; write table, JSON and picture; tell whether a byte differs.

    Parameters
    ----------
    computation, choices, config, latency, console
        As of `simulate_lists`.
    title : str
        Of the picture.
    folder : Path
        Where ``report.json`` and ``report.png`` are written.
    **more
        What the report has beside numbers, machine and choices.

    Returns
    -------
    figures : Figures
    rows : list of ListRow
    """
    rows, verilog, seconds = simulate_lists(computation, choices, config, latency, console)
    from examples.lists.report import draw_lists, print_lists, write_lists

    write_lists(folder / "report.json", rows, config, latency=latency,
                fraction=choices[0].fraction, head_fraction=choices[0].head_fraction, **more,
                seconds=seconds)
    draw_lists(folder / "report.png", rows, title)
    print_lists(console, rows)
    show_places(console, verilog, folder, seconds)
    wrong = [row for row in rows if row.wrong_bytes]
    for row in wrong:
        complain(f"{row.name} in {row.style.title}: {row.wrong_bytes} bytes of memory differ from "
                 "the golden model's.")
    if wrong:
        return Figures(folder / "report.json", ExitCode.DIFFERENT), rows
    console.print(f"After all {len(rows)} lists every byte of memory equals the golden model's.",
                  style="green")
    return Figures(folder / "report.json"), rows
