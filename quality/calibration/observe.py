"""See, and round, the operands of a model's GEMMs while it runs in floating point."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from golden.formats import MX6
from golden.policy import Policy
from golden.torch import QuantizedAttention, Site, fake_quantize, fake_quantize_policy, find_sites

Visit = Callable[[Site, Tensor, Tensor], None]
"""Called with a site, its A (..., M, K) and its B (..., N, K)."""


@dataclass(frozen=True)
class Operand:
    """What is quantized at once: an attention's Q, K, P or V, or the input of linear layers.

    Attributes
    ----------
    sites : tuple of Site
        The layers that share the input; one product of attention.
    side : {"a", "b"}
        Which operand of the product; of linear layers A.
    """

    sites: tuple[Site, ...]
    side: str

    @property
    def name(self) -> str:
        """The first site's name, and the side."""
        return f"{self.sites[0].name}.{self.side}"

    @property
    def is_linear(self) -> bool:
        """Whether it is the input of linear layers."""
        return self.sites[0].kind == "linear"


@contextmanager
def observed(model: nn.Module, visit: Visit) -> Iterator[None]:
    """Call `visit` for every GEMM that the model computes inside; its values stay as they are."""
    sites = find_sites(model)
    with ExitStack() as stack:
        for site in sites:
            if site.kind == "linear":
                hook = model.get_submodule(site.name).register_forward_pre_hook(
                    lambda layer, inputs, site=site: visit(site, inputs[0], layer.weight)
                )
                stack.callback(hook.remove)
        _attend(model, {site: _Watcher(site, visit) for site in sites}, stack)
        yield


@contextmanager
def rounded(model: nn.Module, operand: Operand, policy: Policy | None = None) -> Iterator[None]:
    """Round one operand to MX6, or by a policy of linear inputs, and leave all else as it is."""

    def quantize(x: Tensor) -> Tensor:
        return fake_quantize(x, MX6) if policy is None else fake_quantize_policy(x, policy)

    with ExitStack() as stack:
        if operand.is_linear:
            for site in operand.sites:
                hook = model.get_submodule(site.name).register_forward_pre_hook(
                    lambda _, inputs: (quantize(inputs[0]), *inputs[1:])
                )
                stack.callback(hook.remove)
        else:
            (site,) = operand.sites
            _attend(model, {site: _Rounder(operand.side, quantize)}, stack)
        yield


@torch.no_grad()
def find_operands(model: nn.Module, run: Callable[[], object]) -> list[Operand]:
    """List what is quantized while `run` runs the model once, in the order of its sites.

    Linear layers whose first input in the run is one and the same tensor are one operand, wherever
    they are in the model. `golden.torch.SharedInput` shares less: only between layers side by side
    in one module that read it one after the other, and are given the same precision and order, and
    only while its bits stay as they were. Later calls of a layer are not looked at.
    """
    inputs: dict[Site, Tensor] = {}
    with observed(model, lambda site, a, b: inputs.setdefault(site, a)):
        run()
    operands: list[Operand] = []
    readers: dict[int, list[Site]] = {}
    for site, a in inputs.items():
        if site.kind == "linear":
            readers.setdefault(id(a), []).append(site)  # all tensors are alive, so ids differ
    for site in find_sites(model):
        if site not in inputs:
            continue
        if site.kind != "linear":
            operands += [Operand((site,), "a"), Operand((site,), "b")]
        elif readers[id(inputs[site])][0] == site:
            operands.append(Operand(tuple(readers[id(inputs[site])]), "a"))
    return operands


class _Watcher:
    """A scheme of attention that changes nothing and shows both operands."""

    correction = None

    def __init__(self, site: Site, visit: Visit) -> None:
        self._site, self._visit = site, visit
        self._a: Tensor | None = None

    def activation(self, a: Tensor) -> Tensor:
        self._a = a
        return a

    def weight(self, b: Tensor) -> Tensor:
        self._visit(self._site, self._a, b)
        self._a = None
        return b


class _Rounder:
    """A scheme of attention that rounds one operand."""

    correction = None

    def __init__(self, side: str, quantize: Callable[[Tensor], Tensor]) -> None:
        self._side, self._quantize = side, quantize

    def activation(self, a: Tensor) -> Tensor:
        return self._quantize(a) if self._side == "a" else a

    def weight(self, b: Tensor) -> Tensor:
        return self._quantize(b) if self._side == "b" else b


def _attend(model: nn.Module, schemes: dict[Site, object], stack: ExitStack) -> None:
    """Give schemes to attention modules until the stack unwinds."""
    pairs: dict[str, dict[str, object]] = {}
    for site, scheme in schemes.items():
        if site.kind != "linear":
            pairs.setdefault(site.module, {"qk": None, "pv": None})[site.kind] = scheme
    for name, pair in pairs.items():
        attention = model.get_submodule(name)
        processor = attention.get_processor()
        stack.callback(attention.set_processor, processor)
        attention.set_processor(QuantizedAttention(processor, **pair))
