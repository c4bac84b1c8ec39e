"""Make netlist mutants of every module, and see that a bench notices: ``mixdit check mutants``."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands import builds, kept, tools
from commands.checkout import require_checkout
from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.names import resolve
from commands.options import folder
from commands.outputs import check_file, check_folder, whole, write_if_changed
from commands.running import sentences
from commands.terminal import make_console
from sim_tests import selection
from sim_tests.mutants.benches import read
from sim_tests.mutants.examine import Examination
from sim_tests.mutants.mutant import FATES, Mutant
from sim_tests.mutants.trial import ROOT

OUT = Path("build/mutants")

RECORD = ROOT / "docs" / "verification" / "mutants.json"

EACH_MODULE, ALL_MODULES = 0.95, 0.98
"""Least share of the mutants that are not proven equivalent which has to be killed."""

BY_REASON = 0.03
"""Largest share of all mutants that only a reason excuses."""


def main(
    modules: Annotated[list[str] | None, typer.Argument(
        metavar="[MODULE]...",
        help="Such as streams/skid_buffer or skid_buffer; all without.")] = None,
    per_module: Annotated[int, typer.Option(min=1, help="Mutants of each module.")] = 28,
    seed: Annotated[int, typer.Option(min=0, help="Which mutants.")] = 1,
    sample: Annotated[int | None, typer.Option(
        min=1, help="So many modules of the record, chosen by --turn, and no others.")] = None,
    turn: Annotated[int | None, typer.Option(
        min=0, help="Which modules --sample takes.",
        show_default="the day, counted from 1970")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Benches at once.")] = 2,
    keep: Annotated[bool, typer.Option(
        "--keep", help="Replace the record in docs/verification, or the modules' part of it.")
    ] = False,
    out: Annotated[Path, typer.Option(
        parser=folder, metavar="FOLDER", help="For netlists, models and results.")] = OUT,
) -> Figures:
    """Make netlist mutants of every module, and see that a bench notices each.

    A mutant runs in its module's benches and, if it survives, in whole machines with random jobs; a
    solver finds out which of the rest are equivalent. A bench that was run before is not run again
    unless its sources changed; an interrupt loses the benches under way. The exit code is 1 if too
    many survive, of a --sample one that the record does not name.

    Example: mixdit check mutants streams/skid_buffer --per-module 50
    """
    console = make_console(width=150)
    with sentences("Interrupted: the next call goes on."):
        known = read()
        named = [resolve(name, known, "module") for name in modules or ()]
        if keep and sample:
            raise ValueError("--keep is of all modules, or of those that are named: "
                             "leave out --sample")
        if keep or sample:
            require_checkout()  # the record is in it
        record_before = _read_record() if sample or (keep and modules) else {}
        if keep and modules:
            _require_same_mutants(record_before, per_module, seed)
        if keep:
            check_file(RECORD)
        builds.check_place(out)
        tools.require(tools.VERILATOR)
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        check_folder(out)
        check_file(out / "report.json")
        chosen = list(dict.fromkeys(named or known))
        if sample is not None:
            chosen = [name for name in chosen if name in record_before["modules"]]
            turn = selection.today() if turn is None else turn
            order = np.random.default_rng(turn).permutation(len(chosen))[:sample]
            chosen = [chosen[number] for number in sorted(order)]
            console.print(f"modules of --turn {turn}: {', '.join(chosen)}")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TimeElapsedColumn())
        with builds.alone(out), Progress(*columns, console=console) as progress:
            bar = progress.add_task("mutants", total=None)

            def show(what: str, done: int, of: int) -> None:
                progress.update(bar, description=what, completed=done, total=of)
                if not console.is_terminal:
                    console.print(f"{what} ({done} of {of})")

            examination = Examination([known[name] for name in chosen], per_module, seed, out,
                                      jobs, show)
            found = examination.run()
        record = {"per_module": per_module, "seed": seed, "seconds": round(examination.seconds),
                  "modules": {module: [mutant.record() for mutant in mutants]
                              for module, mutants in found.items()}}
        with whole(out / "report.json") as file:
            file.write(json.dumps(record, indent=1).encode())
        if keep:
            write_if_changed(RECORD, _kept(found, per_module, seed, examination.seconds,
                                           record_before, known))
        console.print(table_of(found))
        _print_rest(found, console)
        # Of a few mutants a share says little: there none may survive that has not before.
        missed = strangers(found, record_before) if sample else missed_goals(found)
        for line in missed:
            console.print(line)
    return Figures(out / "report.json", ExitCode.DIFFERENT if missed else ExitCode.DONE)


def _read_record() -> dict[str, Any]:
    return kept.record(RECORD, "modules", "per_module", "seed", "seconds")


def _require_same_mutants(record: Mapping[str, Any], per_module: int, seed: int) -> None:
    """Refuse to mix mutants that were drawn differently in one record."""
    if (per_module, seed) != (record["per_module"], record["seed"]):
        raise ValueError(f"{RECORD} has {record['per_module']} mutants of each module, drawn by "
                         f"seed {record['seed']}: give its --per-module and --seed, or keep all "
                         "modules anew")


def _kept(found: Mapping[str, Sequence[Mutant]], per_module: int, seed: int, seconds: float,
          before: Mapping[str, Any], known: Iterable[str]) -> str:
    """Write the record: a module a line, and all that no bench killed; the others as before."""
    records = dict(before.get("modules", {}))
    for module, mutants in found.items():
        fates = Counter(mutant.fate for mutant in mutants)
        left = [{"place": mutant.place, "fate": mutant.fate} for mutant in mutants
                if mutant.fate in ("explained", "survived")]
        records[module] = {**{fate: fates[fate] for fate in FATES}, "left": left}
    lines = [f"  {json.dumps(module)}: {json.dumps(records[module])}"
             for module in known if module in records]
    head = {"per_module": per_module, "seed": seed,
            "seconds": round(seconds + before.get("seconds", 0))}
    return (json.dumps(head)[:-1] + ', "modules": {\n' + ",\n".join(lines) + "\n}}\n")


def _shares(mutants: Sequence[Mutant]) -> tuple[int, int]:
    """Count the killed, and those that are not proven equivalent."""
    fates = Counter(mutant.fate for mutant in mutants)
    return fates["killed"], len(mutants) - fates["equivalent"]


def _share(mutants: Sequence[Mutant]) -> float:
    killed, different = _shares(mutants)
    return killed / different if different else 1.0


def table_of(found: Mapping[str, Sequence[Mutant]]) -> Table:
    """Sum up."""
    table = Table("module", "mutants", *FATES, "killed of the different", box=SIMPLE_HEAD,
                  padding=0)
    for column in table.columns[1:]:
        column.justify = "right"
    for module, mutants in found.items():
        fates = Counter(mutant.fate for mutant in mutants)
        table.add_row(module, str(len(mutants)), *(str(fates[fate]) for fate in FATES),
                      f"{_share(mutants):.1%}")
    return table


def missed_goals(found: Mapping[str, Sequence[Mutant]]) -> list[str]:
    """List the goals that the mutants of modules miss."""
    every = [mutant for mutants in found.values() for mutant in mutants]
    missed = [f"{module}: {_share(mutants):.1%} killed, at least {EACH_MODULE:.0%} wanted"
              for module, mutants in found.items() if _share(mutants) < EACH_MODULE]
    if _share(every) < ALL_MODULES:
        missed.append(f"all: {_share(every):.1%} killed, at least {ALL_MODULES:.0%} wanted")
    explained = sum(mutant.fate == "explained" for mutant in every)
    if explained > BY_REASON * len(every):
        missed.append(f"{explained} of {len(every)} mutants are only explained, at most "
                      f"{BY_REASON:.0%} may be")
    return missed


def strangers(found: Mapping[str, Sequence[Mutant]], record: Mapping[str, Any]) -> list[str]:
    """List the mutants that have survived and are not among those that the record names."""
    known = {(module, left["place"]) for module, counts in record["modules"].items()
             for left in counts["left"]}
    return [f"the record does not know that it survives: {module}: {mutant.place}"
            for module, mutants in found.items() for mutant in mutants
            if mutant.fate == "survived" and (module, mutant.place) not in known]


def _print_rest(found: Mapping[str, Sequence[Mutant]], console: Console) -> None:
    """Name what has survived, and sum up."""
    every = [mutant for mutants in found.values() for mutant in mutants]
    killed, different = _shares(every)
    explained = sum(mutant.fate == "explained" for mutant in every)
    for mutant in every:
        if mutant.fate == "survived":
            console.print(f"survived: {mutant.module}: {mutant.place}", soft_wrap=True)
    console.print(f"{len(every)} mutants; of {different} that are not proven equivalent {killed} "
                  f"are killed: {_share(every):.1%}; {explained} are explained")
