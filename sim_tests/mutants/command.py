"""Make netlist mutants of every module, and see that a bench notices: ``mixdit check mutants``."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands import builds, children, tools
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.outputs import check_file, check_folder, whole
from commands.running import sentences
from commands.terminal import make_console
from sim_tests.mutants.benches import Benches, read
from sim_tests.mutants.examine import Examined, examine

OUT = Path("build/mutants")

EACH_MODULE, ALL_MODULES = 0.95, 0.98
"""Least share of the mutants that are not equivalent which has to be killed."""

BY_REASON = 0.03
"""Largest share of all mutants that only a reason excuses."""


def main(
    modules: Annotated[list[str] | None, typer.Argument(
        metavar="[MODULE]...", help="Such as streams/skid_buffer; all without.")] = None,
    per_module: Annotated[int, typer.Option(min=1, help="Mutants of each module.")] = 26,
    seed: Annotated[int, typer.Option(min=0, help="Which mutants.")] = 1,
    sample: Annotated[int | None, typer.Option(
        min=1, help="So many modules, chosen by --turn, and no others.")] = None,
    turn: Annotated[int, typer.Option(min=0, help="Which modules --sample takes.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Modules at once.")] = 2,
    again: Annotated[bool, typer.Option(
        "--again", help="Examine again what is known from an earlier run.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for netlists, models and results.")] = OUT,
) -> Figures:
    """Make netlist mutants of every module, and see that a bench notices each.

    A mutant runs in its module's bench and, if it survives and is not proven equivalent, in the
    accelerator's. What was examined before is not examined again unless its sources changed; an
    interrupt loses the modules under way. The exit code is 1 if too many survive.

    Example: mixdit check mutants streams/skid_buffer --per-module 50
    """
    console = make_console(width=150)
    with sentences("Interrupted: the next call goes on."):
        known = read()
        wrong = [name for name in modules or () if name not in known]
        if wrong:
            raise ValueError(f"there is no module {wrong[0]!r}; there are {', '.join(known)}")
        builds.check_place(out)
        tools.require(tools.VERILATOR)
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        check_folder(out)
        check_file(out / "report.json")
        chosen = list(dict.fromkeys(modules or known))
        if sample is not None:
            order = np.random.default_rng(turn).permutation(len(chosen))[:sample]
            chosen = [chosen[number] for number in sorted(order)]
        found = {}
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                      TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("mutants", total=len(chosen))
            for each in _examine_all([known[name] for name in chosen], per_module, seed, out, jobs,
                                     again):
                found[each.module] = each
                progress.update(bar, advance=1, description=each.module)
                console.print(_sentence(each))
        examined = [found[name] for name in chosen]
        with whole(out / "report.json") as file:
            file.write(json.dumps([each.record() for each in examined], indent=1).encode())
        console.print(table_of(examined))
        is_good = _is_good(examined, console)
    return Figures(out / "report.json", ExitCode.DONE if is_good else ExitCode.DIFFERENT)


def _examine_all(benches: Sequence[Benches], count: int, seed: int, out: Path, jobs: int,
                 again: bool) -> Iterator[Examined]:
    """Examine modules at once; yield each as it is done, the known ones first."""
    waiting = []
    for each in benches:
        kept = _kept(each.module, count, seed, out)
        if kept and kept.is_current and not again:
            yield kept
        else:
            waiting.append(each)

    def work(each: Benches) -> Examined:
        folder = _folder(out, each.module, count, seed)
        done = examine(each, count, seed, folder)
        with whole(folder / "result.json") as file:
            file.write(json.dumps(done.record()).encode())
        return done

    pool = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([pool.submit(work, each) for each in waiting]):
            yield done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        children.end_all()


def _folder(out: Path, module: str, count: int, seed: int) -> Path:
    """Return where a module's files are."""
    return out / module.replace("/", "_") / f"{count}_{seed}"


def _kept(module: str, count: int, seed: int, out: Path) -> Examined | None:
    """Read what an earlier run found; None if there is nothing."""
    file = _folder(out, module, count, seed) / "result.json"
    return Examined.read(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def _sentence(each: Examined) -> str:
    """Say what became of a module's mutants."""
    fates = each.fates
    left = [f"  {mutant.place}" for mutant in each.mutants if mutant.fate == "survived"]
    return "\n".join([f"{each.module}: {len(each.mutants)} mutants, {fates['killed']} killed, "
                      f"{fates['equivalent']} equivalent, {fates['explained']} explained, "
                      f"{fates['survived']} survived ({each.seconds:.0f} s)", *left])


def table_of(examined: Sequence[Examined]) -> Table:
    """Sum up."""
    table = Table("module", "mutants", "killed", "equivalent", "explained", "survived",
                  "killed of the different", "seconds", box=SIMPLE_HEAD, padding=0)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in examined:
        fates = each.fates
        table.add_row(each.module, str(len(each.mutants)), *(
            str(fates[fate]) for fate in ("killed", "equivalent", "explained", "survived")),
            f"{each.share:.1%}", f"{each.seconds:.0f}")
    return table


def _is_good(examined: Sequence[Examined], console: Console) -> bool:
    """Hold the shares against their limits, and say which are missed."""
    total = sum(len(each.mutants) for each in examined)
    killed = sum(each.fates["killed"] for each in examined)
    different = total - sum(each.fates["equivalent"] for each in examined)
    explained = sum(each.fates["explained"] for each in examined)
    missed = [f"{each.module}: {each.share:.1%} killed, at least {EACH_MODULE:.0%} wanted"
              for each in examined if each.share < EACH_MODULE]
    share = killed / different if different else 1.0
    if share < ALL_MODULES:
        missed.append(f"all: {share:.1%} killed, at least {ALL_MODULES:.0%} wanted")
    if explained > BY_REASON * total:
        missed.append(f"{explained} of {total} mutants are only explained, at most "
                      f"{BY_REASON:.0%} may be")
    console.print(f"{total} mutants, {killed} of {different} that are not equivalent killed: "
                  f"{share:.1%}")
    for line in missed:
        console.print(line)
    return not missed
