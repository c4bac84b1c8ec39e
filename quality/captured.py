"""The captured tensors, read with NumPy and safetensors alone.

`quality.capture` wrote the file. Its keys: ``q.weight``, ``q.bias`` and so on for each layer, and
``qkv.input``, ``qkv.calibration`` and so on for each input, which q, k and v share. All are FP16.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quality.storage import read_tensors

DATA_FOLDER = Path(__file__).parent / "data"
CAPTURE_FILE = DATA_FOLDER / "activations.safetensors"
CAPTURE_COMMAND = "mixdit quality capture"

LAYER_INPUTS = {"q": "qkv", "k": "qkv", "v": "qkv", "out": "out", "ff1": "ff1", "ff2": "ff2"}
"""Layers in the order in which the transformer block runs them, and the input each one reads."""


@dataclass(frozen=True)
class CapturedLayer:
    """One linear layer with rows that reached it: its output is ``activations @ weight + bias``.

    Parameters
    ----------
    name : str
        ``q``, ``k``, ``v``, ``out``, ``ff1`` or ``ff2``.
    activations : NDArray[np.float16]
        Shape (M, K): whole sequences of 64 tokens, all from one timestep.
    weight : NDArray[np.float16]
        Shape (K, N): transposed from torch's convention.
    bias : NDArray[np.float16]
        Shape (N,).
    calibration : NDArray[np.float16]
        Shape (M', K): other images at the same timestep, to calibrate thresholds on.
    """

    name: str
    activations: NDArray[np.float16]
    weight: NDArray[np.float16]
    bias: NDArray[np.float16]
    calibration: NDArray[np.float16]


def load_layers(path: Path = CAPTURE_FILE) -> list[CapturedLayer]:
    """Load the captured layers in the order in which the block runs them: q, k, v, out, ff1, ff2.

    Parameters
    ----------
    path : Path
        A file written by `mixdit quality capture`.

    Returns
    -------
    list of CapturedLayer
        q, k and v hold the same activations.

    Raises
    ------
    FileNotFoundError, ValueError
        As `quality.storage.read_tensors`, or if a tensor is missing.
    """
    tensors, _ = read_tensors(path, CAPTURE_COMMAND)
    try:
        return [
            CapturedLayer(
                name,
                tensors[f"{source}.input"],
                tensors[f"{name}.weight"],
                tensors[f"{name}.bias"],
                tensors[f"{source}.calibration"],
            )
            for name, source in LAYER_INPUTS.items()
        ]
    except KeyError as error:
        raise ValueError(f"{path} lacks the tensor {error}: write it again") from error


def load_provenance(path: Path = CAPTURE_FILE) -> dict:
    """Load what the file says of its origin: checkpoint hash, block, sampler, seeds, timestep."""
    return read_tensors(path, CAPTURE_COMMAND)[1]
