"""How much a model's output suffers when one operand, or one weight, is rounded to MX6."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden.formats import BLOCK_SIZE
from golden.policy import Policy
from golden.torch import fake_quantize_policy
from quality.calibration.observe import Operand, rounded
from quality.harness.calls import Call
from quality.harness.probe import probe_steps


def operand_noise(
    model: nn.Module,
    operand: Operand,
    calls: Sequence[Call],
    order: NDArray[np.intp] | None,
) -> NDArray[np.float64]:
    """Return the relative error energy of the output at each step, (steps,), from one operand."""
    policy = None if order is None else in_order(order)
    with rounded(model, operand, policy):
        return _relative(probe_steps(list(calls), model))


def weight_noise(
    model: nn.Module, layer: nn.Linear, calls: Sequence[Call], order: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the relative error energy of the output at each step, (steps,), from one weight."""
    with replaced(layer, fake_quantize_policy(layer.weight.detach(), in_order(order))):
        return _relative(probe_steps(list(calls), model))


def in_order(order: NDArray[np.intp]) -> Policy:
    """Return the policy that is MX6 throughout, in an order of channels."""
    return Policy(fraction=0, order="calibrated", permutation=order)


@contextmanager
def replaced(layer: nn.Linear, weight: Tensor) -> Iterator[None]:
    """Give a layer another weight for a while."""
    original = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.copy_(weight)
        try:
            yield
        finally:
            layer.weight.copy_(original)


def weight_shares(weight: Tensor, squares: Tensor, order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Split the error that MX6 makes at a weight among its K-blocks, in order.

    Parameters
    ----------
    weight : Tensor, shape (N, K)
    squares : Tensor, shape (K,)
        Mean square of each input channel.
    order : ndarray, shape (K,)

    Returns
    -------
    ndarray, shape (K-blocks,)
        Their sum is 1.
    """
    error = fake_quantize_policy(weight.float(), in_order(order)) - weight.float()
    by_channel = (error.square().sum(0) * squares).cpu().double().numpy()[order]
    starts = np.arange(0, len(by_channel), BLOCK_SIZE)
    by_block = np.add.reduceat(by_channel, starts)
    return by_block / max(by_block.sum(), np.finfo(np.float64).tiny)


def _relative(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    return energies[:, 1] / energies[:, 0]
