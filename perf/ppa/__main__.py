"""Measure area and clock: ``python -m perf.ppa``, or some units by name.

Exit codes: 0, also when a target is missed, which the table says; 2 for a mistake in the call, 3
when a tool failed, 130 when interrupted.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .claims import make_claims
from .library import LibraryError, find_library
from .measure import measure
from .report import draw, print_table, write_json, write_markdown
from .synthesis import SynthesisError
from .timing import TimingError
from .units import UNITS

FIGURES = Path(__file__).parent / "figures.json"
"""Of the last run that was kept."""

MISTAKE, FAILED, INTERRUPTED = 2, 3, 130


def main(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[UNIT]...", help="Units to measure; all without.")] = None,
    liberty: Annotated[str | None, typer.Option(
        help="Liberty file of another library; or MIXDIT_LIBERTY.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for netlists, logs and results.")] = Path(
        "build/ppa"),
    jobs: Annotated[int, typer.Option(min=1, help="Tools run at once.")] = 2,
    timing: Annotated[bool, typer.Option(help="Also the speed point.")] = True,
    keep: Annotated[bool, typer.Option(
        help="Replace the figures in the repository, which estimates read.")] = False,
) -> None:
    """Synthesize the machine's parts and the references; write area, clock and targets."""
    console = Console()
    known = {unit.name: unit for unit in UNITS}
    if keep and (names or not timing):
        console.print("Only a whole run is kept: leave out names and --no-timing.", style="red")
        raise typer.Exit(MISTAKE)
    wrong = [name for name in names or () if name not in known]
    if wrong:
        console.print(f"There is no unit {wrong[0]!r}. There are: {', '.join(known)}.",
                      style="red", highlight=False)
        raise typer.Exit(MISTAKE)
    units = [known[name] for name in names] if names else list(UNITS)
    try:
        library = find_library(liberty)
        out.mkdir(parents=True, exist_ok=True)
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                      TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("emitting Verilog", total=None)

            def show(done: int, total: int, what: str) -> None:
                progress.update(bar, completed=done, total=total, description=what)

            found = measure(units, library, out, jobs=jobs, with_timing=timing, on_progress=show)
    except LibraryError as error:
        console.print(str(error), style="red", highlight=False)
        raise typer.Exit(MISTAKE) from None
    except (SynthesisError, TimingError) as error:
        console.print(str(error), style="red", highlight=False)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        console.print("Interrupted. No figures were written.")
        raise typer.Exit(INTERRUPTED) from None
    claims = make_claims({each.unit.name: each for each in found}) if timing else []
    print_table(console, found, claims)
    write_json(out / "report.json", found, claims, library)
    write_markdown(out / "report.md", found, claims)
    if any(each.per_mac is not None for each in found):
        draw(out / "per_mac.png", found)
    console.print(f"Written: {out}/report.json, report.md, per_mac.png", highlight=False)
    if keep:
        write_json(FIGURES, found, claims, library)
        console.print(f"Kept: {FIGURES.name}, which estimates of whole machines read.")


if __name__ == "__main__":
    typer.run(main)
