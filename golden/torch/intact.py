"""Whether a model still is what was quantized, and the calls that would undo it unseen."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import nn

from golden.torch.attention import QuantizedAttention
from golden.torch.held import FROZEN
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
    children : list of (str, Module, tuple of str)
        The name of each module on the way to a site, it, and the names of its children.
    """

    edges: list[Edge]
    processors: list[tuple[str, nn.Module, QuantizedAttention]]
    children: list[tuple[str, nn.Module, tuple[str, ...]]]

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
        for name, parent, keys in self.children:
            if tuple(parent._modules) != keys:
                self._check_added(name, parent, keys)

    def _check_added(self, name: str, parent: nn.Module, keys: tuple[str, ...]) -> None:
        """Raise a ValueError if a child that is new has weights, which nothing quantized."""
        for key in parent._modules.keys() - set(keys):
            child = parent._modules[key]
            if child is not None and any(each.dim() > 1 for each in child.parameters()):
                raise ValueError(
                    f"{name}.{key}".lstrip(".") + f", a {type(child).__name__}, is new since the "
                    "model was quantized, and multiplies in floating point: take it out, or, to "
                    "have it quantized too, restore_ the model then, add it and quantize again"
                )

    def check_weights(self) -> None:
        """Raise a ValueError if a quantized weight was written to."""
        for layer in dict.fromkeys(edge.child for edge in self.edges):
            if isinstance(layer, QuantizedLinear):
                layer.check_weight()


class RequiresGrad:
    """Stands in the place of a module's ``requires_grad_`` where quantized layers are inside.

    Parameters
    ----------
    module : Module
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, requires_grad: bool = True) -> nn.Module:
        """Freeze everything, also what is kept for `restore_`; refuse to train everything.

        Raises
        ------
        ValueError
            If gradients are asked for, which weights of quantized layers do not have.
        """
        if requires_grad:
            raise ValueError(
                f"{type(self.module).__name__} has quantized layers. {FROZEN}. To train what is "
                "not quantized, ask its own modules or parameters for gradients"
            )
        for module in self.module.modules():
            if isinstance(module, QuantizedLinear):
                module.requires_grad_(False)
        return type(self.module).requires_grad_(self.module, False)


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
            f"{self.name} would change what is quantized: restore_ the model first (or build it "
            "anew), and quantize it again afterwards"
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
    around = {id(edge.parent) for edge in edges.values()}
    children = [
        (name, module, tuple(module._modules))
        for name, module in model.named_modules()
        if id(module) in around or module is model
    ]
    return Structure(list(edges.values()), run, children)


def refuse_calls(model: nn.Module, kept: Structure) -> None:
    """Let calls that would undo the quantization raise, on the model and on its parts."""
    for module in _around(model, kept):
        _refuse(module, _OF_MODELS)
        if "requires_grad_" not in vars(module):
            module.requires_grad_ = RequiresGrad(module)
    for _, attention, _ in kept.processors:
        _refuse(attention, _OF_ATTENTION)


def allow_calls(model: nn.Module, kept: Structure) -> None:
    """Undo `refuse_calls`."""
    for module in [*_around(model, kept), *(attention for _, attention, _ in kept.processors)]:
        for name in (*_OF_MODELS, *_OF_ATTENTION):
            if isinstance(vars(module).get(name), Refused):
                delattr(module, name)
        if isinstance(vars(module).get("requires_grad_"), RequiresGrad):
            delattr(module, "requires_grad_")


def _around(model: nn.Module, kept: Structure) -> list[nn.Module]:
    return list(dict.fromkeys([model, *(edge.parent for edge in kept.edges)]))


def _refuse(module: nn.Module, names: Iterable[str]) -> None:
    for name in names:
        if callable(getattr(type(module), name, None)) and name not in vars(module):
            setattr(module, name, Refused(name))
