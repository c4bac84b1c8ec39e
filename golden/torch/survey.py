"""All that multiplies in a model, as far as its modules tell: what can be quantized, what cannot.

Products of bare parameters, or inside of a module that is none of the kinds here, are not seen.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from golden.torch.blocks import Blocks
from golden.torch.processors import (
    FUSED,
    Obstacle,
    find_obstacle,
    has_fused_projections,
    has_processor,
)
from golden.torch.site import Site

WEIGHTS = (torch.float32, torch.float16, torch.bfloat16)
"""Dtypes that a weight may have."""

_IDLE = ("to_qkv", "to_kv", "to_added_qkv")
"""Layers that remain of projections which are fused no more."""

_UNCALLED = {
    "MultiheadAttention": "multiplies without calling its layers",
    "TransformerEncoderLayer": "may multiply without calling its layers",
    "HunyuanDiTAttentionPool": "multiplies without calling its layers",
}
"""Modules, by class, whose layers cannot be replaced."""

_ATTENTION = re.compile(r"attention|attn(?!.*block)", re.IGNORECASE)
"""Names of classes that are attention; blocks such as CrossAttnDownBlock2D are named for theirs."""

_OTHERS = (nn.modules.conv._ConvNd, nn.Bilinear, nn.RNNBase, nn.RNNCellBase)
"""Modules that multiply, and are neither linear layers nor attention."""


@dataclass(frozen=True)
class Part:
    """Something that multiplies.

    Attributes
    ----------
    name : str
    site : Site or None
        What a policy can be asked about; None for other kinds of layers than linear ones.
    obstacle : Obstacle or None
        Why it cannot be quantized.
    against : str or None
        Why it is not meant to be quantized.
    """

    name: str
    site: Site | None
    obstacle: Obstacle | None = None
    against: str | None = None


def survey(model: nn.Module) -> list[Part]:
    """List all that multiplies, in the order of the modules.

    Raises
    ------
    ValueError
        If the model is itself a linear layer.
    """
    if isinstance(model, nn.Linear):
        raise ValueError("a single linear layer cannot be replaced in place: put it in a module")
    blocks = Blocks(model)
    modules = dict(model.named_modules())
    parts = []
    for name, module in modules.items():
        above = _above(modules, name)
        for part in _parts(name, module, above):
            against = blocks.reason_against(part.name)
            parts.append(Part(part.name, part.site, part.obstacle, against))
    return parts


def _above(modules: dict[str, nn.Module], name: str) -> dict[str, nn.Module]:
    """Return what a module lies in, the innermost first."""
    found = {}
    while name:
        name = name.rpartition(".")[0]
        found[name] = modules[name]
    return found


def _parts(name: str, module: nn.Module, above: dict[str, nn.Module]) -> Iterator[Part]:
    if has_processor(module):
        yield from _products(name, module, find_obstacle(module))
    elif isinstance(module, nn.MultiheadAttention):
        site = Site(_join(name, "qk"), "qk", module.head_dim, None, module.num_heads)
        yield Part(name or "the model", site, Obstacle(f"is {_uncalled(module)}"))
    elif _is_other_attention(module):
        kind = type(module).__name__
        reason = f"is a product of {kind}, which no processor of diffusers runs: it cannot be seen"
        yield from _products(name, module, Obstacle(reason))
    elif isinstance(module, nn.Linear):
        if not _is_idle(name, above):
            site = Site(name, "linear", module.in_features, module.out_features)
            yield Part(name, site, _linear_obstacle(module, above))
    elif _is_transposed_linear(module):
        site = Site(name, "linear", *module.weight.shape)
        reason = "is a Conv1D of transformers, whose weight is stored the other way round"
        yield Part(name, site, Obstacle(f"{reason}: only nn.Linear layers can be quantized"))
    elif isinstance(module, _OTHERS):
        kind = type(module).__name__
        reason = f"is a {kind}: only linear layers and attention can be quantized"
        yield Part(name or kind, None, Obstacle(reason))
    elif _is_linear_in_its_own_way(module):
        site = Site(name, "linear", module.in_features, module.out_features)
        yield Part(name, site, _own_way(module))


def _products(name: str, module: nn.Module, obstacle: Obstacle | None) -> Iterator[Part]:
    heads = _first_number(module, "heads", "num_heads", "num_attention_heads", "n_heads")
    width = _first_number(module, "head_dim", "dim_head", "attention_head_dim")
    inner = _first_number(module, "inner_dim")
    if inner is not None and heads is not None:
        width = inner // heads
    for kind, k, n in (("qk", width, None), ("pv", None, width)):
        site = Site(_join(name, kind), kind, k, n, 1 if heads is None else heads)
        yield Part(site.name, site, obstacle)


def _linear_obstacle(module: nn.Linear, above: dict[str, nn.Module]) -> Obstacle | None:
    for name, owner in above.items():
        if _is_adapter(owner):
            return Obstacle(
                f"belongs to {name}, an adapter layer of peft, whose weight may yet change: merge "
                "the adapter into the model first"
            )
        if has_processor(owner) and has_fused_projections(owner):
            reason = f"belongs to {name}, which {FUSED.reason}"
            return Obstacle(reason, FUSED.remedy)
        if _uncalled(owner) and (module in owner.children()):
            return Obstacle(f"belongs to {name or 'the model'}, {_uncalled(owner)}")
    if type(module) is not nn.Linear:
        return _own_way(module)
    weight = module.weight
    if type(weight) not in (nn.Parameter, torch.Tensor):
        return Obstacle(f"has a weight that is a {type(weight).__name__}, no plain tensor")
    if not weight.numel():
        return Obstacle("has a weight without elements")
    if weight.dtype not in WEIGHTS:
        return Obstacle(
            f"has a weight of {weight.dtype}: only FP32, FP16 and BF16 can be quantized"
        )
    return None


def _own_way(module: nn.Module) -> Obstacle:
    return Obstacle(
        f"is a {type(module).__name__}, which may multiply in its own way: only plain nn.Linear "
        "layers can be quantized"
    )


def _uncalled(module: nn.Module) -> str:
    """Return that a module does not call its layers, if it does not."""
    for each in type(module).__mro__:
        if each.__name__ in _UNCALLED:
            return f"{_article(type(module).__name__)}, which {_UNCALLED[each.__name__]}"
    return ""


def _is_idle(name: str, above: dict[str, nn.Module]) -> bool:
    """Return whether a layer is what ``unfuse_qkv_projections()`` has left behind."""
    owner = next(iter(above.values()))
    fused = getattr(owner, "fused_projections", None)
    last = name.rpartition(".")[2]
    return fused is True and last in _IDLE and not has_fused_projections(owner)


def _is_other_attention(module: nn.Module) -> bool:
    """Return whether a module is by its name an attention, and holds no other."""

    def is_named_so(each: nn.Module) -> bool:
        return bool(_ATTENTION.search(type(each).__name__))

    inner = (each for each in module.modules() if each is not module)
    return (
        is_named_so(module)
        and any(True for _ in module.parameters())
        and not any(is_named_so(each) or has_processor(each) for each in inner)
    )


def _is_transposed_linear(module: nn.Module) -> bool:
    return type(module).__module__ == "transformers.pytorch_utils" and hasattr(module, "nf")


def _is_linear_in_its_own_way(module: nn.Module) -> bool:
    """Return whether a module is like a linear layer, such as those with integer weights."""
    sizes = (getattr(module, size, None) for size in ("in_features", "out_features"))
    like = "linear" in type(module).__name__.lower() and all(isinstance(n, int) for n in sizes)
    return like and not _is_adapter(module)


def _is_adapter(module: nn.Module) -> bool:
    """Return whether a module is a layer of peft around another one."""
    return any(each.__name__ == "BaseTunerLayer" for each in type(module).__mro__)


def _first_number(module: nn.Module, *names: str) -> int | None:
    found = (getattr(module, name, None) for name in names)
    return next((each for each in found if isinstance(each, int)), None)


def _article(kind: str) -> str:
    return f"{'an nn.' if hasattr(nn, kind) else 'a '}{kind}"


def _join(name: str, last: str) -> str:
    return f"{name}.{last}" if name else last
