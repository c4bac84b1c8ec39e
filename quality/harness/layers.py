"""What happens at each quantized GEMM, on the inputs that the reference gives it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden.torch import QuantizedAttention, QuantizedLinear, Scheme, find_sites
from quality.harness.calls import Call
from quality.harness.meters import read_meters, reset_meters
from quality.harness.probe import energies


class LayerProbe:
    """Compares every quantized GEMM with the reference's, on the reference's inputs.

    The errors of the layers before are not in a layer's figure.

    Parameters
    ----------
    reference : nn.Module
    quantized : nn.Module
        The same model after `quantize_`.

    Attributes
    ----------
    sites : list of str
        Names of the GEMMs, in the order of the model.
    """

    def __init__(self, reference: nn.Module, quantized: nn.Module) -> None:
        self._reference = reference
        self._quantized = quantized
        self.sites = list(read_meters(quantized))
        self._energy: list[NDArray[np.float64]] = []
        self._bits: list[list[float]] = []

    def compare(self, calls: list[Call]) -> Callable[[int], None]:
        """Return what `probe_steps` is to call after each step.

        It takes the mean bits of an activation that passed each site in this step, then compares
        the layers on the reference's evaluation of it.
        """
        reset_meters(self._quantized)

        def after(index: int) -> None:
            counts = read_meters(self._quantized)
            self._bits.append([counts[site].a_width for site in self.sites])
            sums = {site: np.zeros(2) for site in self.sites}
            with _comparing(self._reference, self._quantized, sums):
                calls[index].repeat(self._reference)
            self._energy.append(np.array([sums[site] for site in self.sites]))
            reset_meters(self._quantized)

        return after

    def results(self) -> dict[str, NDArray[np.float64]]:
        """Return ``layer`` (steps, sites, 2) of `energies` and ``layer_bits`` (steps, sites)."""
        return {"layer": np.array(self._energy), "layer_bits": np.array(self._bits)}


class _Comparison:
    """A scheme that quantizes nothing, and notes what another one would have done."""

    correction = None

    def __init__(self, twin: Scheme, sums: NDArray[np.float64]) -> None:
        self._twin, self._sums = twin, sums
        self._a: Tensor | None = None

    def activation(self, a: Tensor) -> Tensor:
        self._a = a
        return a

    def weight(self, b: Tensor) -> Tensor:
        product = self._twin.activation(self._a) @ self._twin.weight(b).mT
        np.add(self._sums, energies(self._a @ b.mT, product), out=self._sums)
        return b


@contextmanager
def _comparing(
    reference: nn.Module, quantized: nn.Module, sums: dict[str, NDArray[np.float64]]
) -> Iterator[None]:
    """Add the energies of every product that the reference computes inside, by site."""
    twins = dict(quantized.named_modules())
    with ExitStack() as stack:
        for name, module in reference.named_modules():
            twin = twins[name]
            if isinstance(twin, QuantizedLinear):
                handle = module.register_forward_hook(_linear_hook(twin, sums[name]))
                stack.callback(handle.remove)
            processor = getattr(twin, "processor", None)
            if isinstance(processor, QuantizedAttention):
                schemes = {
                    kind: scheme and _Comparison(scheme, sums[f"{name}.{kind}"])
                    for kind, scheme in (("qk", processor.qk), ("pv", processor.pv))
                }
                stack.callback(module.set_processor, module.processor)
                module.set_processor(QuantizedAttention(module.processor, **schemes))
        yield


def _linear_hook(twin: QuantizedLinear, sums: NDArray[np.float64]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        np.add(sums, energies(output, twin(inputs[0])), out=sums)

    return hook


@torch.no_grad()
def channel_maxima(transformer: nn.Module, run: Callable[[], Any]) -> dict[str, NDArray]:
    """Record the largest magnitude in every channel of the inputs of linear layers.

    Parameters
    ----------
    transformer : nn.Module
        Unquantized.
    run : Callable
        Samples with it.

    Returns
    -------
    dict of NDArray[np.float32]
        By site, shape (steps, K).
    """
    rows: dict[str, list[NDArray[np.float32]]] = {}
    with ExitStack() as stack:
        for site in find_sites(transformer):
            if site.kind == "linear":
                kept = rows.setdefault(site.name, [])
                handle = transformer.get_submodule(site.name).register_forward_hook(_maxima(kept))
                stack.callback(handle.remove)
        run()
    return {name: np.stack(kept) for name, kept in rows.items() if kept}


def _maxima(kept: list[NDArray[np.float32]]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        kept.append(inputs[0].detach().float().abs().flatten(0, -2).amax(0).cpu().numpy())

    return hook
