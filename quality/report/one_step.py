"""The command `one-step`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.outputs import check_file, whole
from quality.console import console, sentences, unit_progress, wide
from quality.harness.command import ALL, FORMATS, parse_policies, parse_seeds
from quality.harness.settings import Settings
from quality.models.options import SMALL, ModelOptions
from quality.report.differences import range_text
from quality.report.study import Figure
from quality.report.tables import Table

if TYPE_CHECKING:  # importing it for real would import torch
    from quality.harness.one_step import OneStep

USUAL = ["mx9", "mx6", "mx4", "mixdit", "mixdit_order", "best", "int8", "int4", FORMATS]
"""The accelerator's formats and the project's policies beside formats of other machines."""


def one_step(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Policy, `all` or `formats`; may be repeated. "
            f"[default: {','.join(USUAL)}]"
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="small, or a checkpoint.")] = SMALL,
    calibration: Annotated[
        Path | None, typer.Option(help="Calibration, if not the model's usual one.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Images of each seed, drawn at once.")] = 10,
    seeds: Annotated[str, typer.Option(help="Seeds of the noise, with commas between.")] = "0,1,2",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
) -> None:
    """Compare policies by single evaluations of the model at FP32's own states: some minutes."""
    with sentences():
        if output is not None:
            check_file(output)
        numbers = list(dict.fromkeys(parse_seeds(seeds)))
        import torch

        from quality.harness.one_step import compare
        from quality.policies import FORMATS as OTHERS
        from quality.policies import NAMES

        torch.set_num_threads(threads)
        policies = parse_policies(policy or USUAL, {ALL: NAMES, FORMATS: tuple(OTHERS)})
        settings = Settings(model=ModelOptions(name=model), calibration=calibration, probe=images)
        with unit_progress() as progress:
            results = list(compare(settings, policies, numbers, progress))
        table = one_step_table(results, images)
        wide.print(table.for_terminal())
        if output is not None:
            with whole(output) as file:
                file.write(table.for_markdown().encode())
    if output is not None:
        console.print(f"{output}: {len(table.rows)} policies")


def one_step_table(results: Sequence["OneStep"], images: int) -> Table:
    """Tabulate results by falling width, the better of two equal ones first."""
    order = sorted(
        results,
        key=lambda each: (-round(each.activation_bits + each.weight_bits, 1), -min(each.pooled)),
    )
    rows = [
        (each.policy, f"{each.activation_bits:.2f}", f"{each.weight_bits:.2f}",
         *_cells(each.pooled), *_cells(each.last))
        for each in order
    ]  # fmt: skip
    columns = ("Policy", "Activation bits", "Weight bits", "QSNR, dB", "95 % interval",
               "Last step, dB", "95 % interval of it")  # fmt: skip
    count = len(results[0].pooled) if results else 0
    return Table(
        "Single evaluations at FP32's own states",
        columns,
        rows,
        f"{count} seed{'s' if count != 1 else ''} of {images} images. QSNR: of the model's output, "
        "all steps pooled; mean over seeds and its interval by Student's t.",
    )


def _cells(values: tuple[float, ...]) -> tuple[str, str]:
    figure = Figure(values)
    return f"{figure.mean:.1f}", range_text(figure, ".1f") if figure.interval else ""
