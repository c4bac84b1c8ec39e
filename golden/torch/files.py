"""Quantized models in one safetensors file: packed weights, their policy, and all the rest.

Each quantized linear layer's weight lies in the file as `golden.storage` lays out a tensor (K, N),
under the layer's name, so `golden.load` reads the weights of the file without torch. Beside these
are the model's other tensors, ``model.*``; the arrays of its schemes, ``scheme.*``; and
``quantization``, the bytes of a JSON object that says what was quantized and how.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import skip_init

import golden
from golden.mx import MXTensor
from golden.torch.convert import attach, check_not_quantized, quantization, shared_inputs, started
from golden.torch.linear import QuantizedLinear, SharedInput
from golden.torch.meter import Clock
from golden.torch.mx_scheme import MXScheme, TimestepScheme
from golden.torch.plain import check_plain
from golden.torch.records import Reader, Writer
from golden.torch.sites import Site, find_sites

_MODEL, _SCHEME, _RECORD = "model.", "scheme.", "quantization"
_SUPERFLUOUS = ("weight", "original.weight", "original.bias")
"""Tensors of a quantized layer that its packed weight replaces."""


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
    path, schemes, writer = Path(path), quantization(model).schemes, Writer()
    layers = [site.name for site in schemes if site.kind == "linear"]
    unwanted = {f"{name}.{key}" for name in layers for key in _SUPERFLUOUS}
    state = {name: each for name, each in model.state_dict().items() if name not in unwanted}
    document = {
        "sites": [[asdict(site), writer.scheme(scheme)] for site, scheme in schemes.items()],
        "weight_bits": {
            site.name: float(scheme.meter.last_weight.bits)
            for site, scheme in schemes.items()
            if site.kind == "linear"
        },
        "dtype": _dtype(state, layers),
    }
    text = bytearray(json.dumps(document), "utf-8")
    tensors = {_RECORD: torch.frombuffer(text, dtype=torch.uint8)}
    tensors |= {_MODEL + name: each.cpu().clone().contiguous() for name, each in state.items()}
    tensors |= {_SCHEME + name: torch.from_numpy(each) for name, each in writer.arrays.items()}

    partial = path.with_name(f"{path.name}.partial")
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
    reader = Reader(arrays, clock)
    schemes = {Site(**site): reader.scheme(scheme) for site, scheme in document["sites"]}
    layers = {site: scheme for site, scheme in schemes.items() if site.kind == "linear"}
    state = _fitted(path, model, schemes, state)
    check_plain(model, layers)
    weights, shared = golden.load(path) if layers else {}, shared_inputs(layers)
    bits = document["weight_bits"]
    replacements: dict[nn.Module, nn.Module] = {}
    with started(clock):
        for site, scheme in layers.items():
            linear, codes = model.get_submodule(site.module), weights[site.name].transpose()
            replacements[linear] = _unpacked(linear, codes, scheme, shared.get(site))
            scheme.meter.add_weight(codes.shape[0] * codes.shape[1], bits[site.name])
            scheme.meter.reset()
    if document["dtype"] is not None:
        model.to(getattr(torch, document["dtype"]))
    timed = any(isinstance(scheme, TimestepScheme) for scheme in schemes.values())
    attach(model, schemes, replacements, clock=clock if timed else None, keep=False)
    model.load_state_dict(state, strict=False, assign=True)


def _dtype(state: Mapping[str, Tensor], layers: Sequence[str]) -> str | None:
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
        document = json.loads(tensors[_RECORD].numpy().tobytes())
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no file of save_quantized: {error}") from error
    state, arrays = (
        {name.removeprefix(part): each for name, each in tensors.items() if name.startswith(part)}
        for part in (_MODEL, _SCHEME)
    )
    return document, state, {name: each.numpy() for name, each in arrays.items()}


def _fitted(
    path: Path, model: nn.Module, sites: Mapping[Site, Any], state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Put the tensors on the model's devices; refuse those of another model."""
    names = [site.name for site in sites if site.kind == "linear"]
    packed = {f"{name}.weight" for name in names}
    own = {name: each for name, each in model.state_dict().items() if name not in packed}
    shapes, stored = ({name: each.shape for name, each in part.items()} for part in (own, state))
    different = {site.name for site in sites.keys() - set(find_sites(model, names))}
    different |= {name for name, _ in shapes.items() ^ stored.items()}
    if different:
        raise ValueError(
            f"{path} holds another model than this {type(model).__name__}, for example in "
            f"{min(different)}"
        )
    return {name: each.to(own[name].device) for name, each in state.items()}


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
        layer.weight.copy_(values)
    layer.codes = codes  # of rounded numbers, a policy might have chosen other blocks
    return layer
