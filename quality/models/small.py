"""The small diffusion transformer of this repository."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from quality.model import load_model
from quality.models.identity import checkpoint, small_sampler
from quality.models.options import ModelOptions
from quality.recipe import CLASS_NAMES, TrainingRecipe
from quality.sample import Sampler, sample


class SmallDiT:
    """A checkpoint of `mixdit quality train` with DPM-Solver++; see `quality.models.Subject`.

    Parameters
    ----------
    options : ModelOptions
        Its name is `SMALL` or a checkpoint; by default 10 steps with guidance 1.5, in FP32.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such checkpoint.
    """

    def __init__(self, options: ModelOptions) -> None:
        transformer, provenance = load_model(checkpoint(options))
        self._recipe = TrainingRecipe(**provenance["recipe"])
        self.transformer: nn.Module = transformer.to(options.device)
        self._sampler = small_sampler(options)

    def draw(
        self, transformer: nn.Module, seed: int, first: int, count: int
    ) -> NDArray[np.float32]:
        """Draw images (count, 32, 32), about -1..1."""
        sampler = Sampler(**self._sampler, seed=seed)
        labels = np.array(self.conditions(first, count))
        return sample(transformer, self._recipe, sampler, labels, batch_size=count, first=first)

    def conditions(self, first: int, count: int) -> list[int]:
        """Return the classes of these images: 0, 1, ... 9, 0, ..."""
        return [index % len(CLASS_NAMES) for index in range(first, first + count)]
