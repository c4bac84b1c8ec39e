"""What the rule of `golden.torch.blocks` makes of one model."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from golden.torch import find_sites
from golden.torch.blocks import Blocks
from quality.zoo.settle import Built


@dataclass(frozen=True)
class Rule:
    """Where linear layers are quantized, and where not.

    Attributes
    ----------
    blocks : list of str
        The lists of blocks, without numbers.
    quantized : list of str
        Parts of a block whose linear layers are all quantized.
    left : list of str
        Parts of a block whose linear layers are all left out.
    outside : list of str
        Parts of the model with linear layers outside of blocks.
    """

    blocks: list[str]
    quantized: list[str]
    left: list[str]
    outside: list[str]


def apply_rule(build: Callable[[], Built]) -> Rule:
    """Find what is in and what is out, in the order of the modules."""
    model, _ = build()
    prefixes = Blocks(model).prefixes
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    within = {name: _in_block(name, prefixes) for name in names if name.startswith(prefixes)}
    sites = {site.name for site in find_sites(model)}
    taken = [path for name, path in within.items() if name in sites]
    left = [path for name, path in within.items() if name not in sites]
    both = {path[0] for path in taken} & {path[0] for path in left}
    return Rule(
        _unique(".".join(_words(prefix)) for prefix in prefixes),
        _unique(_short(path, both) for path in taken),
        _unique(_short(path, both) for path in left),
        _unique(name.partition(".")[0] for name in names if name not in within),
    )


def _in_block(name: str, prefixes: tuple[str, ...]) -> list[str]:
    """Return the parts of a layer's name behind its block's."""
    return _words(next(name.removeprefix(each) for each in prefixes if name.startswith(each)))


def _words(name: str) -> list[str]:
    return [part for part in name.split(".") if part and not part.isdigit()]


def _short(path: list[str], both: set[str]) -> str:
    return ".".join(path[: 2 if path[0] in both else 1])


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
