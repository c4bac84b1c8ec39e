"""What the operands of a model's GEMMs look like at each step of its own trajectories."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import golden
from golden.formats import BLOCK_SIZE, MX6
from golden.policy import Policy
from golden.torch import Site, fake_quantize
from quality.calibration.observe import Operand, observed
from quality.harness.calls import Call

LINEAR = Policy(fraction=Fraction(1, 20), tile_rows=8)
ATTENTION = Policy(fraction=Fraction(1, 5), granularity="head")
"""MixDiT's shares: 5 % of the channel blocks of token tiles, 20 % of the heads."""


@dataclass(eq=False)
class Moments:
    """Of the input of linear layers.

    Attributes
    ----------
    maxima : list of Tensor
        Largest magnitude in each channel, by step: each (K,).
    squares : Tensor
        Mean over steps and rows, (K,).
    products : Tensor
        Mean of x x^T with every step weighted by its importance, float64 (K, K).
    thresholds : list of float
        By step, the magnitude that MixDiT's share of the units exceeds.
    """

    maxima: list[Tensor] = field(default_factory=list)
    squares: Tensor | float = 0.0
    products: Tensor | float = 0.0
    thresholds: list[float] = field(default_factory=list)

    def order(self) -> NDArray[np.intp]:
        """Sort channels by their root mean square, largest first, at full rate of the machine.

        See `golden.spread_lanes`. In a block of channels alike, none is drowned by its neighbour.
        """
        return golden.spread_lanes(np.argsort(-self.squares.cpu().numpy(), kind="stable"))


@torch.no_grad()
def measure_moments(
    model: nn.Module,
    operands: Sequence[Operand],
    calls: Sequence[Call],
    importance: NDArray[np.float64],
) -> dict[str, Moments]:
    """Take the moments of linear inputs, and the thresholds of all operands, by operand's name.

    Parameters
    ----------
    model : nn.Module
    operands : sequence of Operand
    calls : sequence of Call
        Of one trajectory, by step.
    importance : ndarray, shape (steps,)
    """
    moments = {operand.name: Moments() for operand in operands}
    weights = importance / importance.sum()

    def see(site: Site, a: Tensor, b: Tensor) -> None:
        if site.kind != "linear":
            for side, x in (("a", a), ("b", b)):
                moments[f"{site.name}.{side}"].thresholds.append(_threshold(x, ATTENTION))
        elif (found := moments.get(f"{site.name}.a")) is not None:
            rows = a.detach().float().flatten(0, -2)
            wide, weight = rows.double(), weights[len(found.maxima)]
            found.maxima.append(rows.abs().amax(0))
            found.squares = found.squares + rows.square().mean(0) / len(calls)
            found.products = found.products + weight * (wide.mT @ wide) / len(rows)
            found.thresholds.append(_threshold(a, LINEAR))

    with observed(model, see):
        for call in calls:
            call.repeat(model)
    return moments


@torch.no_grad()
def measure_ordered_thresholds(
    model: nn.Module, calls: Sequence[Call], orders: dict[str, NDArray[np.intp]]
) -> dict[str, list[float]]:
    """Return the thresholds of linear inputs by step, after their channels were ordered."""
    found: dict[str, list[float]] = {name: [] for name in orders}

    def see(site: Site, a: Tensor, b: Tensor) -> None:
        if (name := f"{site.name}.a") in orders:
            policy = replace(LINEAR, order="calibrated", permutation=orders[name])
            found[name].append(_threshold(a, policy))

    with observed(model, see):
        for call in calls:
            call.repeat(model)
    return found


@torch.no_grad()
def measure_shares(
    model: nn.Module,
    operands: Sequence[Operand],
    calls: Sequence[Call],
    orders: dict[str, NDArray[np.intp]],
) -> tuple[dict[str, NDArray[np.float64]], dict[str, int]]:
    """Split the error that MX6 makes at an operand among its tag units.

    The error of an element counts as often as it is multiplied: by the sum of squares of what it
    meets in the other operand, over K-blocks in linear layers and over heads in attention.

    Returns
    -------
    shares : dict of ndarray, (steps, units)
        By operand's name; the sum over units is 1.
    elements : dict of int
        Elements of a unit that pass, in one call, all layers that share the input counted.
    """
    shares: dict[str, list[NDArray[np.float64]]] = {operand.name: [] for operand in operands}
    elements: dict[str, int] = {}
    readers = {operand.name: operand.sites for operand in operands}

    def see(site: Site, a: Tensor, b: Tensor) -> None:
        for side, x, other in (("a", a, b), ("b", b, a)):
            name = f"{site.name}.{side}"
            if name not in readers:
                continue
            if site.kind == "linear":
                order = torch.from_numpy(orders[name]).to(x.device)
                norms = sum(
                    model.get_submodule(reader.name).weight.float().square().sum(0)
                    for reader in readers[name]
                )[order]
                x = x.float().flatten(0, -2)[:, order]
                by_channel = (fake_quantize(x, MX6) - x).square().sum(0) * norms
                tail = -len(by_channel) % BLOCK_SIZE
                error = torch.nn.functional.pad(by_channel, (0, tail)).view(-1, BLOCK_SIZE).sum(1)
            else:
                met = other.float().square().sum(-2, keepdim=True)
                error = ((fake_quantize(x, MX6) - x).square() * met).sum((-2, -1))
                error = error.flatten(0, -2).sum(0)
            elements[name] = len(readers[name]) * x.numel() // len(error)
            total = error.sum().clamp(min=torch.finfo(torch.float32).tiny)
            shares[name].append((error / total).double().cpu().numpy())

    with observed(model, see):
        for call in calls:
            call.repeat(model)
    return {name: np.stack(rows) for name, rows in shares.items()}, elements


def _threshold(x: Tensor, policy: Policy) -> float:
    return golden.calibrate_threshold([x.detach().float().cpu().numpy()], policy)
