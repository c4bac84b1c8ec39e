"""Errors inside a model: along its own trajectory, in one step, and layer by layer.

Sums of squares are kept instead of decibels, so that steps, seeds and layers can be pooled.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from quality.harness.calls import Call, recorded

Draw = Callable[[nn.Module], NDArray[np.float32]]
"""Draws the probed images with the transformer that it is given."""


def energies(reference: ArrayLike, approximation: ArrayLike) -> tuple[float, float]:
    """Return the sums of squares of a reference and of what differs from it.

    In float64, on the device where the reference is.
    """
    first = torch.as_tensor(reference).detach().double()
    second = torch.as_tensor(approximation, device=first.device).detach().double()
    return float(first.square().sum()), float((first - second).square().sum())


def probe_trajectory(
    reference: nn.Module, quantized: nn.Module, draw: Draw
) -> tuple[dict[str, NDArray[np.float64]], list[Call]]:
    """Sample with both transformers from the same noise and compare what the sampler reaches.

    Parameters
    ----------
    reference, quantized : nn.Module
    draw : Callable

    Returns
    -------
    errors : dict
        ``timesteps`` (steps,), and ``state`` (steps, 2): after each step the `energies` of
        the reference's state and of the other's distance from it; after the last, of the images.
    calls : list of Call
        The reference's evaluations.
    """
    with recorded(reference) as calls:
        images = draw(reference)
    with recorded(quantized) as others:
        drifted = draw(quantized)
    states = [energies(call.state, other.state) for call, other in zip(calls, others, strict=True)]
    states = [*states[1:], energies(images, drifted)]
    timesteps = [call.timestep for call in calls]
    return {"timesteps": np.array(timesteps), "state": np.array(states)}, calls


@torch.no_grad()
def probe_steps(
    calls: list[Call], quantized: nn.Module, after: Callable[[int], None] | None = None
) -> NDArray[np.float64]:
    """Repeat the reference's evaluations: the error of each alone, before any piles up.

    Parameters
    ----------
    calls : list of Call
        Of the reference.
    quantized : nn.Module
    after : Callable, optional
        Called with the step's index after each.

    Returns
    -------
    NDArray[np.float64]
        Shape (steps, 2): `energies` of the whole output.
    """
    rows = []
    for index, call in enumerate(calls):
        rows.append(energies(call.output, call.repeat(quantized)))
        if after is not None:
            after(index)
    return np.array(rows)


def decibels(energy: NDArray[np.float64]) -> Any:
    """Turn `energies` (..., 2) into QSNR in decibels (...); infinite where nothing differs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(energy[..., 0] / energy[..., 1])
