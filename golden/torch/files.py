"""Quantized models in one safetensors file: packed weights, their policy, and all the rest.

Each quantized linear layer's weight lies in the file as `golden.storage` lays out a tensor (K, N),
under the layer's name, so `golden.load` reads the weights of the file without torch. Beside these
are the model's other tensors, ``state.0`` and so on; buffers that are in no state dict, such as
tables of positions, ``buffer.0`` and so on; the arrays of its schemes, ``scheme.0`` and so on; and
``quantization``, the bytes of a JSON object that says what was quantized and how, and in ``state``
and ``buffers`` the names of those tensors, in ``empty_buffers`` those of buffers that are None.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from glob import escape
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import golden
from golden.description import parse
from golden.mx import MXTensor
from golden.storage import permissions
from golden.torch.convert import attach, check_not_quantized, quantization, shared_inputs, started
from golden.torch.linear import QuantizedLinear, WithoutWeights
from golden.torch.meter import Clock
from golden.torch.mx_scheme import MXScheme, TimestepScheme
from golden.torch.plain import check_plain
from golden.torch.records import Reader, Writer
from golden.torch.shared_input import SharedInput
from golden.torch.sites import Site, find_sites

_STATE, _BUFFER, _SCHEME, _RECORD = "state.", "buffer.", "scheme.", "quantization"

_DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "bool"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    *(f"{sign}int{width}" for sign in ("", "u") for width in (8, 16, 32, 64)),
)
"""Of tensors that a safetensors file can hold."""

_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    ArithmeticError,
    RuntimeError,
)
"""What reading brings where a file is not as `save_quantized` writes it."""


def save_quantized(path: str | Path, model: nn.Module) -> None:
    """Write a quantized model, without the floating-point weights of quantized layers.

    Parameters
    ----------
    path : str or Path
        Replaced at the end, so an interrupted call leaves what was there.
    model : nn.Module
        After `quantize_`, with schemes in MX formats.

    Raises
    ------
    ValueError
        If the model is not quantized.
    TypeError
        If a scheme has no packed weights, or another tensor of the model is none that a file can
        hold: sparse, on "meta", of a class or a dtype of its own.
    """
    path, schemes, writer = Path(os.path.realpath(path)), quantization(model).schemes, Writer()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file in it")
    layers = [site.name for site in schemes if site.kind == "linear"]
    state = model.state_dict(destination=WithoutWeights())
    buffers = _unsaved_buffers(model)
    document = {
        "sites": [[asdict(site), writer.scheme(scheme)] for site, scheme in schemes.items()],
        "state": list(state),
        "buffers": [name for name, each in buffers.items() if each is not None],
        "empty_buffers": [name for name, each in buffers.items() if each is None],
    }
    text = bytearray(json.dumps(document), "utf-8")
    tensors = {_RECORD: torch.frombuffer(text, dtype=torch.uint8)}
    for prefix, part in ((_STATE, state), (_BUFFER, buffers)):
        given = {name: each for name, each in part.items() if each is not None}
        for number, (name, each) in enumerate(given.items()):
            tensors[f"{prefix}{number}"] = _storable(name, each)
    tensors |= {_SCHEME + name: torch.from_numpy(each) for name, each in writer.arrays.items()}

    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        partial = Path(folder) / "partial"
        mode = permissions(path, partial)
        golden.save(partial, {name: model.get_submodule(name).codes.transpose() for name in layers})
        with safe_open(partial, framework="pt") as file:
            metadata = file.metadata()
        save_file(load_file(partial) | tensors, partial, metadata)
        partial.chmod(mode)
        partial.replace(path)


@torch.inference_mode(False)  # whose tensors could never be trained
def load_quantized(path: str | Path, model: nn.Module) -> None:
    """Turn a model, built anew with any weights, into the one that was saved.

    Its outputs are those of the saved model to the bit; its mode is "fake". It has no
    floating-point weights to restore.

    Parameters
    ----------
    path : str or Path
        A file that `save_quantized` wrote.
    model : nn.Module
        Of the same class and sizes, on any device.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is none of `save_quantized` or of another model, or the model is quantized
        already. The model is as before then.
    """
    check_not_quantized(model)
    path, clock = Path(path), Clock()
    document, state, buffers, arrays = _read(path)
    reader, replacements = Reader(arrays, clock), {}
    with _malformed(path):
        schemes = {_site(site): reader.scheme(scheme) for site, scheme in document["sites"]}
        layers = {site: scheme for site, scheme in schemes.items() if site.kind == "linear"}
    state = _fitted(path, model, schemes, state)
    buffers = _fitted_buffers(path, model, buffers)
    check_plain(model, layers)
    with _malformed(path), started(clock):
        weights, shared = golden.load(path) if layers else {}, shared_inputs(layers)
        for site, scheme in layers.items():
            linear, codes = model.get_submodule(site.module), weights[site.name].transpose()
            replacements[linear] = _unpacked(site, linear, codes, scheme, shared.get(site))
    timed = any(isinstance(scheme, TimestepScheme) for scheme in schemes.values())
    attach(model, schemes, replacements, clock=clock if timed else None, keep=False)
    model.load_state_dict(state, strict=False, assign=True)
    for name, each in buffers.items():
        parent, _, key = name.rpartition(".")
        model.get_submodule(parent)._buffers[key] = each


@contextmanager
def _malformed(path: Path) -> Iterator[None]:
    """Turn what a malformed file brings about into a sentence."""
    try:
        yield
    except _MALFORMED as error:
        raise ValueError(
            f"{path} is no file of save_quantized, or damaged: {type(error).__name__}: {error}"
        ) from error


def _site(record: Mapping[str, Any]) -> Site:
    site = Site(**record)
    for name, value in asdict(site).items():
        kinds = (str,) if name in ("name", "kind") else (int, NoneType)
        if type(value) not in kinds:
            raise TypeError(f"a site's {name} cannot be {value!r}")
    return site


def _check_layer(site: Site, codes: MXTensor, scheme: MXScheme | TimestepScheme) -> None:
    """Raise a ValueError if the parts of a layer do not fit."""
    if codes.shape != (site.n, site.k) or codes.axis != 1:
        raise ValueError(f"the weight of {site.name} is {codes.shape}, not {(site.n, site.k)}")
    ranges = [each for _, each in scheme.ranges] if hasattr(scheme, "ranges") else [scheme]
    for each in ranges:
        correction, order = each.correction, each.order
        if order is not None and len(order) != site.k:
            raise ValueError(f"{site.name} has {site.k} channels, its order {len(order)}")
        if correction is not None and (
            correction.shape != (site.n,) or correction.dtype != torch.float32
        ):
            raise ValueError(f"the correction of {site.name} is not {site.n} numbers of float32")


def _names(model: nn.Module, layers: Sequence[str]) -> set[str]:
    """Return all names of some modules, which may be in several places."""
    wanted = {id(model.get_submodule(name)) for name in layers}
    modules = model.named_modules(remove_duplicate=False)
    return {name for name, module in modules if id(module) in wanted}


def _unsaved_buffers(model: nn.Module) -> dict[str, Tensor | None]:
    """Return the buffers that are in no state dict, which a cast changes nevertheless."""
    return {
        f"{name}.{key}".lstrip("."): module._buffers[key]
        for name, module in model.named_modules()
        for key in module._buffers
        if key in module._non_persistent_buffers_set
    }


def _storable(name: str, each: object) -> Tensor:
    """Return a copy that a file can hold, or raise a TypeError that says why there is none."""
    if not isinstance(each, Tensor):
        raise TypeError(f"{name} is a {type(each).__name__}, and a file holds tensors only")
    kind, remedy = "", "a file cannot hold it"
    if type(each) not in (Tensor, nn.Parameter):
        kind = f"a {type(each).__name__}"
    elif each.is_nested or each.layout != torch.strided:
        kind = "nested" if each.is_nested else str(each.layout).removeprefix("torch.")
        remedy = "make it dense first, for example with to_dense()"
    elif each.is_meta:
        kind, remedy = "on the meta device, without values", "load them first"
    elif str(each.dtype).removeprefix("torch.") not in _DTYPES:
        kind = f"of {each.dtype}".replace("torch.", "")
    if kind:
        raise TypeError(f"{name} is {kind}: {remedy}")
    return each.detach().cpu().resolve_conj().resolve_neg().clone().contiguous()


def _read(
    path: Path,
) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor | None], dict[str, Any]]:
    """Return the JSON object, the model's other tensors and buffers, the arrays of the schemes."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        tensors = load_file(path)
        document = parse(tensors[_RECORD].numpy().tobytes().decode())
        filled, empty = document["buffers"], document["empty_buffers"]
        for names in (document["state"], [*filled, *empty]):
            distinct = isinstance(names, list) and len(set(names)) == len(names)
            if not distinct or not all(isinstance(name, str) for name in names):
                raise ValueError("the names of its tensors are not text, or not different")
        state = {name: tensors[f"{_STATE}{i}"] for i, name in enumerate(document["state"])}
        buffers = dict.fromkeys(empty)
        buffers |= {name: tensors[f"{_BUFFER}{i}"] for i, name in enumerate(filled)}
        arrays = {
            name.removeprefix(_SCHEME): each.numpy()
            for name, each in tensors.items()
            if name.startswith(_SCHEME) and name.removeprefix(_SCHEME).isdecimal()
        }
    except (SafetensorError, *_MALFORMED) as error:
        reason = f"it has no tensor {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is no file of save_quantized: {reason}") from error
    return document, state, buffers, arrays


