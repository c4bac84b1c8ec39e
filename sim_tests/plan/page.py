"""The tables of docs/testplan.md: ``mixdit dev testplan``."""

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console
from sim_tests.bench import ROOT
from sim_tests.plan.plan import Module, Section, modules, sections

PAGE = ROOT / "docs" / "testplan.md"

MARKERS = ("<!-- plan: `mixdit dev testplan` -->\n", "<!-- end -->\n")


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
    parts = [f"## What carries each module\n\n{table_of_modules()}", *map(_section, sections())]
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
