"""The GEMMs of a model that a policy may quantize: linear layers, and attention's two products.

Names are diffusers' names of the layers; the two products of an attention module get ``.qk`` and
``.pv`` after its name, as in the workloads of the performance model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from torch import nn

BLOCKS = "transformer_blocks"
"""Where diffusers' transformers keep what is quantized; other models have no such list."""

PROCESSORS = ("AttnProcessor2_0", "JointAttnProcessor2_0")
"""Attention processors of diffusers that call ``scaled_dot_product_attention`` once."""


@dataclass(frozen=True)
class Site:
    """One GEMM, C = A @ B^T, that a policy may quantize.

    Attributes
    ----------
    name : str
        Of the layer inside its model; of an attention module's products with ``.qk`` or ``.pv``.
    kind : {"linear", "qk", "pv"}
        A linear layer with its weight as B; scores, with K as B; attention's output, with the
        softmax of the scores as A and V^T as B.
    k, n : int or None
        Length of the reduction and columns of the result, of one head in attention. None where it
        is a number of tokens, which only a call knows.
    heads : int
        Such products per sample; 1 for a linear layer.
    """

    name: str
    kind: Literal["linear", "qk", "pv"]
    k: int | None
    n: int | None
    heads: int = 1

    @property
    def module(self) -> str:
        """Name of the linear layer, or of the attention module."""
        return self.name if self.kind == "linear" else self.name.rpartition(".")[0]


def find_sites(model: nn.Module, include: Sequence[str] = ()) -> list[Site]:
    """List every GEMM of a model that is meant to be quantized, in the order of its modules.

    In a transformer of diffusers these are the linear layers and the attention inside of
    `transformer_blocks`. What makes embeddings, adaptive normalisation (``norm*``) and the final
    projection is left out; it works once per sample instead of once per token, or at the edges. In
    any other module, all its linear layers are meant.

    Parameters
    ----------
    model : nn.Module
    include : sequence of str
        Names, or patterns such as ``"*.norm1.linear"``, of further linear layers.

    Raises
    ------
    ValueError
        If there is nothing to quantize, a pattern fits no linear layer, or a layer multiplies in a
        way that cannot be replaced.
    """
    whole = not isinstance(getattr(model, BLOCKS, None), nn.ModuleList)
    asked = {pattern: False for pattern in include}
    sites = []
    for name, module in model.named_modules():
        meant = whole or _is_meant(name)
        if is_attention(module) and meant:
            sites.extend(_attention_sites(name, module))
        elif isinstance(module, nn.MultiheadAttention):
            raise ValueError(
                f"{name or 'the model'} is an nn.MultiheadAttention, which multiplies without "
                "calling its layers: it cannot be quantized"
            )
        elif isinstance(module, nn.Linear):
            fitting = [pattern for pattern in include if fnmatchcase(name, pattern)]
            asked.update(dict.fromkeys(fitting, True))
            if meant or fitting:
                sites.append(_linear_site(name, module))
    for pattern, found in asked.items():
        if not found:
            raise ValueError(f"no linear layer of the model is called {pattern!r}")
    if not sites:
        raise ValueError(f"{type(model).__name__} has no linear layer and no attention to quantize")
    return sites


def is_attention(module: nn.Module) -> bool:
    """Return whether a module is an attention of diffusers: projections, run by a processor."""
    return hasattr(module, "to_q") and hasattr(module, "get_processor")


def _is_meant(name: str) -> bool:
    """Return whether a layer of a transformer is inside of a block and not in a normalisation."""
    first, *rest = name.split(".")
    return first == BLOCKS and not any(part.startswith("norm") for part in rest)


def _linear_site(name: str, module: nn.Linear) -> Site:
    if not name:
        raise ValueError("a single linear layer cannot be replaced in place: put it in a module")
    if type(module) is not nn.Linear:
        raise ValueError(
            f"{name} is a {type(module).__name__}, which may multiply in its own way: only plain "
            "nn.Linear layers can be quantized"
        )
    return Site(name, "linear", module.in_features, module.out_features)


def _attention_sites(name: str, module: nn.Module) -> Iterator[Site]:
    if getattr(module, "fused_projections", False):
        raise ValueError(
            f"{name} has fused projections, which take the place of the layers that a policy "
            "names: load the model again and do not call fuse_qkv_projections()"
        )
    processor = type(module.get_processor()).__name__
    if processor not in PROCESSORS:
        raise ValueError(
            f"{name} uses {processor}, whose products cannot be seen: give it one of "
            f"{', '.join(PROCESSORS)} with set_processor() first"
        )
    if module.inner_kv_dim != module.inner_dim:
        raise ValueError(
            f"{name} shares keys among its {module.heads} heads: grouped attention cannot be "
            "quantized"
        )
    width = module.inner_dim // module.heads
    yield Site(f"{name}.qk", "qk", width, None, module.heads)
    yield Site(f"{name}.pv", "pv", None, width, module.heads)
