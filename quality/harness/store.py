"""The file of a shard: tensors, and a key that changes with all they depend on. NumPy alone."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quality.harness.settings import REFERENCE, Shard
from quality.storage import read_tensors, save_tensors

SAMPLING = ("quality/sample.py", "quality/schedule.py", "quality/model.py", "quality/recipe.py",
            "quality/dataset.py", "quality/models/*.py")  # fmt: skip
"""Everything that the reference's tensors can depend on, and more: a change too many only costs
time."""

QUANTIZING = ("golden/*.py", "golden/torch/*.py", "quality/policies/*.py", "quality/baselines/*.py",
              "quality/calibration/*.py",
              "quality/harness/probe.py", "quality/harness/layers.py", "quality/harness/calls.py",
              "quality/harness/meters.py")  # fmt: skip
"""What the others' depend on beside it."""

QUANTIZATION = ("calibration_sha256", "quantizing_code")
"""Circumstances that only quantized models have."""

COMMAND = "mixdit quality evaluate"


def shard_key(shard: Shard, circumstances: dict[str, Any]) -> str:
    """Hash a shard with what it is computed from.

    Parameters
    ----------
    shard : Shard
    circumstances : dict
        JSON values: those in `QUANTIZATION` say nothing about shards of the reference.
    """
    if shard.policy == REFERENCE:
        circumstances = {k: v for k, v in circumstances.items() if k not in QUANTIZATION}
    text = json.dumps([asdict(shard), circumstances], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_done(path: Path, key: str) -> bool:
    """Whether a shard's file is there, whole, and has this key."""
    if not path.is_file():
        return False
    try:
        return read_shard(path)[1]["key"] == key
    except ValueError:  # not a file of ours, or cut short by a full disk
        return False


def write_shard(path: Path, tensors: dict[str, NDArray], facts: dict[str, Any]) -> None:
    """Write a shard's tensors and facts, with its key among the facts; never half a file."""
    save_tensors(path, tensors, facts)


def read_shard(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read what `write_shard` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        As `quality.storage.read_tensors`.
    """
    return read_tensors(path, COMMAND)
