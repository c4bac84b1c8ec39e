"""Whether a model still is what was quantized, and the calls that would undo it unseen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import nn

from golden.torch.attention import QuantizedAttention
from golden.torch.linear import QuantizedLinear

_OF_MODELS = (
    "fuse_qkv_projections",
    "unfuse_qkv_projections",
    "set_attn_processor",
    "set_default_attn_processor",
    "save_pretrained",
    "push_to_hub",
    "load_attn_procs",
    "load_lora_adapter",
    "add_adapter",
    "fuse_lora",
)
"""Methods of diffusers' models that replace what is quantized, or write it as if it were not."""

_OF_ATTENTION = ("set_processor", "fuse_projections")
"""Such methods of its attention."""


@dataclass
class Edge:
    """A module in its place.

    Attributes
    ----------
    site : str
        Whose layer or attention is found along it.
    parent : Module
    key : str
        Of the child in its parent.
    child : Module
    """

    site: str
    parent: nn.Module
    key: str
    child: nn.Module

    @property
    def holds(self) -> bool:
        """Whether the child is still there."""
        return self.parent._modules.get(self.key) is self.child


@dataclass
class Structure:
    """The part of a model on which its quantization rests.

    Attributes
    ----------
    edges : list of Edge
        From the model to each site, and to each place where its layer is once more.
    processors : list of (str, Module, QuantizedAttention)
        The name of each attention, it, and what runs it.
    """

    edges: list[Edge]
    processors: list[tuple[str, nn.Module, QuantizedAttention]]

    def check(self) -> None:
        """Raise a ValueError that names the first site that is no longer what was quantized."""
        for edge in self.edges:
            if not edge.holds:
                there = type(edge.parent._modules.get(edge.key)).__name__
                raise ValueError(
                    f"{edge.site} is not what was quantized: in its place, or around it, there is "
                    f"a {there} now instead of a {type(edge.child).__name__}. Put that back, or "
                    "build the model anew and quantize it after such changes"
                )
        for name, attention, processor in self.processors:
            there = attention.get_processor()
            if there is not processor:
                raise ValueError(
                    f"{name} is not what was quantized: it has the processor "
                    f"{type(there).__name__} now, whose products are not quantized. Set the "
                    "QuantizedAttention again, or build the model anew and quantize it after such "
                    "changes"
                )

    def check_weights(self) -> None:
        """Raise a ValueError if a quantized weight was written to."""
        for layer in dict.fromkeys(edge.child for edge in self.edges):
            if isinstance(layer, QuantizedLinear):
                layer.check_weight()


class CheckState:
    """A pre-hook of load_state_dict that refuses other weights before any is loaded."""

    def __call__(self, model: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
        """Raise a ValueError that names the tensor."""
        for name, module in model.named_modules(remove_duplicate=False):
            if isinstance(module, QuantizedLinear):
                module.check_state(state, f"{prefix}{name}." if name else prefix)


class CheckStructure:
    """A forward pre-hook that checks a model before each pass."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure

    @torch.compiler.disable  # it compares modules, which a graph cannot
    def __call__(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        """Raise a ValueError if the model is not what was quantized."""
        self.structure.check()


class Refused:
    """Stands in the place of a method that would undo a quantization, or lose it.

    Parameters
    ----------
    name : str
        Of the method.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Raise a ValueError that says what to do."""
        if self.name in ("save_pretrained", "push_to_hub"):
            raise ValueError(
                f"{self.name} would write rounded weights, and nothing of how they were quantized: "
                "call golden.torch.save_quantized instead, or restore_ the model first"
            )
        raise ValueError(
            f"{self.name} would change what is quantized: restore_ the model first, and quantize "
            "it again afterwards"
        )


def structure(
    model: nn.Module, sites: dict[str, str], processors: dict[str, QuantizedAttention]
) -> Structure:
    """Describe a model as it is now.

    Parameters
    ----------
    model : nn.Module
    sites : dict of str to str
        The module of each site.
    processors : dict of str to QuantizedAttention
        What runs each attention, by the name of its module.
    """
    edges: dict[tuple[int, str], Edge] = {}
    owners: dict[int, str] = {}
    for site, path in sites.items():
        parent = model
        for key in path.split(".") if path else ():
            child = parent._modules[key]
            edges.setdefault((id(parent), key), Edge(site, parent, key, child))
            parent = child
        owners.setdefault(id(parent), site)
    for parent in model.modules():
        for key, child in parent._modules.items():
            if id(child) in owners:
                edge = Edge(owners[id(child)], parent, key, child)
                edges.setdefault((id(parent), key), edge)
    run = [(name, model.get_submodule(name), each) for name, each in processors.items()]
    return Structure(list(edges.values()), run)


def refuse_calls(model: nn.Module, kept: Structure) -> None:
    """Let calls that would undo the quantization raise, on the model and on its parts."""
    for module in _around(model, kept):
        _refuse(module, _OF_MODELS)
    for _, attention, _ in kept.processors:
        _refuse(attention, _OF_ATTENTION)


def allow_calls(model: nn.Module, kept: Structure) -> None:
    """Undo `refuse_calls`."""
    for module in [*_around(model, kept), *(attention for _, attention, _ in kept.processors)]:
        for name in (*_OF_MODELS, *_OF_ATTENTION):
            if isinstance(vars(module).get(name), Refused):
                delattr(module, name)


def _around(model: nn.Module, kept: Structure) -> list[nn.Module]:
    return list(dict.fromkeys([model, *(edge.parent for edge in kept.edges)]))


def _refuse(module: nn.Module, names: Iterable[str]) -> None:
    for name in names:
        if callable(getattr(type(module), name, None)) and name not in vars(module):
            setattr(module, name, Refused(name))
