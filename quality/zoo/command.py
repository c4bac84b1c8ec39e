"""Try quantization on a miniature of every transformer of diffusers, and write the table."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from commands.figures import Figures
from commands.outputs import check_file, write_text
from quality.console import console, sentences

PAGE = Path("docs") / "quantized_models.md"


def zoo(
    only: Annotated[
        list[str] | None, typer.Option(help="A model of the table: print its line, write nothing.")
    ] = None,
    page: Annotated[Path, typer.Option(help="Page whose tables are replaced.")] = PAGE,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> Figures:
    """Try quantization on a miniature of every transformer of diffusers.

    All take a few minutes, and replace the tables of docs/quantized_models.md.

    Example: mixdit quality zoo --only Sana
    """
    with sentences():
        import torch

        from quality.zoo.builders import BUILDERS
        from quality.zoo.examine import examine
        from quality.zoo.page import layers_table, results_table, written
        from quality.zoo.rule import apply_rule

        unknown = set(only or ()) - BUILDERS.keys()
        if unknown:
            raise ValueError(f"there is no model {min(unknown)!r}: they are {', '.join(BUILDERS)}")
        check_file(page)
        text = page.read_text("utf-8")
        torch.set_num_threads(threads)
        names = only or list(BUILDERS)
        rows = {
            name: examine(BUILDERS[name])
            for name in track(names, "models", console=console, transient=True)
        }
        results, record = results_table(rows), {name: asdict(row) for name, row in rows.items()}
        if only:
            console.print(results, markup=False)
            return Figures(record)
        layers = layers_table({name: apply_rule(build) for name, build in BUILDERS.items()})
        write_text(page, written(text, {"results": results, "layers": layers}))
        console.print(f"{page}: {len(rows)} models")
    return Figures(record)
