"""The command `vector-unit`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.figures import Figures
from quality.console import sentences, wide

CHECKPOINT = Path(__file__).parent / "data" / "dit_fashion_mnist.safetensors"


def vector_unit(
    images: Annotated[int, typer.Option(min=1, help="Images, drawn with FP32's model.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> Figures:
    """Compare the machine's vector unit with float64 inside the small DiT: a minute.

    Example: mixdit quality vector-unit --images 4
    """
    with sentences():
        import torch

        from golden.formats import MX6, MX9
        from quality import vector_unit as study
        from quality.model import load_model
        from quality.recipe import TrainingRecipe
        from quality.sample import Sampler, balanced_labels, sample

        torch.set_num_threads(threads)
        model, provenance = load_model(CHECKPOINT)
        recipe = TrainingRecipe(**provenance["recipe"])
        labels = balanced_labels(images)
        steps = list(study.states(model, lambda: sample(model, recipe, Sampler(), labels)))
        float64 = study.VectorUnit(parts=())
        exact = [study.evaluate(model, float64, *state) for state in steps]
        units = {"vector unit": study.VectorUnit()}
        units |= {f"{part} alone": study.VectorUnit(parts=(part,)) for part in study.PARTS}
        for fmt in (MX9, MX6):
            units[f"{fmt.name} in the blocks"] = study.VectorUnit((), fmt)
            units[f"{fmt.name} in the blocks, vector unit"] = study.VectorUnit(operands=fmt)
        found = {name: study.decibels(model, unit, steps, exact) for name, unit in units.items()}
    table = Table("computed by", "QSNR, mean, dB", "last step, dB", box=SIMPLE_HEAD)
    for name, each in found.items():
        table.add_row(name, f"{sum(each) / len(each):.1f}", f"{each[-1]:.1f}")
    wide.print(table)
    return Figures({"images": images, "steps": len(steps), "decibels": found})
