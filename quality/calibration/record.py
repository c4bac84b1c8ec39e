"""The calibration of a model as a file: what policies and the hardware's demo read. NumPy alone.

Tensors of operand ``X`` (a site's name with ``.a`` or ``.b``) and of linear site ``Y``:

==========================  ==========================================================
``timesteps``               of the steps, in their order: float64 (steps,)
``X.noise``                 relative error that each unit in MX6 adds to the model's output:
                            float32 (steps, units); units are K-blocks in the order, or heads
``X.threshold``             magnitude that MixDiT's share of the units exceeds, in natural order:
                            float32 (steps,)
``X.order``                 of a linear input: the channel that comes first, ...: int32 (K,)
``X.ordered_threshold``     of a linear input: the same in that order
``X.maxima``                of a linear input: largest magnitude by channel: float32 (steps, K)
``Y.outliers``              K-blocks of the rounded weight that are MX9: bool (K-blocks,)
``Y.base``, ``Y.residual``  the rounded weight (N, K) in that order, as `golden.planes` packs it
==========================  ==========================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.planes import pack, unpack
from golden.policy import Policy
from golden.precision import quantize_weight
from quality.captured import DATA_FOLDER
from quality.storage import read_tensors, save_tensors

CALIBRATION = DATA_FOLDER / "calibration.safetensors"
COMMAND = "mixdit quality calibrate"


@dataclass(frozen=True, eq=False)
class OperandRecord:
    """What is known of one operand; see the module.

    Attributes
    ----------
    noise : ndarray, shape (steps, units)
    threshold : ndarray, shape (steps,)
    elements : int
        Of a unit, counted once for each layer that reads it, in one call of the calibration set.
    order, ordered_threshold, maxima : ndarray or None
        Of linear inputs.
    """

    noise: NDArray[np.float32]
    threshold: NDArray[np.float32]
    elements: int
    order: NDArray[np.int32] | None = None
    ordered_threshold: NDArray[np.float32] | None = None
    maxima: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class WeightRecord:
    """A rounded weight.

    Attributes
    ----------
    values : ndarray, float32, shape (N, K)
        In natural order of K.
    outliers : ndarray of bool, shape (K-blocks,)
        In the order of the layer's input.
    """

    values: NDArray[np.float32]
    outliers: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Calibration:
    """All that was measured of a model.

    Attributes
    ----------
    timesteps : ndarray, shape (steps,)
    operands : dict of OperandRecord
        By name, in the order of the model.
    inputs : dict of str
        For each linear site, the operand that is its input.
    weights : dict of WeightRecord
        By linear site.
    provenance : dict
        Model and settings: JSON values.
    """

    timesteps: NDArray[np.float64]
    operands: dict[str, OperandRecord]
    inputs: dict[str, str]
    weights: dict[str, WeightRecord]
    provenance: dict[str, Any] = field(default_factory=dict)

    def input_of(self, site: str) -> OperandRecord:
        """Return what is known of a linear layer's input.

        Raises
        ------
        ValueError
            If nothing is.
        """
        return self.operand(self.inputs.get(site, f"{site}.a"))

    def operand(self, name: str) -> OperandRecord:
        """Return what is known of an operand; see `input_of`."""
        if name not in self.operands:
            raise ValueError(
                f"the calibration does not know {name.rpartition('.')[0]}, so it is of another "
                f"model: make one with `{COMMAND}`"
            )
        return self.operands[name]


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration."""
    tensors: dict[str, NDArray[np.generic]] = {"timesteps": calibration.timesteps}
    for name, record in calibration.operands.items():
        for key in ("noise", "threshold", "order", "ordered_threshold", "maxima"):
            if (values := getattr(record, key)) is not None:
                tensors[f"{name}.{key}"] = np.ascontiguousarray(values)
    for name, record in calibration.weights.items():
        order = calibration.input_of(name).order
        codes = quantize_weight(record.values.T, record.outliers, _in_order(order)).transpose()
        tensors[f"{name}.base"], tensors[f"{name}.residual"] = pack(codes)
        tensors[f"{name}.outliers"] = record.outliers
    facts = {
        "operands": {name: record.elements for name, record in calibration.operands.items()},
        "inputs": calibration.inputs,
    }
    save_tensors(path, tensors, calibration.provenance | facts)


def load_calibration(path: Path) -> Calibration:
    """Read what `save_calibration` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or is no calibration.
    """
    tensors, provenance = read_tensors(path, COMMAND)
    try:
        elements, inputs = provenance.pop("operands"), provenance.pop("inputs")
        timesteps = tensors["timesteps"]
        operands = {name: _operand(name, count, tensors) for name, count in elements.items()}
        weights = {
            site: _weight(site, operands[source].order, tensors) for site, source in inputs.items()
        }
    except KeyError as error:
        raise ValueError(f"{path} is no calibration, or an older one: it lacks {error}") from error
    return Calibration(timesteps, operands, inputs, weights, provenance)


def _operand(name: str, elements: int, tensors: Mapping[str, NDArray]) -> OperandRecord:
    optional = {
        key: tensors.get(f"{name}.{key}") for key in ("order", "ordered_threshold", "maxima")
    }
    return OperandRecord(
        tensors[f"{name}.noise"], tensors[f"{name}.threshold"], elements, **optional
    )


def _weight(site: str, order: NDArray[np.int32], tensors: Mapping[str, NDArray]) -> WeightRecord:
    base, outliers = tensors[f"{site}.base"], tensors[f"{site}.outliers"]
    shape = (len(base) // len(outliers), len(order))
    tags = np.broadcast_to(outliers, (shape[0], len(outliers)))
    codes = unpack(base, tensors[f"{site}.residual"], tags, "mixed", shape, axis=1)
    values = np.empty(shape, np.float32)
    values[:, order] = codes.dequantize()
    return WeightRecord(values, outliers)


def _in_order(order: NDArray[np.int32]) -> Policy:
    return Policy(order="calibrated", permutation=order)
