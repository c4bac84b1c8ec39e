"""MX tensors in safetensors files: a base plane, a residual plane and precision bits each.

Tensor ``name`` is stored as ``name.base`` (12 bytes per block), ``name.residual`` (6 bytes per MX9
block) and ``name.precision`` (one bit per tag unit, the first in bit 0), all uint8. The file's
metadata holds, under the tensor's name, a JSON object with its format, shape, axis and tag
granularity (`golden.description`).

An entry of the metadata is one of these where the file has its three planes, or where its text is
such an object. Everything else in the file belongs to other tools, and is left alone.
"""

import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from golden.description import WHOLE, Description, is_description
from golden.formats import MX9
from golden.mx import MXTensor, mx_format
from golden.planes import BASE_BYTES, RESIDUAL_BYTES, check_codes, pack, unpack
from golden.units import check_granularity, check_tile_rows, spread

_PLANES = ("base", "residual", "precision")


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
        Replaced at the end, so whatever goes wrong leaves what was there.
    tensors : mapping of str to MXTensor
        Of any names, and as many as there are: none as well.
    granularity : {"block", "channel_block", "head"}
        The unit that one precision bit stands for, in mixed tensors. Tensors of one format, and
        those without elements, have a single bit.
    tile_rows : int, optional
        Rows of the token tile that a "channel_block" spans; all rows if left out.

    Raises
    ------
    TypeError
        If there is something else than MX tensors by names.
    ValueError
        If a unit's blocks differ in precision, the granularity does not exist, or a name cannot be
        written in UTF-8.
    IsADirectoryError
        If the path is a directory.
    """
    if not isinstance(tensors, Mapping):
        raise TypeError("give tensors by name, for example save(path, {'weight': tensor})")
    check_granularity(granularity)
    tile_rows = check_tile_rows(tile_rows)
    planes: dict[str, NDArray[np.uint8]] = {}
    metadata = {}
    for name, tensor in tensors.items():
        _check_name(name)
        check_codes(tensor)
        description = Description.of(tensor, granularity, tile_rows)
        base, residual = pack(tensor)
        bits = _pack_units(name, tensor, description)
        planes |= zip((f"{name}.{plane}" for plane in _PLANES), (base, residual, bits), strict=True)
        metadata[name] = description.text()
    _write(Path(os.path.realpath(path)), planes, metadata)


def load(path: str | Path) -> dict[str, MXTensor]:
    """Read the tensors of a file that `save` wrote.

    Parameters
    ----------
    path : str or Path
        The file may hold other tensors and metadata as well.

    Returns
    -------
    dict of str to MXTensor
        Sorted by name. Empty only if the file holds no tensors at all.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If the path is a directory.
    ValueError
        If the file is not a safetensors file with MX tensors, contradicts itself, or cannot be
        read. No memory is taken by what a file says of itself before its planes agree.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            return _read(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a file of MX tensors: {error}") from error


def _read(file: Any) -> dict[str, MXTensor]:
    metadata, keys = file.metadata() or {}, set(file.keys())
    tensors = {}
    for name, text in sorted(metadata.items()):  # safetensors has them in any order
        missing = [plane for plane in _PLANES if f"{name}.{plane}" not in keys]
        if missing and not is_description(text):
            continue  # another tool's
        if missing:
            raise ValueError(f"{name!r} has no plane {name}.{missing[0]}")
        try:
            tensors[name] = _rebuild(file, name, Description.read(text))
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from error
    if keys and not tensors:
        raise ValueError("it holds no MX tensors")
    return tensors


def _rebuild(file: Any, name: str, description: Description) -> MXTensor:
    lead = description.lead
    blocks, units = math.prod(lead), math.prod(description.units())
    _check_plane(file, f"{name}.base", [blocks, BASE_BYTES])
    _check_plane(file, f"{name}.precision", [-(-units // 8)])
    precision = file.get_tensor(f"{name}.precision")
    if units % 8 and precision[-1] >> (units % 8):
        raise ValueError(f"there are precision bits beyond the {units} of its tag units")
    bits = np.unpackbits(precision, count=units, bitorder="little").astype(np.bool_)
    bits = bits.reshape(description.units())
    is_mx9 = spread(bits, lead, description.granularity, description.tile_rows)
    _check_plane(file, f"{name}.residual", [int(np.count_nonzero(is_mx9)), RESIDUAL_BYTES])
    base, residual = (file.get_tensor(f"{name}.{plane}") for plane in ("base", "residual"))
    fmt = "mixed" if description.format == "mixed" else mx_format(description.format)
    return unpack(base, residual, is_mx9, fmt, description.shape, description.axis)


def _check_plane(file: Any, name: str, shape: list[int]) -> None:
    """Look at a plane's type and shape, which the file's header has, without reading it."""
    plane = file.get_slice(name)
    if plane.get_dtype() != "U8" or list(plane.get_shape()) != shape:
        raise ValueError(
            f"plane {name} must be U8 of shape {shape}, not {plane.get_dtype()} of shape "
            f"{list(plane.get_shape())}"
        )


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"names of tensors must be text, not {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the name {name!r} cannot be written in UTF-8; choose another") from None


def permissions(path: Path, partial: Path) -> int:
    """Return the permissions that a file has, or would be made with, as `partial` is made now.

    safetensors lets nobody else read what it writes.
    """
    partial.touch()
    return (path if path.exists() else partial).stat().st_mode


def _write(path: Path, planes: dict[str, NDArray[np.uint8]], metadata: dict[str, str]) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent}")
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        mode = permissions(path, partial)
        # Without tensors safetensors writes empty metadata in a way that it cannot read.
        save_file(planes, partial, metadata or None)
        partial.chmod(mode)
        partial.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _pack_units(name: str, tensor: MXTensor, description: Description) -> NDArray[np.uint8]:
    is_mx9, granularity = tensor.is_mx9, description.granularity
    if granularity == WHOLE:
        return np.array([tensor.format == MX9], np.uint8)
    shape = description.units()
    if granularity == "head":
        units = is_mx9[..., 0, 0]
    elif granularity == "channel_block":
        rows = is_mx9.shape[-2] if is_mx9.ndim > 1 else 1
        units = np.atleast_2d(is_mx9)[..., :: min(description.tile_rows or rows, rows), :]
    else:
        units = is_mx9
    units = units.reshape(shape)
    if not np.array_equal(spread(units, is_mx9.shape, granularity, description.tile_rows), is_mx9):
        raise ValueError(
            f"blocks of {name!r} differ in precision within a {granularity}; "
            "save it with granularity 'block'"
        )
    return np.packbits(units, axis=None, bitorder="little")
