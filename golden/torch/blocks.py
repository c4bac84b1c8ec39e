"""Which layers of a model are meant to be quantized, where nobody says.

A diffusion transformer of diffusers does nearly all of its work in blocks, which lie in module
lists under many names (``transformer_blocks``, ``single_transformer_blocks``, ``blocks``,
``layers``, ``noise_refiner``, ...). They are found by what is in them: attention that is run by a
processor. What is outside of blocks, or in a block makes embeddings or scales and shifts, works
once per sample instead of once per token, or at the edges.
"""

import re

from torch import nn

from golden.torch.processors import has_processor

_ADAPTIVE = re.compile(
    r"norm|film|ada(ln|_|$)|.*modulation|(.*_)?mod(_.*)?$|scale_shift|(.*_)?emb(ed\w*)?(_.*|\d*)$",
    re.IGNORECASE,
)
"""Parts of a layer's name, behind its block's, that say it makes embeddings or normalization."""


class Blocks:
    """The blocks of a model.

    Parameters
    ----------
    model : nn.Module

    Attributes
    ----------
    prefixes : tuple of str
        Names of the module lists, with a dot at the end; empty where no block has attention with a
        processor, as in models that are not diffusers'. Then every layer is meant.
    """

    def __init__(self, model: nn.Module) -> None:
        self.prefixes = tuple(_lists(model, ""))

    def reason_against(self, name: str) -> str | None:
        """Return why a layer is not meant, or None if it is."""
        if not self.prefixes:
            return None
        for prefix in self.prefixes:
            if name.startswith(prefix):
                inside = name.removeprefix(prefix).split(".")[1:]
                if any(_ADAPTIVE.match(part) for part in inside):
                    return "makes embeddings or adaptive normalization, once per sample"
                return None
        return "lies outside of the transformer blocks"


def _lists(model: nn.Module, prefix: str) -> list[str]:
    """Return the innermost module lists whose entries hold attention, themselves none."""
    found: list[str] = []
    for name, child in model.named_children():
        inner = _lists(child, f"{prefix}{name}.")
        if not inner and isinstance(child, nn.ModuleList):
            entries = [entry for entry in child.children() if not has_processor(entry)]
            if any(has_processor(module) for entry in entries for module in entry.modules()):
                inner = [f"{prefix}{name}."]
        found += inner
    return found
