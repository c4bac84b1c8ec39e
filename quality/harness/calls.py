"""A transformer's calls during sampling: recorded, to be given to another transformer."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True, eq=False)
class Call:
    """One evaluation of a transformer.

    Parameters
    ----------
    arguments : dict
        By the names of the parameters of its `forward`.
    output : torch.Tensor
        Of both halves where guidance evaluates the model with and without condition.
    """

    arguments: dict[str, Any]
    output: torch.Tensor

    @property
    def state(self) -> torch.Tensor:
        """The noisy image or latent that the sampler had reached."""
        return self.arguments["hidden_states"]

    @property
    def timestep(self) -> float:
        """The noise level that the model was told."""
        return float(torch.as_tensor(self.arguments["timestep"]).flatten()[0])

    def repeat(self, transformer: nn.Module) -> torch.Tensor:
        """Return what another transformer makes of the same arguments."""
        return first_output(transformer(**self.arguments))


def first_output(result: Any) -> torch.Tensor:
    """Return the prediction, from a tuple or from diffusers' output object."""
    return result[0]


@contextmanager
def recorded(transformer: nn.Module) -> Iterator[list[Call]]:
    """Collect the calls that are made inside; tensors are kept, not copied."""
    calls: list[Call] = []
    signature = inspect.signature(transformer.forward)

    def keep(module: nn.Module, arguments: tuple, named: dict[str, Any], result: Any) -> None:
        bound = signature.bind(*arguments, **named).arguments
        calls.append(Call(dict(bound), first_output(result)))

    handle = transformer.register_forward_hook(keep, with_kwargs=True)
    try:
        yield calls
    finally:
        handle.remove()
