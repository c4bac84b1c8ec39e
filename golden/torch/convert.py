"""Models whose GEMMs are quantized in place, and back."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from golden.torch.attention import QuantizedAttention
from golden.torch.intact import (
    CheckState,
    CheckStructure,
    Structure,
    allow_calls,
    refuse_calls,
    structure,
)
from golden.torch.linear import MODES, Mode, QuantizedLinear
from golden.torch.meter import Clock, Meter
from golden.torch.plain import check_plain, check_unchanged
from golden.torch.policies import ModelPolicy
from golden.torch.scheme import Scheme
from golden.torch.shared_input import SharedInput
from golden.torch.site import Site
from golden.torch.sites import ask, find_unquantized

RECORD = "_golden_quantization"
"""Attribute of a quantized model that holds its `Quantization`."""


@dataclass
class Quantization:
    """What `quantize_` did to a model.

    Attributes
    ----------
    schemes : dict of Site to Scheme
        Of the sites that are quantized, in the order of the modules.
    keep : bool
        Whether `restore_` can bring the model back.
    structure : Structure
        The modules that this rests on.
    hooks : list of RemovableHandle
        Of what is done before each forward pass: a check of the structure, setting the clock.
    """

    schemes: dict[Site, Scheme]
    keep: bool
    structure: Structure
    hooks: list[RemovableHandle]


class SetClock:
    """A forward pre-hook that sets a clock to the timestep that the model is given."""

    def __init__(self, model: nn.Module, clock: Clock) -> None:
        self.clock = clock
        self.signature = inspect.signature(type(model).forward)
        if "timestep" not in self.signature.parameters:
            raise ValueError(
                f"{type(model).__name__} is given no timestep: leave out the clock, and choose a "
                "policy that needs none"
            )

    def __call__(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Read the timestep: a number, or a tensor with the same number for every sample."""
        timestep = self.signature.bind_partial(model, *args, **kwargs).arguments.get("timestep")
        if getattr(model, "gradient_checkpointing", False) and torch.is_grad_enabled():
            raise ValueError(
                "gradient checkpointing repeats passes when the clock shows another time: call "
                "disable_gradient_checkpointing(), or choose a policy that needs no clock"
            )
        try:
            values = [float(value) for value in torch.as_tensor(timestep).flatten()]
        except (TypeError, ValueError, RuntimeError):
            values = []
        if not values:
            raise ValueError(f"the policy depends on the timestep, which cannot be {timestep!r}")
        if any(value != values[0] for value in values):
            raise ValueError(
                "all samples of a batch must be at one timestep where a policy depends on it, "
                f"not at {min(values):g} to {max(values):g}"
            )
        self.clock.timestep = float(values[0])


def quantize_(
    model: nn.Module,
    policy: ModelPolicy,
    *,
    clock: Clock | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    keep: bool = True,
) -> None:
    """Quantize a model's linear layers and attention in place.

    Each linear layer becomes a `QuantizedLinear`, each attention module's processor is run by a
    `QuantizedAttention`; everything else stays in floating point. The model's attributes
    `quantized_sites` and `unquantized_sites` list what was quantized, and all else that multiplies
    with the reason (`find_unquantized`).

    Parameters
    ----------
    model : nn.Module
        Any whose sites `find_sites` can find; on any device.
    policy : callable
        Gives a `Scheme` of its own to each `Site`, or None to leave that in floating point.
    clock : Clock, optional
        Set to the timestep before each forward pass. It must be the one that the policy's schemes
        read, if they read one.
    include, exclude : sequence of str
        Further sites, and sites to leave out; see `find_sites`.
    keep : bool
        Whether to keep the floating-point weights, for `restore_`.

    Raises
    ------
    ValueError
        If the model is quantized or compiled already, has nothing to quantize, is given no timestep
        although there is a clock, the policy's schemes read another clock or are shared, a layer to
        be quantized is more than its weight and bias (has hooks, a forward of its own,
        parametrizations), or the policy asks for something that only a setting of the model
        prevents, such as fused projections. The model is as before then.

    Warns
    -----
    UserWarning
        If the policy asks for something that cannot be quantized. It stays in floating point.

    Notes
    -----
    ``torch.compile`` after this works in "fake" mode.

    Each forward pass, and each function here, first compares the model with what was quantized, and
    raises a ValueError if a module in the way to a site, or an attention's processor, is another.
    Calls of diffusers that would undo the quantization (``fuse_qkv_projections``,
    ``set_processor``), or lose it (``save_pretrained``), raise one themselves, until `restore_`.
    """
    check_not_quantized(model)
    schemes = ask(policy, model, include, exclude)
    _check_own(schemes)
    _check_clock(schemes, clock)
    check_plain(model, schemes)
    shared = shared_inputs(schemes)
    replacements: dict[nn.Module, nn.Module] = {}
    with started(clock):
        for site, scheme in schemes.items():
            if site.kind == "linear":
                linear = model.get_submodule(site.module)
                settings = {"shared": shared.get(site), "keep": keep}
                replacements[linear] = QuantizedLinear(linear, scheme, **settings)
    attach(model, schemes, replacements, clock=clock, keep=keep)


