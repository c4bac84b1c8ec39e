"""MX tensors in safetensors files: a base plane, a residual plane and precision bits each.

Tensor ``name`` is stored as ``name.base`` (12 bytes per block), ``name.residual`` (6 bytes per MX9
block) and ``name.precision`` (one bit per tag unit, the first in bit 0), all uint8. The file's
metadata holds, under the tensor's name, a JSON object with its format, shape, axis and tag
granularity.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from golden.formats import BLOCK_SIZE, MX9
from golden.mx import MXTensor, mx_format
from golden.planes import pack, unpack
from golden.units import GRANULARITIES, spread

_WHOLE = "tensor"
"""Granularity of a tensor whose blocks all have the same precision."""


def save(
    path: str | Path,
    tensors: Mapping[str, MXTensor],
    granularity: str = "block",
    tile_rows: int | None = None,
) -> None:
    """Write tensors to a safetensors file.

    Parameters
    ----------
    path : str or Path
    tensors : mapping of str to MXTensor
    granularity : {"block", "channel_block", "head"}
        The unit that one precision bit stands for, in mixed tensors. Tensors of one format have a
        single bit.
    tile_rows : int, optional
        Rows of the token tile that a "channel_block" spans; all rows if left out.

    Raises
    ------
    ValueError
        If a unit's blocks differ in precision, or the granularity does not exist.
    """
    if isinstance(tensors, MXTensor):
        raise TypeError("give tensors by name, for example save(path, {'weight': tensor})")
    if granularity not in GRANULARITIES:
        raise ValueError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, not {granularity!r}"
        )
    planes, metadata = {}, {}
    for name, tensor in tensors.items():
        unit = granularity if tensor.format == "mixed" else _WHOLE
        planes[f"{name}.base"], planes[f"{name}.residual"] = pack(tensor)
        planes[f"{name}.precision"] = _pack_units(name, tensor, unit, tile_rows)
        metadata[name] = json.dumps(
            {
                "format": tensor.format_name,
                "shape": tensor.shape,
                "axis": tensor.axis,
                "granularity": unit,
                "tile_rows": tile_rows if unit == "channel_block" else None,
            }
        )
    save_file(planes, path, metadata)


def load(path: str | Path) -> dict[str, MXTensor]:
    """Read the tensors of a file that `save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a safetensors file with MX tensors, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    tensors = {}
    try:
        with safe_open(path, framework="numpy") as file:
            for name, text in (file.metadata() or {}).items():
                planes = [file.get_tensor(f"{name}.{p}") for p in ("base", "residual", "precision")]
                tensors[name] = _rebuild(*planes, **json.loads(text))
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a file of MX tensors: {error}") from error
    if not tensors:
        raise ValueError(f"{path} holds no MX tensors")
    return tensors


def _rebuild(
    base: NDArray[np.uint8],
    residual: NDArray[np.uint8],
    precision: NDArray[np.uint8],
    *,
    format: str,
    shape: list[int],
    axis: int,
    granularity: str,
    tile_rows: int | None,
) -> MXTensor:
    moved = [*shape[:axis], *shape[axis + 1 :], shape[axis]]
    lead = (*moved[:-1], -(-moved[-1] // BLOCK_SIZE))
    units = _unit_shape(lead, granularity, tile_rows)
    count = math.prod(units)
    if precision.size != -(-count // 8):
        raise ValueError(
            f"{count} tag units need {-(-count // 8)} precision bytes, not {precision.size}"
        )
    bits = np.unpackbits(precision, count=count, bitorder="little").reshape(units)
    is_mx9 = spread(bits.astype(np.bool_), lead, granularity, tile_rows)
    fmt = "mixed" if format == "mixed" else mx_format(format)
    return unpack(base, residual, is_mx9, fmt, tuple(shape), axis)


def _pack_units(
    name: str, tensor: MXTensor, granularity: str, tile_rows: int | None
) -> NDArray[np.uint8]:
    is_mx9 = tensor.is_mx9
    if granularity == _WHOLE:
        return np.array([tensor.format == MX9], np.uint8)
    if granularity == "block":
        units = is_mx9
    elif granularity == "head":
        units = is_mx9[..., 0, 0]
    else:
        units = is_mx9[..., :: tile_rows or is_mx9.shape[-2], :]
    if not np.array_equal(spread(units, is_mx9.shape, granularity, tile_rows), is_mx9):
        raise ValueError(
            f"blocks of {name!r} differ in precision within a {granularity}; "
            "save it with granularity 'block'"
        )
    return np.packbits(units, axis=None, bitorder="little")


def _unit_shape(lead: tuple[int, ...], granularity: str, tile_rows: int | None) -> tuple[int, ...]:
    if granularity == _WHOLE:
        return ()
    if granularity == "block":
        return lead
    if granularity == "head":
        return lead[:-2]
    if granularity != "channel_block":
        raise ValueError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, not {granularity!r}"
        )
    return (*lead[:-2], -(-lead[-2] // (tile_rows or lead[-2])), lead[-1])
