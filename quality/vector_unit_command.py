"""The command `vector-unit`."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.progress import track
from rich.table import Table

from commands.figures import Figures
from commands.terminal import make_console
from quality.console import sentences, wide

CHECKPOINT = Path(__file__).parent / "data" / "dit_fashion_mnist.safetensors"


def vector_unit(
    images: Annotated[int, typer.Option(
        min=1, help="Images, each of noise of its own, drawn with FP32's model.")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> Figures:
    """Compare the machine's vector unit with float64 inside the small DiT: some minutes.

    Evaluation by evaluation at FP32's own states, and image by image where each sampler runs
    freely.

    Example: mixdit quality vector-unit --images 4
    """
    with sentences():
        import torch

        from golden.formats import MX6, MX9
        from quality import vector_unit as study
        from quality.metrics.pixels import psnr
        from quality.model import load_model
        from quality.recipe import TrainingRecipe
        from quality.sample import Sampler, balanced_labels, sample

        torch.set_num_threads(threads)
        model, provenance = load_model(CHECKPOINT)
        recipe = TrainingRecipe(**provenance["recipe"])
        labels = balanced_labels(images)

        def draw(unit: study.VectorUnit) -> NDArray[np.float32]:
            with study.in_its_place(model, unit):
                return sample(model, recipe, Sampler(), labels)

        steps = list(study.states(model, lambda: sample(model, recipe, Sampler(), labels)))
        float64 = study.VectorUnit(parts=())
        exact = [study.evaluate(model, float64, *state) for state in steps]
        pictures = draw(float64)
        units = {"vector unit": study.VectorUnit()}
        units |= {f"{part} alone": study.VectorUnit(parts=(part,)) for part in study.PARTS}
        for fmt in (MX9, MX6):
            units[f"{fmt.name} in the blocks"] = study.VectorUnit((), fmt)
            units[f"{fmt.name} in the blocks, vector unit"] = study.VectorUnit(operands=fmt)
            for place in ("condition", "edges"):
                units[f"MX6 in the blocks, {place} in {fmt.name}"] = study.VectorUnit(
                    (), MX6, **{place: fmt})
        found = {}
        for name in track(units, "Evaluating", console=make_console(stderr=True), transient=True):
            each = study.decibels(model, units[name], steps, exact)
            drawn = psnr(draw(units[name]), pictures, peak=2)
            found[name] = {"mean": float(each.mean()), "worst_step": float(each.mean(1).min()),
                           "worst": float(each.min()), "steps": each.mean(1).tolist(),
                           "psnr": float(drawn.mean()), "worst_psnr": float(drawn.min())}
    table = Table("computed by", "QSNR, mean, dB", "worst step, dB", "of any image, dB",
                  "images, mean PSNR, dB", "worst, dB", box=SIMPLE_HEAD)
    for name, each in found.items():
        table.add_row(name, *(f"{each[key]:.1f}" for key in (
            "mean", "worst_step", "worst", "psnr", "worst_psnr")))
    wide.print(table)
    return Figures({"images": images, "steps": len(steps), "decibels": found})
