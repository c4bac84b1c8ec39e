"""The table of second formulations in docs/golden_proof.md: ``mixdit dev golden-proof``."""

from pathlib import Path

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console

PAGE = Path(__file__).resolve().parents[3] / "docs" / "golden_proof.md"

MARKERS = ("<!-- sweeps: `mixdit dev golden-proof` -->\n", "<!-- end -->\n")


def table() -> str:
    """Write sweeps, and what is only tested, as Markdown."""
    from golden.tests.proof.table import SWEEPS, TESTED

    lines = ["| sweep | of `golden` | beside | cases |", "|---|---|---|---|"]
    lines += [f"| {each.name} | {named(each.functions)} | {each.formulation} | {each.reach} |"
              for each in SWEEPS]  # fmt: skip
    lines += ["", "Not swept, since they compute no numbers or are part of what is swept:", "",
              "| of `golden` | seen by |", "|---|---|"]  # fmt: skip
    by_test: dict[str, list[str]] = {}
    for name, test in TESTED.items():
        by_test.setdefault(test, []).append(name)
    lines += [f"| {named(names)} | {test} |" for test, names in by_test.items()]
    return "\n".join(lines) + "\n"


def named(names: list[str] | tuple[str, ...]) -> str:
    """Write names as code."""
    return ", ".join(f"`{name}`" for name in names)


def page(text: str) -> str:
    """Put the table between the markers of the page."""
    head, _, rest = text.partition(MARKERS[0])
    _, _, tail = rest.partition(MARKERS[1])
    return f"{head}{MARKERS[0]}\n{table()}\n{MARKERS[1]}{tail}"


def main() -> None:
    """Write the table of second formulations in docs/golden_proof.md.

    Example: mixdit dev golden-proof
    """
    with sentences():
        require_checkout()
        check_file(PAGE)
        changed = write_if_changed(PAGE, page(PAGE.read_text(encoding="utf-8")))
        make_console().print(f"docs/{PAGE.name}: {'written' if changed else 'unchanged'}")
