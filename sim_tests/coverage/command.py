"""How much the benches reach: ``mixdit check coverage``, of all modules or some."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
from commands.names import resolve
from commands.options import folder
from commands.outputs import check_folder, whole
from commands.running import sentences
from commands.terminal import make_console
from commands.tools import ToolError
from reporting.table import Column, Table
from sim_tests.bench import BUILD
from sim_tests.coverage import documents, exclusions
from sim_tests.coverage.benches import Bench, benches_of, find_modules
from sim_tests.coverage.functional.dimensions import bins, words
from sim_tests.coverage.functional.trying import PER_SIMULATION, Tried, try_all
from sim_tests.coverage.pages import write_pages
from sim_tests.coverage.points import KINDS, Point
from sim_tests.coverage.record import read_counts_of
from sim_tests.coverage.running import Outcome, run_all
from sim_tests.coverage.totals import GOALS, Total, by_module, overall


def main(
    modules: Annotated[list[str] | None, typer.Argument(
        metavar="[MODULE]...",
        help="Such as streams/skid_buffer or skid_buffer; all without.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Benches at once.")] = 2,
    random_jobs: Annotated[int, typer.Option(
        min=0, help="Most random jobs, by which combinations of settings are tried.")] = 20_000,
    out: Annotated[Path, typer.Option(
        parser=folder, metavar="FOLDER",
        help="For the pages, and for what benches reach.")] = Path("build/coverage"),
    keep: Annotated[bool, typer.Option(
        help="Replace the record in docs/verification, and its table on the page.")] = False,
) -> Figures:
    """Count which lines, branches and bits of the modules their benches reach.

    Without modules also which combinations of kinds of jobs, data and trouble random jobs try.
    Writes a page per module, its source coloured, and an index. Benches whose sources have not
    changed since the last call are not run again; so an interrupted call goes on. The exit code is
    1 if a goal is missed or a bench fails, 3 if one cannot run.

    Example: mixdit check coverage csr job_check
    """
    console = make_console(width=120)
    with sentences("Interrupted: the benches that ended are kept, the next call goes on."):
        require_checkout()
        if keep and modules:
            raise ValueError("only a whole run is kept: leave out the modules")
        known = find_modules()
        named = [resolve(name, known, "module") for name in modules or ()]
        if keep:
            documents.check_others(documents.COVERAGE)
        builds.check_place(BUILD)
        check_folder(out)
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        tools.require(tools.VERILATOR)
        benches = benches_of(named)
        wanted = {f"hw/{name}.py" for name in named}
        rules = exclusions.read()
        with builds.alone(BUILD / "coverage"):  # its models lie there whatever --out is
            outcomes = _run(console, benches, out / "runs", jobs)
        if dead := [each for each in outcomes if not each.has_run]:
            raise ToolError("\n".join(f"{each.bench.name} could not run: the end of {each.log} "
                                      "says why" for each in dead))
        counts = read_counts_of(each.counts for each in outcomes if each.counts)
        counts = Counter({point: count for point, count in counts.items()
                          if not wanted or point.module in wanted})
        excluded = exclusions.excluded(counts, rules)
        totals = by_module(counts, excluded)
        tried = None if wanted else _try(console, out / "runs" / "functional.json", random_jobs)
        index = write_pages(out, counts, excluded, totals, tried)
        record = out / "coverage.json"
        with whole(record) as file:
            file.write(_text(totals, rules if not wanted else (), tried).encode())
    console.print(_table(totals).for_terminal())
    faults = _faults(outcomes, counts, excluded, rules if not wanted else (), totals, tried)
    for fault in faults:
        console.print(fault, style="red")
    if keep:
        documents.keep(record, documents.COVERAGE)
    console.print(f"pages: {index}")
    return Figures(record, ExitCode.DIFFERENT if faults else ExitCode.DONE)


def _run(console: Console, benches: Sequence[Bench], folder: Path, jobs: int) -> list[Outcome]:
    outcomes = []
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("running benches", total=len(benches))
        for outcome in run_all(benches, folder, jobs):
            outcomes.append(outcome)
            progress.update(bar, advance=1, description=outcome.bench.name)
    return outcomes


def _faults(outcomes: Sequence[Outcome], counts: Counter[Point], excluded: Mapping[Point, str],
            rules: Sequence[exclusions.Exclusion], totals: Mapping[str, Mapping[str, Total]],
            tried: Tried | None) -> list[str]:
    """Say what is not as it should be."""
    faults = [f"{each.bench.name} failed: the end of {each.log} says why"
              for each in outcomes if not each.counts]
    faults += [f"nothing is left out by the exclusion of {each.what!r} in {each.module}"
               for each in exclusions.idle(excluded, rules)]
    if len(excluded) > exclusions.MOST * len(counts):
        faults.append(f"{len(excluded)} of {len(counts)} points are left out, more than "
                      f"{exclusions.MOST:.0%}")
    faults += [f"{kind}: {total.percent} % are reached, and {GOALS[kind]:.0%} are the goal"
               for kind, total in overall(totals).items() if total.share < GOALS[kind]]
    if tried and tried.empty():
        faults.append(f"{len(tried.empty())} combinations were not tried: the pages list them")
    return faults


def _try(console: Console, path: Path, most: int) -> Tried:
    """Try random jobs, and show how many combinations there were."""
    total = len(list(bins()))
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("combinations of jobs", total=total)
        return try_all(path, most, lambda tried: progress.update(
            bar, completed=total - len(tried.empty())))


def _text(totals: Mapping[str, Mapping[str, Total]], rules: Sequence[exclusions.Exclusion],
          tried: Tried | None) -> str:
    """Write totals, exclusions and combinations as they are kept: one module a line."""
    record = json.dumps(_record(totals, rules, tried), indent=1)
    return re.sub(r"\[\n +(\d+),\n +(\d+),\n +(\d+)\n +\]", r"[\1, \2, \3]", record) + "\n"


def _record(totals: Mapping[str, Mapping[str, Total]], rules: Sequence[exclusions.Exclusion],
            tried: Tried | None) -> dict[str, object]:
    def short(total: Mapping[str, Total]) -> dict[str, list[int]]:
        return {kind: [total[kind].reached, total[kind].points, total[kind].excluded]
                for kind in KINDS}

    return {
        "columns": ["reached", "points", "left out"],
        "all": short(overall(totals)),
        "modules": {module: short(total) for module, total in totals.items()},
        "exclusions": [{key: value for key, value in vars(each).items() if value is not None}
                       for each in rules],
    } | ({} if tried is None else {"combinations": {
        "all": len(list(bins())), "tried": len(list(bins())) - len(tried.empty()),
        "jobs": tried.simulations * PER_SIMULATION,
        "empty": [words(each) for each in tried.empty()]}})


def _table(totals: Mapping[str, Mapping[str, Total]]) -> Table:
    table = Table((Column("module", text=True), *(Column(f"{kind},\n%") for kind in KINDS),
                   *(Column(f"{kind},\nmissed") for kind in KINDS), Column("left\nout")),
                  title="What the benches reach")
    for name, total in [*totals.items(), ("all", overall(totals))]:
        table.add(name, *(total[kind].percent for kind in KINDS),
                  *(f"{total[kind].points - total[kind].reached:,}" for kind in KINDS),
                  f"{sum(each.excluded for each in total.values()):,}",
                  missed=[place for place, kind in enumerate(KINDS, 1)
                          if total[kind].share < GOALS[kind]], starts_group=name == "all")
    return table
