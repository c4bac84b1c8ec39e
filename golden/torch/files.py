"""Quantized models in one safetensors file: packed weights, their policy, and all the rest.

Each quantized linear layer's weight lies in the file as `golden.storage` lays out a tensor (K, N),
under the layer's name, so `golden.load` reads the weights of the file without torch. Beside these
are the model's other tensors, ``state.0`` and so on; the arrays of its schemes, ``scheme.0`` and so
on; and ``quantization``, the bytes of a JSON object that says what was quantized and how, and in
``state`` the names of the other tensors.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import skip_init

import golden
from golden.description import parse
from golden.mx import MXTensor
from golden.torch.convert import attach, check_not_quantized, quantization, shared_inputs, started
from golden.torch.linear import QuantizedLinear, SharedInput
from golden.torch.meter import Clock
from golden.torch.mx_scheme import MXScheme, TimestepScheme
from golden.torch.plain import check_plain
from golden.torch.records import Reader, Writer
from golden.torch.sites import Site, find_sites

_STATE, _SCHEME, _RECORD = "state.", "scheme.", "quantization"
_FLOATS = ("float16", "bfloat16", "float32", "float64")
"""Dtypes that what is not quantized may have."""

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
        If a scheme has no packed weights.
    """
    path, schemes, writer = Path(os.path.realpath(path)), quantization(model).schemes, Writer()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file in it")
    layers = [site.name for site in schemes if site.kind == "linear"]
    everywhere = _names(model, layers)
    unwanted = {f"{name}.quantized_weight" for name in everywhere}
    state = {name: each for name, each in model.state_dict().items() if name not in unwanted}
    document = {
        "sites": [[asdict(site), writer.scheme(scheme)] for site, scheme in schemes.items()],
        "weight_bits": {
            site.name: float(scheme.meter.last_weight.bits)
            for site, scheme in schemes.items()
            if site.kind == "linear"
        },
        "dtype": _dtype(state, everywhere),
        "state": list(state),
    }
    text = bytearray(json.dumps(document), "utf-8")
    tensors = {_RECORD: torch.frombuffer(text, dtype=torch.uint8)}
    for number, each in enumerate(state.values()):
        tensors[f"{_STATE}{number}"] = each.cpu().clone().contiguous()
    tensors |= {_SCHEME + name: torch.from_numpy(each) for name, each in writer.arrays.items()}

    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        partial = Path(folder) / "partial"
        golden.save(partial, {name: model.get_submodule(name).codes.transpose() for name in layers})
        with safe_open(partial, framework="pt") as file:
            metadata = file.metadata()
        save_file(load_file(partial) | tensors, partial, metadata)
        partial.replace(path)


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
    document, state, arrays = _read(path)
    reader, replacements = Reader(arrays, clock), {}
    with _malformed(path):
        schemes = {_site(site): reader.scheme(scheme) for site, scheme in document["sites"]}
        layers = {site: scheme for site, scheme in schemes.items() if site.kind == "linear"}
        dtype = document["dtype"]
        if dtype is not None and dtype not in _FLOATS:
            raise ValueError(f"there is no dtype {dtype!r} for what is not quantized")
    state = _fitted(path, model, schemes, state)
    check_plain(model, layers)
    with _malformed(path), started(clock):
        weights, shared = golden.load(path) if layers else {}, shared_inputs(layers)
        for site, scheme in layers.items():
            linear, codes = model.get_submodule(site.module), weights[site.name].transpose()
            bits = float(document["weight_bits"][site.name])
            _check_layer(site, codes, scheme, bits)
            replacements[linear] = _unpacked(linear, codes, scheme, shared.get(site))
            scheme.meter.add_weight(codes.shape[0] * codes.shape[1], bits)
            scheme.meter.reset()
    timed = any(isinstance(scheme, TimestepScheme) for scheme in schemes.values())
    attach(model, schemes, replacements, clock=clock if timed else None, keep=False)
    if dtype is not None:
        model.to(getattr(torch, dtype))
    model.load_state_dict(state, strict=False, assign=True)


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


def _check_layer(
    site: Site, codes: MXTensor, scheme: MXScheme | TimestepScheme, bits: float
) -> None:
    """Raise a ValueError if the parts of a layer do not fit."""
    if codes.shape != (site.n, site.k):
        raise ValueError(f"the weight of {site.name} is {codes.shape}, not {(site.n, site.k)}")
    if not (math.isfinite(bits) and bits >= 0):
        raise ValueError(f"the weight of {site.name} cannot take {bits} bits")
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


def _dtype(state: Mapping[str, Tensor], layers: Iterable[str]) -> str | None:
    """Name the dtype of what is not quantized, if it has one dtype throughout."""
    biases = {f"{name}.bias" for name in layers}
    dtypes = {
        each.dtype
        for name, each in state.items()
        if each.is_floating_point() and name not in biases
    }
    return str(dtypes.pop()).removeprefix("torch.") if len(dtypes) == 1 else None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Return the JSON object, the model's other tensors and the arrays of the schemes."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        tensors = load_file(path)
        document = parse(tensors[_RECORD].numpy().tobytes().decode())
        names = document["state"]
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise ValueError("the names of its tensors are not text, or not different")
        state = {name: tensors[f"{_STATE}{number}"] for number, name in enumerate(names)}
        arrays = {
            name.removeprefix(_SCHEME): each.numpy()
            for name, each in tensors.items()
            if name.startswith(_SCHEME) and name.removeprefix(_SCHEME).isdecimal()
        }
    except (SafetensorError, *_MALFORMED) as error:
        raise ValueError(f"{path} is no file of save_quantized: {error}") from error
    return document, state, arrays


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
        floating = each.is_floating_point() and own[name].is_floating_point()
        known = str(each.dtype).removeprefix("torch.") in _FLOATS
        fits = (
            floating and known if own[name].is_floating_point() else each.dtype == own[name].dtype
        )
        if not fits or (name in biases and each.dtype != torch.float32):
            raise ValueError(f"{path} is damaged: {name} cannot be {each.dtype}")
    # Copies: tensors of the file lie at other addresses than torch's own, which changes the order
    # of sums, and follow what is written to the file.
    return {name: each.clone().to(own[name].device) for name, each in state.items()}


def _unpacked(
    linear: nn.Linear,
    codes: MXTensor,
    scheme: MXScheme | TimestepScheme,
    shared: SharedInput | None,
) -> QuantizedLinear:
    """Make the layer of a packed weight (N, K); its bias is loaded later."""
    order = (scheme.ranges[0][1] if isinstance(scheme, TimestepScheme) else scheme).order
    values = torch.from_numpy(codes.dequantize())
    natural = values if order is None else values[:, torch.from_numpy(order).argsort()]
    settings = {"bias": linear.bias is not None, "device": linear.weight.device}
    plain = skip_init(nn.Linear, *codes.shape[::-1], **settings)
    with torch.no_grad():
        plain.weight.copy_(natural)
    layer = QuantizedLinear(plain, scheme, shared=shared)
    layer.hold(values, codes)  # of rounded numbers, a policy might have chosen other blocks
    return layer
