"""The file of a unit: tensors, and a key that changes with all they depend on. NumPy alone."""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from quality.harness.settings import REFERENCE, Unit
from quality.storage import read_tensors, save_tensors

ROOT = Path(__file__).resolve().parents[2]
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


@cache
def code_version(patterns: tuple[str, ...], root: Path = ROOT) -> str:
    """Hash all files that fit, names and contents, to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def unit_key(unit: Unit, circumstances: dict[str, Any]) -> str:
    """Hash a unit with what it is computed from.

    Parameters
    ----------
    unit : Unit
    circumstances : dict
        JSON values: those in `QUANTIZATION` say nothing about units of the reference.
    """
    if unit.policy == REFERENCE:
        circumstances = {k: v for k, v in circumstances.items() if k not in QUANTIZATION}
    text = json.dumps([asdict(unit), circumstances], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_done(path: Path, key: str) -> bool:
    """Whether a unit's file is there, whole, and has this key."""
    if not path.is_file():
        return False
    try:
        return read_unit(path)[1]["key"] == key
    except ValueError:  # not a file of ours, or cut short by a full disk
        return False


def write_unit(path: Path, tensors: dict[str, NDArray], facts: dict[str, Any]) -> None:
    """Write a unit's tensors and facts, with its key among the facts; never half a file."""
    save_tensors(path, tensors, facts)


def read_unit(path: Path) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read what `write_unit` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        As `quality.storage.read_tensors`.
    """
    return read_tensors(path, COMMAND)
