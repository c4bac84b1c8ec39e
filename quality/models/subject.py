"""What the harness asks of a model, whichever it is."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from quality.models.identity import is_small
from quality.models.options import ModelOptions


class Subject(Protocol):
    """A model with its sampler.

    Attributes
    ----------
    transformer : nn.Module
        The unquantized transformer, in evaluation mode on its device.
    """

    transformer: nn.Module

    def draw(
        self, transformer: nn.Module, seed: int, first: int, count: int
    ) -> NDArray[np.float32]:
        """Draw images `first` to `first + count` of a seed with a version of the transformer.

        An image's noise and condition follow from seed and index alone.

        Returns
        -------
        NDArray[np.float32]
            Shape (count, height, width) or (count, height, width, 3), about -1..1, not clipped.
        """
        ...

    def conditions(self, first: int, count: int) -> Sequence[int] | Sequence[str]:
        """Return the classes or prompts of these images."""
        ...


def load_subject(options: ModelOptions) -> Subject:
    """Load the model that the options name.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such model here, or it is of a kind that is not known.
    """
    if is_small(options):
        from quality.models.small import SmallDiT

        return SmallDiT(options)
    from quality.models.pipelines import PipelineModel

    return PipelineModel(options)
