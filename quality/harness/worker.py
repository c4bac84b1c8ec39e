"""Computes shards, one after the other, in one process."""

import copy
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.torch import Clock, quantize_
from quality.dataset import to_bytes
from quality.harness.layers import LayerProbe, channel_maxima
from quality.harness.meters import read_meters, reset_meters
from quality.harness.probe import probe_steps, probe_trajectory
from quality.harness.settings import REFERENCE, Settings, Shard
from quality.models.subject import load_subject
from quality.policies import build

Result = tuple[dict[str, NDArray], dict[str, Any]]
"""Tensors and facts of a shard."""


class Worker:
    """Holds a model, and the version of it that was last asked for.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    FileNotFoundError, ValueError
        If the model cannot be loaded.
    """

    def __init__(self, settings: Settings) -> None:
        torch.set_num_threads(settings.threads)
        self._settings = settings
        self._subject = load_subject(settings.model)
        self._policy = REFERENCE
        self._quantized: nn.Module = self._subject.transformer

    def run(self, shard: Shard) -> Result:
        """Compute a shard.

        Raises
        ------
        ValueError
            If its policy is not known, or does not fit the model.
        """
        started = time.perf_counter()
        transformer = self._version(shard.policy)
        compute = self._probe if shard.is_probe else self._draw
        tensors, facts = compute(transformer, shard)
        return tensors, {**facts, "seconds": time.perf_counter() - started}

    def _version(self, policy: str) -> nn.Module:
        """Return the transformer under a policy; the reference is never converted."""
        reference = self._subject.transformer
        if policy == REFERENCE:
            return reference
        if policy != self._policy:
            clock = Clock()
            self._quantized = copy.deepcopy(reference)
            chosen = build(policy, self._quantized, self._settings.calibration_file, clock)
            quantize_(self._quantized, chosen, clock=clock, keep=False)
            self._policy = policy
        return self._quantized

    @torch.no_grad()
    def _draw(self, transformer: nn.Module, shard: Shard) -> Result:
        """Draw images; the facts say how many bits passed each site."""
        is_quantized = transformer is not self._subject.transformer
        if is_quantized:
            reset_meters(transformer)
        images = self._subject.draw(transformer, shard.seed, shard.first, shard.count)
        bits = read_meters(transformer) if is_quantized else {}
        return {"images": to_bytes(images)}, {"bits": bits}

    @torch.no_grad()
    def _probe(self, transformer: nn.Module, shard: Shard) -> Result:
        """Measure errors against the reference; of the reference itself, its channels."""
        reference = self._subject.transformer

        def draw(version: nn.Module) -> NDArray[np.float32]:
            return self._subject.draw(version, shard.seed, shard.first, shard.count)

        if transformer is reference:
            return channel_maxima(reference, lambda: draw(reference)), {}
        errors, calls = probe_trajectory(reference, transformer, draw)
        layers = LayerProbe(reference, transformer)
        errors["step"] = probe_steps(calls, transformer, after=layers.compare(calls))
        errors |= layers.results()
        return errors, {"sites": layers.sites}
