"""Trained weights as FP16 files, shared by the transformer and the classifier."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from quality.storage import save_tensors, to_half


def save_weights(path: Path, weights: dict[str, torch.Tensor], provenance: dict) -> None:
    """Write a state dict with FP16 in place of FP32; integer tensors stay as they are.

    Raises
    ------
    ValueError
        If a weight is not finite in FP16.
    """
    arrays = {name: value.detach().numpy() for name, value in weights.items()}
    halves = {
        name: to_half(name, array) if np.issubdtype(array.dtype, np.floating) else array
        for name, array in arrays.items()
    }
    save_tensors(path, halves, provenance)


def load_into(module: nn.Module, arrays: dict[str, np.ndarray], path: Path) -> None:
    """Load weights read from `path` into `module`, FP16 widened to FP32 (exactly).

    Raises
    ------
    ValueError
        If the names or shapes are not those of `module`.
    """
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path} holds other weights than {type(module).__name__}'s: {error}"
        ) from error
