"""Guided sampling with DPM-Solver++ 2M, and the picture of its result."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DiTTransformer2DModel
from numpy.typing import NDArray

from commands.outputs import whole
from quality.recipe import CLASS_NAMES, IMAGE_SIZE, NULL_CLASS, TrainingRecipe
from quality.schedule import build_scheduler


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Say how images are drawn.

    Parameters
    ----------
    steps : int
        Evaluations of the (guided) model.
    guidance : float
        Classifier-free guidance scale; 1 is none (Ho and Salimans, 2022).
    seed : int
        Seed of the starting noise.

    Raises
    ------
    ValueError
        If `steps` is below 1.
    """

    steps: int = 10
    guidance: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be sampled."""
        if self.steps < 1:
            raise ValueError(f"the sampler needs at least 1 step, not {self.steps}")

    def noise(self, count: int) -> torch.Tensor:
        """Return the starting noise, (count, 1, 32, 32); image i's does not depend on `count`."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (1, 1, IMAGE_SIZE, IMAGE_SIZE)
        return torch.cat([torch.randn(shape, generator=generator) for _ in range(count)])


def balanced_labels(count: int) -> NDArray[np.int64]:
    """Return 0, 1, ..., 9, 0, 1, ...: `count` class labels in equal shares."""
    return np.arange(count, dtype=np.int64) % len(CLASS_NAMES)


@torch.no_grad()
def sample(
    model: DiTTransformer2DModel,
    recipe: TrainingRecipe,
    sampler: Sampler,
    labels: NDArray[np.int64],
    *,
    batch_size: int = 100,
    first: int = 0,
    before_step: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Draw one image per label.

    Parameters
    ----------
    model : DiTTransformer2DModel
        In evaluation mode, on any device; the noise is drawn on the CPU whatever it is.
    recipe : TrainingRecipe
        The recipe `model` was trained with; it decides the noise schedule.
    sampler : Sampler
        Steps, guidance and seed.
    labels : NDArray[np.int64]
        Shape (n,), classes 0 to 9.
    batch_size : int
        Images at a time; the model sees twice as many, the labelled half first.
    first : int
        Index of the first image among those of the seed: images drawn in several calls start from
        the noise that they would have in one.
    before_step : Callable, optional
        Called with the step's index and its timestep before each evaluation of the model.

    Returns
    -------
    NDArray[np.float32]
        Shape (n, 32, 32), about -1..1, not clipped.

    Raises
    ------
    ValueError
        If a label is no class, or there are none.
    """
    if len(labels) == 0 or not np.isin(labels, np.arange(len(CLASS_NAMES))).all():
        raise ValueError(f"labels must be classes 0 to {len(CLASS_NAMES) - 1}, and at least one")
    device = next(model.parameters()).device
    noise = sampler.noise(first + len(labels))[first:].to(device)
    finished = []
    for start in range(0, len(labels), batch_size):
        images = noise[start : start + batch_size]
        classes = torch.from_numpy(labels[start : start + batch_size]).to(device)
        pair = torch.cat([classes, torch.full_like(classes, NULL_CLASS)])
        scheduler = build_scheduler(recipe)  # it keeps the previous step's prediction
        scheduler.set_timesteps(sampler.steps, device=device)
        for index, timestep in enumerate(scheduler.timesteps):
            if before_step is not None:
                before_step(index, int(timestep))
            velocity = model(torch.cat([images, images]), timestep.expand(len(pair)), pair).sample
            labelled, unlabelled = velocity.chunk(2)
            guided = unlabelled + sampler.guidance * (labelled - unlabelled)
            images = scheduler.step(guided, timestep, images).prev_sample
        finished.append(images[:, 0].cpu())
    return torch.cat(finished).numpy()


def save_picture(path: Path, images: NDArray[np.float32]) -> None:
    """Write a PNG with one labelled row per class.

    Parameters
    ----------
    path : Path
        File to write.
    images : NDArray[np.float32]
        Shape (10 n, 32, 32), in the order of `balanced_labels`.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    classes, size = len(CLASS_NAMES), images.shape[-1]
    columns = len(images) // classes
    grid = images.reshape(columns, classes, size, size).transpose(1, 2, 0, 3)
    # Two screen pixels per image pixel, exactly: the axes fill the figure, labels hang outside.
    figure = pyplot.figure(figsize=(columns * size / 50, classes * size / 50), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    tiles = grid.reshape(classes * size, columns * size)
    axes.imshow(tiles, cmap="gray", vmin=-1, vmax=1, interpolation="nearest", aspect="auto")
    axes.set_yticks([size * (row + 0.5) for row in range(classes)], CLASS_NAMES)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    with whole(path) as file:
        figure.savefig(
            file, format=path.suffix[1:] or "png", bbox_inches="tight", pad_inches=0.05,
            metadata={"Software": None},
        )  # fmt: skip
    pyplot.close(figure)
