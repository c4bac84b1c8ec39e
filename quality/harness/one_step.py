"""Policies by what they do to single evaluations of the model: no images are drawn under them."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from golden.torch import Clock, quantize_
from quality.harness.calls import recorded
from quality.harness.meters import mean_widths, read_meters
from quality.harness.probe import decibels, probe_steps
from quality.harness.record import finite
from quality.harness.settings import REFERENCE, Settings
from quality.models.subject import load_subject
from quality.policies import build


@dataclass(frozen=True)
class OneStep:
    """What a policy does to the evaluations that FP32's trajectories consist of.

    Attributes
    ----------
    policy : str
    activation_bits, weight_bits : float
        Mean widths of all elements that reach a quantized GEMM.
    pooled, last : tuple of float
        For each seed, QSNR in decibels: of all steps together, and of the last alone, whose errors
        nothing denoises.
    """

    policy: str
    activation_bits: float
    weight_bits: float
    pooled: tuple[float, ...]
    last: tuple[float, ...]

    def record(self) -> dict[str, Any]:
        """Give all of it as JSON values; None stands for an infinite ratio."""
        return asdict(self) | {
            name: [finite(value) for value in getattr(self, name)] for name in ("pooled", "last")
        }


@torch.no_grad()
def compare(
    settings: Settings,
    policies: Sequence[str],
    seeds: Sequence[int],
    progress: Callable[[int, int, str], None] | None = None,
) -> Iterator[OneStep]:
    """Draw `settings.probe` images of each seed in FP32, and repeat the evaluations quantized.

    Parameters
    ----------
    settings : Settings
    policies : sequence of str
        The reference among them is passed over.
    seeds : sequence of int
    progress : callable, optional
        Told how many policies are done, of how many, and which is the last.

    Raises
    ------
    FileNotFoundError, ValueError
        If the model or a policy is not known or does not fit, or the calibration is missing.
    """
    subject = load_subject(settings.model)
    trajectories = []
    for seed in seeds:
        with recorded(subject.transformer) as calls:
            subject.draw(subject.transformer, seed, 0, settings.probe)
        trajectories.append(calls)
    quantized = [name for name in policies if name != REFERENCE]
    for done, policy in enumerate(quantized, start=1):
        candidate = _quantized(subject.transformer, policy, settings)
        energies = [probe_steps(calls, candidate) for calls in trajectories]
        widths = mean_widths(read_meters(candidate))
        pooled = tuple(float(decibels(each.sum(0))) for each in energies)
        last = tuple(float(decibels(each[-1])) for each in energies)
        if progress is not None:
            progress(done, len(quantized), policy)
        yield OneStep(policy, *widths, pooled, last)


def _quantized(transformer: nn.Module, policy: str, settings: Settings) -> nn.Module:
    candidate, clock = copy.deepcopy(transformer), Clock()
    chosen = build(policy, candidate, settings.calibration_file, clock)
    quantize_(candidate, chosen, clock=clock, keep=False)
    return candidate
