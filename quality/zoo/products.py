"""Count a model's matrix products, and tell which of them have quantized operands."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from golden.torch import MXScheme, Site, find_sites, quantize_, restore_
from quality.zoo.settle import Inputs, run

MATMULS = ("mm", "bmm", "addmm", "baddbmm")

Made = dict[bytes, tuple[str, str]]
"""Site and side by a digest of the memory that the values lie in."""


def digest(x: Tensor) -> bytes:
    """Return a digest of all bytes around a tensor, which views and copies of it share."""
    memory = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
    return blake2b(memory.numpy()).digest()


class Tagged:
    """A scheme that remembers which operands it has made.

    Parameters
    ----------
    site : Site
    made : dict
        Is filled; one for all sites.
    """

    def __init__(self, site: Site, made: Made) -> None:
        self.scheme = MXScheme("MX6", "MX6")
        self.site, self.made = site, made
        self.activation_key = None  # so that q, k and v do not share an operand

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scheme, name)

    def activation(self, a: Tensor) -> Tensor:
        """Quantize and remember."""
        return self._tag("a", self.scheme.activation(a))

    def weight(self, b: Tensor) -> Tensor:
        """Quantize and remember."""
        return self._tag("b", self.scheme.weight(b))

    def _tag(self, side: str, values: Tensor) -> Tensor:
        values = values.clone(memory_format=torch.contiguous_format)  # and nothing around them
        self.made[digest(values)] = (self.site.name, side)
        return values


class Products(TorchDispatchMode):
    """See every matrix product while the mode is on.

    Parameters
    ----------
    made : dict
        Of `Tagged` schemes.

    Attributes
    ----------
    of_sites : Counter of str
        Products of both operands of one site, by its name.
    others : Counter of (int, ...)
        All other products by the shapes of their operands, while `muted` is not set.
    fused : int
        Calls of fused attention.
    """

    def __init__(self, made: Made) -> None:
        super().__init__()
        self.made = made
        self.of_sites: Counter[str] = Counter()
        self.others: Counter[tuple[int, ...]] = Counter()
        self.fused = 0
        self.muted = False

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = function.overloadpacket.__name__
        if name in MATMULS:
            self._count(*args[-2:])
        self.fused += "attention" in name
        return function(*args, **(kwargs or {}))

    def _count(self, a: Tensor, b: Tensor) -> None:
        left, right = (self.made.get(digest(each)) if self.made else None for each in (a, b))
        if left and right and left[0] == right[0] and (left[1], right[1]) == ("a", "b"):
            self.of_sites[left[0]] += 1
        elif not self.muted:
            self.others[(*a.shape, b.shape[-1])] += 1


def check_products(model: nn.Module, inputs: Inputs) -> str:
    """Say which product of a model is not quantized as often as it should be; "" if all are.

    Every call of a layer is one product on two quantized operands, every attention is two, and the
    products of all else are those of the model in floating point.
    """
    sites = find_sites(model)
    calls: Counter[str] = Counter()
    with Products({}) as before, _counting(model, sites, calls, before):
        run(model, inputs)
    attentions = sum(calls[site.name] for site in sites if site.kind == "qk")
    made: Made = {}
    quantize_(model, lambda site: Tagged(site, made) if site in sites else None)
    with Products(made) as after:
        run(model, inputs)
    restore_(model)
    for name in calls.keys() | after.of_sites.keys():
        if calls[name] != after.of_sites[name]:
            return f"{name} ran {calls[name]} times, quantized {after.of_sites[name]} times"
    if before.others != after.others:
        return f"other products changed: {(before.others - after.others) or after.others}"
    if before.fused != after.fused + attentions:
        return f"{before.fused} attentions, {after.fused} after quantizing {attentions}"
    return ""


@contextmanager
def _counting(
    model: nn.Module, sites: Sequence[Site], calls: Counter[str], products: Products
) -> Iterator[None]:
    """Count the calls of sites; the products of linear ones are no others."""

    def mute(_: nn.Module, __: Any) -> None:
        products.muted = True

    def count(site: Site) -> Any:
        def hook(_: nn.Module, __: Any, ___: Any) -> None:
            products.muted = False
            calls[site.name] += 1

        return hook

    with ExitStack() as stack:
        for site in sites:
            layer = model.get_submodule(site.module)
            if site.kind == "linear":
                stack.callback(layer.register_forward_pre_hook(mute).remove)
            stack.callback(layer.register_forward_hook(count(site)).remove)
        yield
