"""The table of proofs in docs/formal.md: ``mixdit dev proofs``."""

from pathlib import Path

from commands.checkout import require_checkout
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import make_console
from formal.proofs import find_proofs

PAGE = Path(__file__).resolve().parents[1] / "docs" / "formal.md"

MARKERS = ("<!-- proofs: `mixdit dev proofs` -->\n", "<!-- end -->\n")


def table() -> str:
    """Write the proofs as Markdown."""
    lines = [
        "| proof | what holds | assumed of the inputs | reduced or left out | depth | mutants |",
        "|---|---|---|---|---:|---:|"]
    lines += [f"| `{each.name}` | {each.says} | {each.assumes or 'nothing'} | {each.bounds} "
              f"| {each.depth} | {len(each.mutants)} |" for each in find_proofs()]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Put the table between the markers of the page."""
    head, _, rest = text.partition(MARKERS[0])
    _, _, tail = rest.partition(MARKERS[1])
    return f"{head}{MARKERS[0]}\n{table()}\n{MARKERS[1]}{tail}"


def main() -> None:
    """Write the table of proofs in docs/formal.md.

    Example: mixdit dev proofs
    """
    with sentences():
        require_checkout()
        check_file(PAGE)
        changed = write_if_changed(PAGE, page(PAGE.read_text(encoding="utf-8")))
        make_console().print(f"docs/{PAGE.name}: {'written' if changed else 'unchanged'}")
