"""Trace the models anew: ``mixdit dev workloads``, or ``mixdit check workloads``."""

from difflib import unified_diff
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from commands.exit_codes import ExitCode
from commands.outputs import check_file, write_if_changed
from commands.running import sentences
from commands.terminal import complain, make_console

from .stored import MODELS_FILE, load_models

SHOWN = 40
"""Lines of a difference."""


Place = Annotated[Path, typer.Option("--out", help="File of the workloads.")]


def trace(out: Place = MODELS_FILE) -> None:
    """Trace diffusers' models on the meta device, and write the workloads.

    Needs torch and diffusers.

    Example: mixdit dev workloads --out build/models.json
    """
    with sentences("Interrupted: nothing was written."):
        check_file(out)
        write_if_changed(out, _traced())
    make_console().print(_table(out))


def check(out: Place = MODELS_FILE) -> ExitCode:
    """Trace diffusers' models again, and compare them with the workloads here.

    Needs torch and diffusers. The exit code is 1 if they differ.

    Example: mixdit check workloads
    """
    console = make_console()
    with sentences():
        if not out.is_file():
            raise ValueError(f"there is no file {out} to compare with")
        text, committed = _traced(), out.read_text(encoding="utf-8")
    if text == committed:
        console.print(_table(out))
        return ExitCode.DONE
    lines = unified_diff(committed.splitlines(), text.splitlines(), str(out), "traced",
                         lineterm="", n=0)
    for line in islice(lines, SHOWN):
        console.print(line, soft_wrap=True)
    complain(f"{out} is not what the models compute.")
    return ExitCode.DIFFERENT


def _traced() -> str:
    from .generate import dump, generate

    return dump(generate()) + "\n"


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
