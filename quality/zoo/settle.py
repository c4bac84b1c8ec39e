"""Random weights and inputs that depend on nothing but the model's own sizes."""

from typing import Any

import torch
from torch import Tensor, nn

Inputs = dict[str, Any]
Built = tuple[nn.Module, Inputs]
"""A model in evaluation mode, and what one call of it is given."""

SAMPLES, TEXT_TOKENS = 2, 7


def settled(model: nn.Module, inputs: Inputs) -> Built:
    """Draw weights that keep a signal's size, biases and all else of about 0.1."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                inputs_of_one = max(parameter[:1].numel(), 1)
                parameter.normal_(std=inputs_of_one**-0.5, generator=generator)
            else:
                gain = 1.0 if name.endswith("weight") else 0.0
                parameter.normal_(gain, 0.1, generator=generator)
    return model.eval(), inputs


def run(model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the model's output, of the first sample where it makes a list."""
    result = model(**inputs, return_dict=False)[0]
    return result[0] if isinstance(result, list) else result


def noise(*shape: int) -> Tensor:
    """Draw normal numbers; the same for the same shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def positions(height: int, width: int, axes: int = 3) -> Tensor:
    """Return where each patch is, (height x width, axes), its last two coordinates used."""
    ids = torch.zeros(height, width, axes)
    ids[..., -2] += torch.arange(height)[:, None]
    ids[..., -1] += torch.arange(width)
    return ids.flatten(0, 1)
