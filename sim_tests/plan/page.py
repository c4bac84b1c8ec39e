"""The tables of docs/testplan.md: ``mixdit dev testplan``."""

from collections import Counter
from typing import Any

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console
from formal.proofs import find_proofs
from sim_tests.bench import ROOT
from sim_tests.plan.plan import Module, Section, modules, record, sections

PAGE = ROOT / "docs" / "testplan.md"

MARKERS = ("<!-- plan: `mixdit dev testplan` -->\n", "<!-- end -->\n")


def table_of_instruments() -> str:
    """Write what each instrument found as Markdown, from the committed records."""
    proofs = find_proofs()
    mutants, fuzz, golden = record("mutants"), record("fuzz"), record("golden")
    coverage, netlists = record("coverage"), record("gates")["netlists"].values()
    fates = sum((module.fates for module in modules()), Counter())
    different = fates.total() - fates["equivalent"]
    reached = ", ".join(f"{kind} {_percent(counts[0], counts[1])} %"
                        for kind, counts in coverage["all"].items())
    tried = coverage["combinations"]
    left_out = sum(counts[2] for counts in coverage["all"].values())
    jobs = ", ".join(f"{count:,} {name}" for name in ("good", "broken", "refused", "aborted")
                     if (count := sum(each["counts"].get(name, 0)
                                      for each in fuzz["machines"].values())))
    rows = [
        ("[proofs](formal.md) by k-induction", "mixdit check formal",
         f"{len(proofs)} proofs, each refuted with planted mistakes, "
         f"{sum(len(proof.mutants) for proof in proofs)} in all"),
        ("[netlist mutants](mutants.md)", "mixdit check mutants",
         f"{fates.total():,} in {len(mutants['modules'])} modules: {fates['killed']:,} of the "
         f"{different:,} that are not equivalent killed, {_percent(fates['killed'], different)} %; "
         f"{fates['explained']} explained, {fates['survived']} left"),
        ("[coverage](coverage.md)", "mixdit check coverage",
         f"{reached}, {left_out} points left out; {tried['tried']:,} of {tried['all']:,} "
         "combinations of jobs"),
        ("[netlists of cells](coverage.md#gate-level)", "mixdit check gates",
         f"{len(netlists)} netlists, "
         f"{sum(sum(each['passed'].values()) for each in netlists)} tests passed, "
         f"{sum(bool(each['fault']) for each in netlists)} failed"),
        ("random jobs and abuse", "mixdit check fuzz --machine all",
         f"{fuzz['jobs']:,} jobs on {len(fuzz['machines'])} machines ({jobs}); "
         f"{len(fuzz['failures'])} failures"),
        ("[golden beside second formulations](golden_proof.md)", "mixdit check golden",
         _golden(golden)),
    ]
    lines = [f"| {what} | `{command}` | {found} |" for what, command, found in rows]
    return "| what | command | found |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _golden(found: Any) -> str:
    """Sum golden's record up."""
    return f"{len(found['sweeps'])} sweeps, {found['cases']:,} cases"


def _section(section: Section) -> str:
    """Write a section as Markdown."""
    lines = [f"## {section.title}", *(["", section.text] if section.text else [])]
    if section.features:
        lines += ["", "| feature | file | tests |", "|---|---|---|"]
    before = ""
    for each in section.features:
        says = "" if each.says == before else each.says
        before = each.says
        tests = ", ".join(f"`{name}`" for name in each.tests)
        lines.append(f"| {says} | `{each.file.removeprefix(section.folder)}` | {tests} |")
    return "\n".join(lines) + "\n"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else ""


def _module(each: Module) -> str:
    """Write a module as a row."""
    killed, different = each.killed
    cells = [f"`{each.name}`",
             ", ".join(file if " " in file else f"`{file.rpartition('/')[2]}`"
                       for file in each.files),
             ", ".join(f"`{name}`" for name in each.proofs),
             f"{killed} of {different}", str(each.fates["equivalent"]),
             *(_percent(*each.points.get(kind, (0, 0))) for kind in ("line", "branch", "toggle")),
             f"open: {', '.join(each.open())}" if each.open() else "closed"]
    return f"| {' | '.join(cells)} |"


def table_of_modules() -> str:
    """Write what carries each module as Markdown."""
    head = ("| module | benches | proofs | mutants killed | equivalent | lines, % | branches, % "
            "| bits, % | state |\n|---|---|---|---:|---:|---:|---:|---:|---|\n")
    return head + "\n".join(map(_module, modules())) + "\n"


def page(text: str) -> str:
    """Put the tables between the markers of the page."""
    head, begin, rest = text.partition(MARKERS[0])
    _, end, tail = rest.partition(MARKERS[1])
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks its markers")
    parts = [f"## What was found\n\n{table_of_instruments()}",
             f"## What carries each module\n\n{table_of_modules()}", *map(_section, sections())]
    return f"{head}{begin}\n" + "\n".join(parts) + f"\n{end}{tail}"


def main() -> None:
    """Write the tables of docs/testplan.md.

    What no test carries is refused.

    Example: mixdit dev testplan
    """
    with sentences():
        require_checkout()
        check_file(PAGE)
        changed = write_if_changed(PAGE, page(PAGE.read_text(encoding="utf-8")))
        make_console().print(f"docs/{PAGE.name}: {'written' if changed else 'unchanged'}")