def attach(
    model: nn.Module,
    schemes: dict[Site, Scheme],
    layers: dict[nn.Module, nn.Module],
    *,
    clock: Clock | None,
    keep: bool,
) -> None:
    """Put quantized layers in the place of others, quantize attention, and record it."""
    unquantized = find_unquantized(model, schemes)
    hook = None if clock is None else SetClock(model, clock)
    processors = {
        name: QuantizedAttention(model.get_submodule(name).get_processor(), *pair)
        for name, pair in _attention_schemes(schemes).items()
    }
    # From here on nothing fails.
    _replace(model, layers)
    for name, processor in processors.items():
        model.get_submodule(name).set_processor(processor)
    kept = structure(model, {site.name: site.module for site in schemes}, processors)
    hooks = [model.register_forward_pre_hook(CheckStructure(kept))]
    hooks.append(model.register_load_state_dict_pre_hook(CheckState()))
    if hook is not None:
        hooks.append(model.register_forward_pre_hook(hook, with_kwargs=True))
    setattr(model, RECORD, Quantization(schemes, keep, kept, hooks))
    refuse_calls(model, kept)
    model.quantized_sites = tuple(schemes)
    model.unquantized_sites = unquantized


def shared_inputs(sites: Iterable[Site]) -> dict[Site, SharedInput]:
    """Give linear layers side by side in one module, with as many inputs, one `SharedInput`.

    Only these may be given the same tensor, as q, k and v are; others need no copy of theirs.
    """
    groups: dict[tuple[str, int], list[Site]] = {}
    for site in sites:
        if site.kind == "linear":
            groups.setdefault((site.module.rpartition(".")[0], site.k), []).append(site)
    shared: dict[Site, SharedInput] = {}
    for group in groups.values():
        if len(group) > 1:
            shared |= dict.fromkeys(group, SharedInput())
    return shared


@contextmanager
def started(clock: Clock | None) -> Iterator[None]:
    """Let a clock show 0 while weights are made; they are the same at every timestep."""
    clock = clock or Clock()
    before, clock.timestep = clock.timestep, 0.0
    try:
        yield
    finally:
        clock.timestep = before


