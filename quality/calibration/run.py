"""Measure all that a calibration holds, on trajectories of the unquantized model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from quality.calibration.budget import SHARE, importance, spend
from quality.calibration.notes import Notes
from quality.calibration.observe import Operand, find_operands
from quality.calibration.record import Calibration, OperandRecord, WeightRecord
from quality.calibration.rounding import round_weight
from quality.calibration.sensitivity import operand_noise, weight_noise, weight_shares
from quality.calibration.statistics import (
    Moments,
    measure_moments,
    measure_ordered_thresholds,
    measure_shares,
)
from quality.harness.calls import Call, recorded
from quality.models.identity import identify
from quality.models.options import ModelOptions
from quality.models.subject import load_subject

Progress = Callable[[int, int, str], None]
"""Called with what is done, out of how much, and what comes now."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Say what a calibration is made of.

    Parameters
    ----------
    model : ModelOptions
    images : int
        Drawn together; their trajectory is what is measured on.
    seed : int
        Of their noise; not one that policies are judged by.
    """

    model: ModelOptions
    images: int = 20
    seed: int = 100

    def record(self) -> dict[str, Any]:
        """Return what the result depends on, as JSON values."""
        return {
            "images": self.images,
            "model": identify(self.model),
            "packages": {name: version(name) for name in ("diffusers", "torch")},
            "seed": self.seed,
        }


@torch.no_grad()
def calibrate(settings: Settings, notes_file: Path, progress: Progress) -> Calibration:
    """Make a calibration; measurements that an earlier, interrupted call noted are taken over.

    Parameters
    ----------
    settings : Settings
    notes_file : Path
        Where measurements are noted as they are made.
    progress : callable

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such model here.
    """
    record = settings.record()
    model, calls = _trajectory(settings)
    operands = find_operands(model, lambda: calls[0].repeat(model))
    layers = {site.name: each.name for each in operands if each.is_linear for site in each.sites}
    names = [each.name for each in operands] + [f"{site}.weight" for site in layers] * 2
    steps = ["statistics", "thresholds", "errors by unit", *names, "writing"]
    bar = enumerate(steps)

    def begin() -> None:
        done, what = next(bar)
        progress(done, len(steps) - 1, what)

    begin()
    moments = measure_moments(model, operands, calls, importance(len(calls)))
    orders = {each.name: moments[each.name].order() for each in operands if each.is_linear}
    begin()
    ordered = measure_ordered_thresholds(model, calls, orders)
    begin()
    shares, elements = measure_shares(model, operands, calls, orders)

    notes = Notes(notes_file, record)
    noise: dict[str, NDArray[np.float64]] = {}
    for operand in operands:
        begin()
        order = orders.get(operand.name)
        measure = partial(operand_noise, model, operand, calls, order)
        noise[operand.name] = notes.get(operand.name, measure)
    loss: dict[str, NDArray[np.float64]] = {}
    for site, source in layers.items():
        begin()
        measure = partial(weight_noise, model, model.get_submodule(site), calls, orders[source])
        loss[site] = notes.get(f"{site}.weight", measure)

    tags = weight_tags(model, layers, loss, moments, orders)
    weights: dict[str, WeightRecord] = {}
    for site, source in layers.items():
        begin()
        weight = model.get_submodule(site).weight
        weights[site] = _rounded(weight, moments[source], orders[source], tags[site])
    begin()
    notes.remove()
    records = {
        each.name: _record(each, moments[each.name], noise[each.name][:, None] * shares[each.name],
                           elements[each.name], orders, ordered)
        for each in operands
    }  # fmt: skip
    timesteps = np.array([call.timestep for call in calls])
    return Calibration(timesteps, records, layers, weights, record)


def weight_tags(
    model: nn.Module,
    layers: dict[str, str],
    loss: dict[str, NDArray[np.float64]],
    moments: dict[str, Moments],
    orders: dict[str, NDArray[np.intp]],
) -> dict[str, NDArray[np.bool_]]:
    """Choose the K-blocks of weights that are MX9, by the error that they save per bit.

    As with activations, a step's errors are relative to the sum over all weights, and the last step
    counts more.
    """
    per_step = np.maximum(sum(loss.values()), np.finfo(np.float64).tiny)
    weights = importance(len(per_step)) / per_step
    gains, costs = {}, {}
    for site, source in layers.items():
        weight = model.get_submodule(site).weight
        shares = weight_shares(weight, moments[source].squares, orders[source])
        gains[site], costs[site] = (weights @ loss[site]) * shares, weight.numel() / len(shares)
    return spend(gains, costs, SHARE)


def _trajectory(settings: Settings) -> tuple[nn.Module, list[Call]]:
    subject = load_subject(settings.model)
    with recorded(subject.transformer) as calls:
        subject.draw(subject.transformer, settings.seed, 0, settings.images)
    return subject.transformer, calls


def _rounded(
    weight: Tensor, moments: Moments, order: NDArray[np.intp], tags: NDArray[np.bool_]
) -> WeightRecord:
    index = torch.from_numpy(order).to(weight.device)
    products = moments.products[index][:, index]
    values = np.empty(weight.shape, np.float32)
    values[:, order] = round_weight(weight[:, index], products, tags).cpu().numpy()
    return WeightRecord(values, tags)


def _record(
    operand: Operand,
    moments: Moments,
    noise: NDArray[np.float64],
    elements: int,
    orders: dict[str, NDArray[np.intp]],
    ordered: dict[str, list[float]],
) -> OperandRecord:
    record = OperandRecord(
        noise.astype(np.float32), np.array(moments.thresholds, np.float32), elements
    )
    if not operand.is_linear:
        return record
    return replace(
        record,
        order=orders[operand.name].astype(np.int32),
        ordered_threshold=np.array(ordered[operand.name], np.float32),
        maxima=torch.stack(moments.maxima).cpu().numpy(),
    )
