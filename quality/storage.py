"""Tensors on disk: safetensors files whose metadata says how they came about. NumPy alone."""

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from commands.outputs import whole

METADATA_KEY = "provenance"
"""One key with sorted JSON, because safetensors does not fix the order of several keys."""


def to_half(name: str, values: NDArray) -> NDArray[np.float16]:
    """Round to FP16, to nearest even; the shape stays.

    Raises
    ------
    ValueError
        If a value is not finite in FP16.
    """
    with np.errstate(over="ignore"):  # reported below, with the tensor's name
        half = np.ascontiguousarray(values, dtype=np.float16)
    if not np.isfinite(half).all():
        raise ValueError(f"{name} holds values that are not finite in FP16")
    return half


def save_tensors(path: Path, tensors: dict[str, NDArray], provenance: dict) -> None:
    """Write tensors; the same content gives the same bytes, and a reader never sees half a file.

    Parameters
    ----------
    path : Path
        File to write.
    tensors : dict of NDArray
        By name.
    provenance : dict
        JSON values; neither dates nor paths belong here.
    """
    with whole(path) as file:
        file.write(save(tensors, {METADATA_KEY: json.dumps(provenance, sort_keys=True)}))


def read_tensors(path: Path, command: str) -> tuple[dict[str, NDArray], dict]:
    """Read what `save_tensors` wrote.

    Parameters
    ----------
    path : Path
        The file.
    command : str
        The command that writes such a file, for the error messages.

    Returns
    -------
    tensors : dict of NDArray
        By name.
    provenance : dict
        What was stored, plus ``sha256`` of the file.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or `save_tensors` did not write it.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: write it with `{command}`, or restore the committed file"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            provenance = json.loads((file.metadata() or {})[METADATA_KEY])
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} was not written by `{command}`: {error}") from error
    provenance["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return tensors, provenance
