"""A user's own matrices from ``.npy`` files, refused with a sentence where they don't fit."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from examples.gemms import Matrices
from hw.contract.config import DIMENSION_BITS, Config

_NPY_MAGIC = b"\x93NUMPY"
_FLOAT_FORMATS = {"float16": "fp16", "float32": "fp32", "bfloat16": "bf16"}


def load_matrices(activations: Path, weights: Path, config: Config) -> Matrices:
    """Read A (M, K) and B (K, N) as float16, float32 or bfloat16.

    Raises
    ------
    ValueError
        With a sentence, if a file is missing or no matrix of floats, if the two don't fit, or if
        the machine can't multiply them.
    """
    a, a_format = _load(activations, "activations")
    b, b_format = _load(weights, "weights")
    (m, k), (b_k, n) = a.shape, b.shape
    if k != b_k:
        raise ValueError(f"the activations have K = {k} columns, but the weights K = {b_k} rows; "
                         "they must be (M, K) and (K, N)")
    if k > config.k_max:
        raise ValueError(f"K = {k} is over the machine's limit of {config.k_max}; "
                         f"build a larger one with --k-max {k}")
    for name, size in (("M", m), ("N", n)):
        if size >= 1 << DIMENSION_BITS:
            raise ValueError(f"{name} = {size} is over the limit of {(1 << DIMENSION_BITS) - 1}")
    return Matrices(name="own", activations=a, weights=b, float_format=a_format,
                    weight_float_format=b_format)


def _load(path: Path, what: str) -> tuple[NDArray[np.generic], str]:
    """Read one matrix; bfloat16 as uint16 patterns."""
    option = f"--{what} (with make: {what.upper()}=file.npy)"
    if not path.is_file():
        raise ValueError(f"there is no file {path}; give {option} a .npy file")
    with path.open("rb") as file:
        if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
            raise ValueError(f"{path} is not a .npy file; write one with numpy.save")
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # a broken header is evaluated, and fails in any way
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if reason.startswith("Object arrays"):
            reason = "it holds Python objects; convert them first with x.astype(numpy.float32)"
        raise ValueError(f"{path} can't be read: {reason}") from None
    name = array.dtype.name
    if array.dtype.kind == "V" and array.dtype.itemsize == 2 and not array.dtype.names:
        name, array = "bfloat16", array.view(np.uint16)  # how numpy.save writes ml_dtypes' bfloat16
    if name not in _FLOAT_FORMATS:
        raise ValueError(f"{path} holds {name}; convert it first, for example with "
                         "x.astype(numpy.float32)")
    if array.ndim != 2:
        raise ValueError(f"{path} has shape {array.shape}, but the {what} must be a matrix")
    if not array.size:
        raise ValueError(f"{path} is empty: its shape is {array.shape}")
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
    return native, _FLOAT_FORMATS[name]
