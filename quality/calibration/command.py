"""The command `calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from commands.outputs import check_file
from quality.calibration.record import CALIBRATION
from quality.console import console, resumable, unit_progress
from quality.models.options import DTYPES, SMALL, ModelOptions


def calibrate(
    model: Annotated[
        str, typer.Option(help="small, a checkpoint, or a folder or hub name of a pipeline.")
    ] = SMALL,
    output: Annotated[Path, typer.Option(help="File to write.")] = CALIBRATION,
    images: Annotated[int, typer.Option(min=2, help="Images drawn, all at once.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their noise.")] = 100,
    steps: Annotated[int | None, typer.Option(min=1, help="Sampling steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale; 1 is none.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A prompt on each line.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Prompts as embeddings.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help=f"{', '.join(DTYPES)}.")] = DTYPES[0],
    download: Annotated[bool, typer.Option("--download", help="Fetch from the hub.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
) -> None:
    """Measure channel orders, thresholds and sensitivities, and round the weights with them.

    An interrupted calibration goes on when the command is given again.

    Example: mixdit quality calibrate --images 20 --output build/calibration.safetensors
    """
    with resumable():
        check_file(output)
        check_file(output.with_name(f"{output.stem}.notes"))
        import torch

        from quality.calibration.record import save_calibration
        from quality.calibration.run import Settings
        from quality.calibration.run import calibrate as run

        torch.set_num_threads(threads)
        options = ModelOptions(
            name=model, steps=steps, guidance=guidance, prompts=prompts, embeddings=embeddings,
            device=device, dtype=dtype, download=download,
        )  # fmt: skip
        settings = Settings(model=options, images=images, seed=seed)
        with unit_progress() as progress:
            result = run(settings, output.with_suffix(".notes"), progress)
        save_calibration(output, result)
    console.print(
        f"{output}: {len(result.operands)} operands and {len(result.weights)} weights, "
        f"{len(result.timesteps)} steps, {output.stat().st_size / 1e6:.1f} MB"
    )