def _fitted(
    path: Path, model: nn.Module, sites: Mapping[Site, Any], state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Put the tensors on the model's devices; refuse those of another model."""
    names = [site.name for site in sites if site.kind == "linear"]
    found = set(find_sites(model, [escape(name) for name in names]))
    different = {site.name for site in sites.keys() - found}
    places = _names(model, [site.name for site in found if site.name in names])
    packed = {f"{name}.weight" for name in places}
    own = {name: each for name, each in model.state_dict().items() if name not in packed}
    shapes, stored = ({name: each.shape for name, each in part.items()} for part in (own, state))
    different |= {name for name, _ in shapes.items() ^ stored.items()}
    if different:
        raise ValueError(
            f"{path} holds another model than this {type(model).__name__}, for example in "
            f"{min(different)}"
        )
    biases = {f"{name}.bias" for name in places}
    for name, each in state.items():
        if not _alike(each, own[name]) or (name in biases and each.dtype != torch.float32):
            raise ValueError(f"{path} is damaged: {name} cannot be {each.dtype}")
    # Copies: tensors of the file lie at other addresses than torch's own, which changes the order
    # of sums, as do other strides, and follow what is written to the file.
    return {
        name: torch.empty_like(own[name], dtype=each.dtype, requires_grad=False).copy_(each)
        for name, each in state.items()
    }


def _fitted_buffers(
    path: Path, model: nn.Module, buffers: Mapping[str, Tensor | None]
) -> dict[str, Tensor | None]:
    """Put buffers that are in no state dict on the model's devices, whatever their shapes."""
    own = _unsaved_buffers(model)
    different = own.keys() ^ buffers.keys()
    if different:
        raise ValueError(
            f"{path} holds another model than this {type(model).__name__}, for example in "
            f"{min(different)}"
        )
    here = next(chain(model.parameters(), model.buffers()), torch.empty(0)).device
    found: dict[str, Tensor | None] = {}
    for name, each in buffers.items():
        there = own[name]
        if each is not None and there is not None and not _alike(each, there):
            raise ValueError(f"{path} is damaged: {name} cannot be {each.dtype}")
        device = here if there is None else there.device
        found[name] = None if each is None else each.clone().to(device)
    return found


def _alike(stored: Tensor, own: Tensor) -> bool:
    """Return whether both are floats of any width, or of one dtype."""
    return stored.dtype == own.dtype or (stored.is_floating_point() and own.is_floating_point())


def _unpacked(
    site: Site,
    linear: nn.Linear,
    codes: MXTensor,
    scheme: MXScheme | TimestepScheme,
    shared: SharedInput | None,
) -> QuantizedLinear:
    """Make the layer of a packed weight (N, K); its bias is loaded later."""
    _check_layer(site, codes, scheme)
    try:
        layer = QuantizedLinear(linear, scheme, shared=shared, codes=codes)
    except ValueError as error:
        raise ValueError(f"the weight of {site.name} and its scheme differ: {error}") from error
    scheme.meter.reset()
    return layer
