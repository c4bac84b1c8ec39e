"""Trace the models anew: ``python -m perf.workloads``, or ``--check`` what is committed.

Needs torch and diffusers (``make setup-torch``). Exit codes: 0; 1 when the check finds a
difference; 2 when torch or diffusers is missing.
"""

from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .stored import MODELS_FILE, load_models

DIFFERENT, MISSING = 1, 2
SHOWN = 40
"""Lines of a difference."""


def main(
    check: Annotated[bool, typer.Option("--check", help="Compare; write nothing.")] = False,
    out: Annotated[Path, typer.Option(help="File to write, or to compare with.")] = MODELS_FILE,
) -> None:
    """Trace diffusers' models on the meta device and write, or check, the workloads."""
    console = Console()
    try:
        from .generate import dump, generate
    except ModuleNotFoundError as error:
        console.print(f"{error.name} is missing: run `make setup-torch`.", style="red")
        raise typer.Exit(MISSING) from None
    text = dump(generate()) + "\n"
    committed = out.read_text() if out.exists() else ""
    if not check:
        if text != committed:
            out.write_text(text)
    elif text != committed:
        lines = unified_diff(committed.splitlines(), text.splitlines(), str(out), "traced",
                             lineterm="", n=0)
        for line in islice(lines, SHOWN):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(f"{out} is not what the models compute.", style="red", highlight=False)
        raise typer.Exit(DIFFERENT)
    console.print(_table(out))


def _table(path: Path) -> Table:
    table = Table(caption="GMAC: one sample of the two that guidance takes", padding=0)
    for heading in ("Model", "Parameters", "Tokens", "GMAC", "Blocks", "Steps"):
        table.add_column(heading, no_wrap=True)
    for model in load_models(path).values():
        table.add_row(
            model.name, f"{model.parameters / 1e6:,.1f} M",
            f"{model.image_tokens} + {model.text_tokens}",
            f"{model.macs / model.batch / 1e9:,.3f}",
            " + ".join(str(block.count) for block in model.blocks),
            "/".join(str(each.steps) for each in model.samplings))
    return table


if __name__ == "__main__":
    typer.run(main)
