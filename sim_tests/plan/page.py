"""The tables of docs/testplan.md: ``mixdit dev testplan``."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
    rows = [("[proofs](formal.md) by k-induction", "mixdit check formal",
             f"{len(proofs)} proofs, each refuted with mistakes planted, "
             f"{sum(len(proof.mutants) for proof in proofs)} in all")]
    for name, what, command, sum_up in (
        ("mutants", "[netlist mutants](mutants.md)", "mixdit check mutants", _mutants),
        ("coverage", "[coverage](coverage.md)", "mixdit check coverage", _coverage),
        ("gates", "[netlists of library cells](coverage.md#gate-level)", "mixdit check gates",
         _gates),
        ("fuzz", "[random jobs and abuse](#abuse)",
         "mixdit check fuzz --machine all --jobs 100000", _fuzz),
        ("fuzz-lists", "[random lists of commands](#random-lists)",
         "mixdit check fuzz-lists --lists 20000 --machine 4x4 --machine 3x5 --machine short_words "
         "--machine no_bursts --machine short_beats --machine long_rows --machine 8x8",
         _fuzz_lists),
        ("golden", "[golden beside second formulations](golden_proof.md)",
         "mixdit check golden", _golden),
    ):
        found = record(name)
        rows.append((what, command, sum_up(found) if found else "not recorded yet"))
    lines = [f"| {what} | `{command}` | {found} |" for what, command, found in rows]
    return "| what | command | found |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _mutants(found: Mapping[str, Any]) -> str:
    fates = sum((module.fates for module in modules()), Counter())
    different = fates.total() - fates["equivalent"]
    return (f"{fates.total():,} in {len(found['modules'])} modules: of {different:,} that are not "
            f"proven equivalent {fates['killed']:,} are killed, "
            f"{_percent(fates['killed'], different)} %; {fates['explained']} are explained, "
            f"{fates['survived']} are left ({found['seconds'] / 60:.0f} minutes of one bench after "
            "the other)")


def _coverage(found: Mapping[str, Any]) -> str:
    reached = ", ".join(f"{kind} {_percent(counts[0], counts[1])} %"
                        for kind, counts in found["all"].items())
    left_out = sum(counts[2] for counts in found["all"].values())
    tried = found.get("combinations", {"tried": 0, "all": 0})
    return (f"{reached}, {left_out:,} points left out; {tried['tried']:,} of {tried['all']:,} "
            "combinations of jobs")


def _gates(found: Mapping[str, Any]) -> str:
    netlists = found["netlists"].values()
    return (f"{len(netlists)} netlists, {sum(sum(each['passed'].values()) for each in netlists)} "
            f"tests passed, {sum(bool(each['fault']) for each in netlists)} netlists failed")


def _fuzz(found: Mapping[str, Any]) -> str:
    return _campaign(found, "jobs", ("good", "broken", "refused", "aborted", "reset"))


def _fuzz_lists(found: Mapping[str, Any]) -> str:
    return _campaign(found, "lists", ("undisturbed", "spoilt", "errors", "window", "switched",
                                      "silence"))


def _campaign(found: Mapping[str, Any], unit: str, names: Sequence[str]) -> str:
    """Sum up simulations of random jobs, or lists."""
    machines = found["machines"].values()
    counts = sum((Counter(each["counts"]) for each in machines), Counter())
    kinds = ", ".join(f"{counts[name]:,} {name}" for name in names)
    return (f"{found[unit]:,} {unit} on {len(machines)} machines ({kinds}); "
            f"{len(found['failures'])} failures "
            f"({sum(each['seconds'] for each in machines) / 3600:.1f} hours of one core)")


def _golden(found: Mapping[str, Any]) -> str:
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
             f"open: {', '.join(each.lacks())}" if each.lacks() else "closed"]
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
