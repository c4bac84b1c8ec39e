"""Prove properties of modules: ``mixdit check formal``, or some proofs by name."""

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from commands.exit_codes import ExitCode
from commands.figures import Figures
from commands.options import folder
from commands.outputs import check_file, check_folder, whole
from commands.running import sentences
from commands.terminal import make_console
from formal.proofs import choose
from formal.solver import solver
from formal.verdict import Verdict, judge_all


def main(
    names: Annotated[list[str] | None, typer.Argument(
        metavar="[PROOF|MODULE]...",
        help="Proofs, or modules such as streams/skid_buffer or skid_buffer, of which all proofs "
        "are carried out; all without.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Proofs carried out at once.")] = 2,
    out: Annotated[Path, typer.Option(
        parser=folder, metavar="FOLDER",
        help="For netlists, questions and answers.")] = Path("build/formal"),
) -> Figures:
    """Prove properties of modules, for all inputs and all times, by k-induction.

    Each proof is tried with mistakes planted in the module too, and must fail then. The exit code
    is 1 if one is not proven, or holds with a mistake.

    Example: mixdit check formal csr stream_fifo_3 --json
    """
    console = make_console(width=150)
    with sentences("Interrupted: nothing was written."):
        proofs = choose(names or ())
        check_folder(out)
        check_file(out / "report.json")
        if find_spec("pyosys") is None:
            raise ModuleNotFoundError(name="pyosys")
        solver()
        verdicts = {}
        with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                      TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task("proving", total=len(proofs))
            for verdict in judge_all(proofs, out, jobs):
                verdicts[verdict.proof.name] = verdict
                progress.update(bar, advance=1, description=verdict.proof.name)
        ordered = [verdicts[proof.name] for proof in proofs]
        with whole(out / "report.json") as file:
            file.write(json.dumps([each.record() for each in ordered], indent=1).encode())
        _print(console, ordered)
    is_good = all(each.is_good for each in ordered)
    return Figures(out / "report.json", ExitCode.DONE if is_good else ExitCode.DIFFERENT)


def _print(console: Console, verdicts: Sequence[Verdict]) -> None:
    table = Table(title="Proofs by k-induction")
    for title in ("proof", "checks", "depth", "base, s", "step, s", "mutants found", "all, s", ""):
        table.add_column(title, justify="left" if title in ("proof", "") else "right")
    for each in verdicts:
        outcome, mutants = each.outcome, len(each.proof.mutants)
        table.add_row(
            each.proof.name, str(len(outcome.checks)), str(each.proof.depth),
            f"{outcome.base.seconds:.1f}", f"{outcome.induction.seconds:.1f}",
            f"{mutants - len(each.missed)} of {mutants}", f"{each.seconds:.1f}",
            "proven" if each.is_good else each.sentence())
    console.print(table)
