"""Whether a linear layer is its weight and bias alone, which is all that is kept of it."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from golden.torch.site import Site
from golden.torch.survey import WEIGHTS

_HOOKS = {
    "_forward_hooks": "forward hook",
    "_forward_pre_hooks": "forward pre-hook",
    "_backward_hooks": "backward hook",
    "_backward_pre_hooks": "backward pre-hook",
    "_state_dict_hooks": "state-dict hook",
    "_state_dict_pre_hooks": "state-dict hook",
    "_load_state_dict_pre_hooks": "state-dict hook",
    "_load_state_dict_post_hooks": "state-dict hook",
}
"""Where a module keeps its hooks, and what they are called."""

_REWRITERS = {
    WeightNorm: ("the old weight_norm", "call torch.nn.utils.remove_weight_norm on it first"),
    SpectralNorm: ("the old spectral_norm", "call torch.nn.utils.remove_spectral_norm on it first"),
    BasePruningMethod: ("pruning", "call torch.nn.utils.prune.remove on it first"),
}
"""Hooks of PyTorch that compute the weight anew at each pass, and what takes them off."""


def check_plain(model: nn.Module, sites: Iterable[Site]) -> None:
    """Raise a ValueError at the first linear layer that does more than multiply by its weight.

    Quantizing replaces the layer, and would lose the rest without a word.

    Parameters
    ----------
    model : nn.Module
    sites : iterable of Site
        Those of linear layers are looked at.
    """
    for site in sites:
        if site.kind == "linear":
            found = _more_than_plain(model.get_submodule(site.module))
            if found:
                what, remedy = found
                raise ValueError(
                    f"{site.name} has {what}, which quantizing it would lose: {remedy}, or leave "
                    "the layer out with exclude"
                )


def check_unchanged(name: str, layer: nn.Module) -> None:
    """Raise a ValueError if a quantized layer was given what `restore_` would lose.

    Parameters
    ----------
    name : str
        For the error.
    layer : QuantizedLinear
    """
    found = _attached(layer)
    if parametrize.is_parametrized(layer):
        found = ("parametrizations", "remove them first")
    more = layer._parameters.keys() | layer._modules.keys() | layer._buffers.keys() - {"bias"}
    if found is None and more:
        found = (f"more than it was made with ({min(more)})", "take that off first")
    if found:
        what, remedy = found
        remedy = remedy.replace("quantize_", "restore_")
        raise ValueError(f"{name} has {what}, which restore_ would lose: {remedy}")


def _attached(layer: nn.Module) -> tuple[str, str] | None:
    """Return which forward or hooks of its own a layer has, and what to do about it."""
    held = vars(layer)
    replaced = sorted(name for name in held if callable(getattr(type(layer), name, None)))
    if replaced:
        return (
            f"a {replaced[0]} of its own, as accelerate's hooks give it",
            "take that off first (accelerate.hooks.remove_hook_from_module)",
        )
    hooks = [kind for name, kind in _HOOKS.items() if held.get(name)]
    return (f"a {hooks[0]}", "remove it first, and register it after quantize_") if hooks else None


def _more_than_plain(layer: nn.Module) -> tuple[str, str] | None:
    """Return what a layer has beside its weight and bias, and what to do about it."""
    held = vars(layer)
    hooks = [each for name in _HOOKS for each in held.get(name, {}).values()]
    for kind, pair in _REWRITERS.items():
        if any(isinstance(hook, kind) for hook in hooks):
            return pair
    if parametrize.is_parametrized(layer):
        return (
            "parametrizations",
            "call torch.nn.utils.parametrize.remove_parametrizations on it first",
        )
    attached = _attached(layer)
    if attached:
        return attached
    more = layer._parameters.keys() - {"weight", "bias"} | layer._buffers.keys()
    more |= layer._modules.keys()
    if more:
        return f"more than weight and bias ({min(more)})", "take that off first"
    return _odd_tensor(layer)


def _odd_tensor(layer: nn.Module) -> tuple[str, str] | None:
    load = "load floating-point weights first"
    for name in ("weight", "bias"):
        tensor = getattr(layer, name, None)
        if tensor is None and name == "bias":
            continue
        if not isinstance(tensor, torch.Tensor):
            return f"no {name}", load
        if tensor.is_meta:
            return f"a {name} on the meta device, without values", f"{load}, without offloading"
        if type(tensor) not in (nn.Parameter, torch.Tensor) or tensor.layout != torch.strided:
            return f"a {name} that is a {type(tensor).__name__} ({tensor.layout})", load
        if tensor.dtype not in WEIGHTS:
            return f"a {name} of {tensor.dtype}".replace("torch.", ""), load
    shape = (layer.out_features, layer.in_features)
    if layer.weight.shape != shape:
        return f"a weight of shape {tuple(layer.weight.shape)} instead of {shape}", load
    return None
