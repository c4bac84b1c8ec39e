"""The JSON of one policy and seed, made from the files of its shards."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from commands.outputs import write_text
from quality.harness.meters import SiteBits, mean_widths
from quality.harness.probe import decibels
from quality.harness.settings import REFERENCE, Settings
from quality.harness.store import QUANTIZATION, read_shard
from quality.metrics import psnr

SCHEMA = 1
"""Of the JSON; grows when a key changes its meaning or leaves."""

PACKAGES = ("diffusers", "numpy", "torch")


class Scored(Protocol):
    """What a judge finds in a set of images."""

    def numbers(self) -> dict[str, float]:
        """Return the scores by name."""
        ...

    def minus(self, baseline: "Scored") -> dict[str, float]:
        """Return the differences to images that grew from the same noise."""
        ...


class Images:
    """All images of one policy and seed, with what their shards noted.

    Parameters
    ----------
    settings : Settings
    policy : str
    seed : int

    Attributes
    ----------
    pixels : NDArray[np.uint8]
        Shape (n, height, width) or (n, height, width, 3).
    bits : dict of SiteBits
        By site.
    seconds : float
        Of all processes.
    """

    def __init__(self, settings: Settings, policy: str, seed: int) -> None:
        self.bits: dict[str, SiteBits] = {}
        self.seconds = 0.0
        parts = []
        for shard in settings.shards(policy, seed):
            if shard.is_probe:
                continue
            tensors, facts = read_shard(settings.folder / shard.file)
            parts.append(tensors["images"])
            self.seconds += facts["seconds"]
            for site, counts in facts["bits"].items():
                self.bits[site] = self.bits.get(site, SiteBits()).plus(SiteBits(*counts))
        self.pixels = np.concatenate(parts)


def make_record(
    settings: Settings,
    policy: str,
    seed: int,
    scored: tuple[Images, Scored | None],
    baseline: tuple[Images, Scored | None],
    circumstances: dict[str, Any],
) -> dict[str, Any]:
    """Gather everything about one policy and seed.

    Parameters
    ----------
    settings : Settings
    policy : str
    seed : int
    scored, baseline : tuple
        The images and their scores, of this policy and of `REFERENCE`; no scores where the model
        has no judge.
    circumstances : dict
        Model, calibration and code.

    Returns
    -------
    dict
        JSON values; None stands for an infinite ratio.
    """
    images, scores = scored
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "policy": policy,
        "seed": seed,
        "images": len(images.pixels),
        "batch": settings.batch,
        **circumstances,
        "packages": {name: version(name) for name in PACKAGES},
        "seconds": round(images.seconds, 1),
        "bits": _bits(images.bits),
        "scores": scores.numbers() if scores else {},
    }
    *_, probe = settings.shards(policy, seed)
    if policy == REFERENCE:
        for name in QUANTIZATION:
            del record[name]
        return {**record, "outliers": _outliers(settings.folder / probe.file)}
    if scores and baseline[1]:
        record["paired"] = scores.minus(baseline[1])
    record["psnr"] = _psnr(images.pixels, baseline[0].pixels)
    record["probe"] = {"images": probe.count, **_probe(settings.folder / probe.file)}
    return record


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, a line for each of its keys; a reader never sees half a file."""
    lines = [f"{json.dumps(key)}: {_dumps(value)}" for key, value in sorted(record.items())]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _bits(sites: dict[str, SiteBits]) -> dict[str, Any]:
    activation, weight = mean_widths(sites)
    return {
        "activation": round(activation, 4),
        "weight": round(weight, 4),
        "sites": {name: [round(c.a_width, 4), round(c.b_width, 4)] for name, c in sites.items()},
    }


def _psnr(pixels: NDArray[np.uint8], reference: NDArray[np.uint8]) -> dict[str, Any]:
    """Summarise the images' ratios in decibels; `pooled` is that of the mean squared error."""
    ratios = psnr(pixels, reference)
    return {
        "pooled": finite(psnr(pixels.reshape(1, -1), reference.reshape(1, -1))[0]),
        "median": finite(np.median(ratios)),
        "worst": finite(ratios.min()),
        "identical": int(np.isinf(ratios).sum()),
    }


def _probe(path: Path) -> dict[str, Any]:
    """Turn a probe's energies into decibels."""
    tensors, facts = read_shard(path)
    steps = decibels(tensors["step"])
    layers = tensors["layer"]
    return {
        "timesteps": tensors["timesteps"].tolist(),
        "step_qsnr": [finite(value) for value in steps],
        "one_step_qsnr": finite(decibels(tensors["step"].sum(0))),
        "mean_step_qsnr": finite(steps.mean()),
        "state_qsnr": [finite(value) for value in decibels(tensors["state"])],
        "layer_qsnr": {
            site: finite(value)
            for site, value in zip(facts["sites"], decibels(layers.sum(0)), strict=True)
        },
        "layer_bits": {
            site: np.round(tensors["layer_bits"][:, index], 4).tolist()
            for index, site in enumerate(facts["sites"])
        },
    }


def _outliers(path: Path) -> dict[str, list[float]]:
    """Return the largest channel over the median one by site and step, in the reference."""
    maxima, _ = read_shard(path)
    return {
        site: np.round(rows.max(1) / np.median(rows, axis=1), 3).tolist()
        for site, rows in maxima.items()
    }


def finite(value: float) -> float | None:
    """Round a ratio for JSON, which has no infinities: None stands for one."""
    return round(float(value), 3) if np.isfinite(value) else None