def check_not_quantized(model: nn.Module) -> None:
    """Raise an error if this is no model, or it or a part of it is quantized or compiled."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"a model is a torch.nn.Module, not {type(model).__name__}")
    for name, module in model.named_modules():
        part = f"{type(model).__name__}'s {name}" if name else type(model).__name__
        if "_orig_mod" in module._modules:
            raise ValueError(f"{part} is compiled: quantize it before torch.compile, not after")
        is_part = isinstance(module, QuantizedLinear) or isinstance(
            getattr(module, "processor", None), QuantizedAttention
        )
        if is_part or isinstance(getattr(module, RECORD, None), Quantization):
            what = "what was given to quantize_" if name else "it"
            raise ValueError(
                f"{part} is quantized already: restore_ {what} first, or build it anew if its "
                "original weights were not kept"
            )


def restore_(model: nn.Module) -> None:
    """Undo `quantize_`: the original layers, on the device and in the dtype that it has now.

    Raises
    ------
    ValueError
        If the model is not quantized, or no longer what was quantized, its original weights were
        not kept, or a quantized layer has what would be lost: hooks that were registered on it, a
        forward of its own, another bias. The model is as before then.
    """
    record = quantization(model)
    if not record.keep:
        raise ValueError(
            "the original weights were not kept: quantize with keep=True to restore them"
        )
    places = [edge for edge in record.structure.edges if isinstance(edge.child, QuantizedLinear)]
    for edge in places:
        check_unchanged(edge.site, edge.child)
        edge.child.check_bias()
        edge.child.original.train(edge.child.training)
    allow_calls(model, record.structure)
    _replace(model, {edge.child: edge.child.original for edge in places})
    for _, attention, processor in record.structure.processors:
        attention.set_processor(processor.processor)
    for hook in record.hooks:
        hook.remove()
    delattr(model, RECORD)
    del model.quantized_sites, model.unquantized_sites


def set_mode(model: nn.Module, mode: Mode) -> None:
    """Switch all of a quantized model to FP32 products or to the bits of the machine.

    Parameters
    ----------
    model : nn.Module
    mode : {"fake", "exact"}
        See `QuantizedLinear` and `QuantizedAttention`.

    Raises
    ------
    ValueError
        If there is no such mode, or the model is not quantized.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    record = quantization(model)
    for name in _attention_schemes(record.schemes):
        model.get_submodule(name).get_processor().mode = mode
    for module in model.modules():
        if isinstance(module, QuantizedLinear):
            module.mode = mode


def meters(model: nn.Module) -> dict[str, Meter]:
    """Return what every site's scheme has counted, by the site's name."""
    return {site.name: scheme.meter for site, scheme in quantization(model).schemes.items()}


def quantization(model: nn.Module) -> Quantization:
    """Return what `quantize_` did to a model, or raise a ValueError."""
    record = getattr(model, RECORD, None)
    if not isinstance(record, Quantization):
        raise ValueError(f"{type(model).__name__} is not quantized: quantize_ it first")
    record.structure.check()
    record.structure.check_weights()
    return record


def _attention_schemes(
    schemes: dict[Site, Scheme],
) -> dict[str, tuple[Scheme | None, Scheme | None]]:
    """Pair the schemes of both products of each attention module, by the module's name."""
    by_name = {site.name: scheme for site, scheme in schemes.items() if site.kind != "linear"}
    modules = dict.fromkeys(site.module for site in schemes if site.kind != "linear")
    return {name: (by_name.get(f"{name}.qk"), by_name.get(f"{name}.pv")) for name in modules}


def _check_own(schemes: dict[Site, Scheme]) -> None:
    owners: dict[int, str] = {}
    for site, scheme in schemes.items():
        parts = [scheme, scheme.meter, *(each for _, each in getattr(scheme, "ranges", ()))]
        for part in parts:
            other = owners.setdefault(id(part), site.name)
            if other != site.name:
                raise ValueError(
                    f"the policy gives one and the same scheme to {other} and {site.name}, or "
                    "parts of one: each site needs its own, which counts its bits"
                )


def _check_clock(schemes: dict[Site, Scheme], clock: Clock | None) -> None:
    """Raise a ValueError if a scheme reads a clock that nobody would set."""
    for site, scheme in schemes.items():
        own = getattr(scheme, "clock", None)
        if not isinstance(own, Clock) or own is clock:
            continue
        which = "needs a clock" if clock is None else "reads another clock than the one given"
        raise ValueError(
            f"the policy {which}, for example at {site.name}: give quantize_ the clock that the "
            "schemes were made with, clock=..."
        )


def _replace(model: nn.Module, replacements: dict[nn.Module, nn.Module]) -> None:
    """Replace children wherever they are, also in several places."""
    for parent, key, child in list(_children(model)):
        if child in replacements:
            setattr(parent, key, replacements[child])


def _children(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in model.modules():
        for key, child in parent._modules.items():
            if child is not None:
                yield parent, key, child
