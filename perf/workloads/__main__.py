"""Trace the models anew: ``python -m perf.workloads``, or ``--check`` what is committed.

Needs torch and diffusers (``make setup-torch``). Exit codes: 1 when the check finds a difference;
3 also when torch or diffusers is missing; else as `commands.exit_codes` has them.
"""

from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commands.exit_codes import ExitCode
from commands.outputs import check_file, write_if_changed
from commands.running import sentences, start
from commands.terminal import complain, make_console

from .stored import MODELS_FILE, load_models

SHOWN = 40
"""Lines of a difference."""


def main(
    check: Annotated[bool, typer.Option("--check", help="Compare; write nothing.")] = False,
    out: Annotated[Path, typer.Option(help="File to write, or to compare with.")] = MODELS_FILE,
) -> None:
    """Trace diffusers' models on the meta device and write, or check, the workloads."""
    console = make_console()
    with sentences("Interrupted: nothing was written."):
        if check and not out.is_file():
            raise ValueError(f"there is no file {out} to compare with")
        if not check:
            check_file(out)
        from .generate import dump, generate

        text = dump(generate()) + "\n"
        committed = out.read_text(encoding="utf-8") if out.exists() else ""
        if not check:
            write_if_changed(out, text)
    if check and text != committed:
        lines = unified_diff(committed.splitlines(), text.splitlines(), str(out), "traced",
                             lineterm="", n=0)
        for line in islice(lines, SHOWN):
            console.print(line, soft_wrap=True)
        complain(f"{out} is not what the models compute.")
        raise typer.Exit(ExitCode.DIFFERENT)
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
    start(lambda: typer.run(main))
