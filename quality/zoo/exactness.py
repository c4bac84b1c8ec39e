"""Hold a quantized model in exact mode to the NumPy model, product by product."""

from typing import Any

import numpy as np
from torch import Tensor, nn

import golden
from golden.mx import MXTensor
from golden.torch import MXScheme, find_sites, quantize_, restore_, set_mode
from quality.zoo.settle import Inputs, run

FORMAT = "MX6"


class Spy:
    """A scheme that keeps the operands and the results of its GEMM."""

    def __init__(self) -> None:
        self.scheme = MXScheme(FORMAT, FORMAT)
        self.calls: list[tuple[Tensor, Tensor | MXTensor, Tensor]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scheme, name)

    def exact(self, a: Tensor, b: Tensor | MXTensor) -> Tensor:
        """Multiply and remember."""
        c = self.scheme.exact(a, b)
        self.calls.append((a.detach().clone(), b, c.clone()))
        return c


def check_exact(model: nn.Module, inputs: Inputs) -> str:
    """Say which site's results are not golden's bits; "" if all are.

    Weights are quantized anew from the model's, and results of attention compared head by head.
    """
    spies = {site: Spy() for site in find_sites(model)}
    quantize_(model, spies.get)
    weights = {
        site: model.get_submodule(site.module).original.weight.detach().float().numpy()
        for site in model.quantized_sites
        if site.kind == "linear"
    }
    set_mode(model, "exact")
    run(model, inputs)
    sites = model.quantized_sites
    restore_(model)
    if not any(spies[site].calls for site in sites):
        return "no product ran"
    for site in sites:
        for a, b, c in spies[site].calls:
            weight = weights.get(site)
            if weight is None and site.k not in (None, a.shape[-1]):
                return f"{site.name} reduces over {a.shape[-1]}, not {site.k}"
            expected = _product(a, b.detach() if weight is None else weight)
            if not np.array_equal(expected.view(np.uint32), c.detach().numpy().view(np.uint32)):
                return f"{site.name} differs from golden"
    return ""


def _product(a: Tensor, b: Tensor | np.ndarray) -> np.ndarray:
    a = a.float().numpy()
    if isinstance(b, np.ndarray):
        columns = golden.quantize(np.ascontiguousarray(b.T), FORMAT, axis=0)
        rows = golden.quantize(a.reshape(-1, a.shape[-1]), FORMAT)
        return golden.gemm(rows, columns).reshape(*a.shape[:-1], -1)
    b = np.broadcast_to(b.float().numpy(), (*a.shape[:-2], *b.shape[-2:]))
    result = np.empty((*a.shape[:-1], b.shape[-2]), np.float32)
    for index in np.ndindex(a.shape[:-2]):
        columns = golden.quantize(np.ascontiguousarray(b[index].T), FORMAT, axis=0)
        result[index] = golden.gemm(golden.quantize(a[index], FORMAT), columns)
    return result
