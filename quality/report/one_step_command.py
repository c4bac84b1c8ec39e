"""The command `one-step`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.figures import Figures
from commands.outputs import check_file, whole
from quality.console import console, sentences, unit_progress, wide
from quality.harness.command import ALL, FORMATS, parse_policies, parse_seeds
from quality.harness.settings import Settings
from quality.models.options import SMALL, ModelOptions

USUAL = ["mx9", "mx6", "mx4", "mixdit", "mixdit_order", "best", "int8", "int4", FORMATS]
"""The accelerator's formats and the project's policies beside formats of other machines."""


def one_step(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Policy, `all` or `formats`; may be repeated. [default: {','.join(USUAL)}]"
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
) -> Figures:
    """Compare policies by single evaluations of the model at FP32's own states: some minutes.

    Example: mixdit quality one-step --policy mx6,mxfp4 --images 5
    """
    with sentences():
        if output is not None:
            check_file(output)
        if calibration is not None and not calibration.is_file():
            raise ValueError(f"the calibration {calibration} is missing")
        numbers = list(dict.fromkeys(parse_seeds(seeds)))
        import torch

        from quality.harness.one_step import compare
        from quality.policies import FORMATS as OTHERS
        from quality.policies import NAMES
        from quality.report.one_step import one_step_table

        torch.set_num_threads(threads)
        policies = parse_policies(policy or USUAL, {ALL: NAMES, FORMATS: tuple(OTHERS)})
        settings = Settings(model=ModelOptions(name=model), calibration=calibration, probe=images)
        with unit_progress() as progress:
            results = list(compare(settings, policies, numbers, progress))
        table = one_step_table(results, images)
        wide.print(table.for_terminal())
        if output is not None:
            with whole(output) as file:
                file.write(table.as_section().encode())
    if output is not None:
        console.print(f"{output}: {len(table.rows)} policies")
    return Figures(
        {"images": images, "seeds": numbers, "policies": [each.record() for each in results]}
    )
