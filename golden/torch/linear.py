"""A linear layer whose GEMM is quantized, and the input that several such layers share."""

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.floats import add, narrow
from golden.formats import BF16, FP16
from golden.mx import MXTensor
from golden.torch.scheme import Scheme

Mode = Literal["fake", "exact"]
MODES = ("fake", "exact")


class SharedInput:
    """Quantizes an input once for all layers that read it one after the other, such as q, k and v.

    Give one object to layers that may read the same input. Each thread has its own last input,
    and only while that input lives.
    """

    def __init__(self) -> None:
        self._last = threading.local()

    def values(self, x: torch.Tensor, reader: "QuantizedLinear") -> torch.Tensor:
        """Return `reader.scheme.activation(x)`, from the layer before if that had the same input.

        The same is the same tensor with the same bits, which a copy tells: not every write to a
        tensor leaves a trace in it. The `Scheme.activation_key` must be the same, too.
        """
        scheme = reader.scheme
        if scheme.activation_key is None:
            return scheme.activation(x)
        state = (torch.is_grad_enabled(), x.requires_grad, scheme.activation_key)
        last = getattr(self._last, "read", None)
        if last is not None and last.serves(x, state):
            scheme.meter.add_activation(x.numel(), last.bits)
            return last.values
        before = x.detach().clone()
        values = scheme.activation(x)
        bits = scheme.meter.last_activation.bits
        local = self._last

        def forget(_: object) -> None:
            local.__dict__.pop("read", None)

        local.read = _Read(weakref.ref(x, forget), before, state, values, bits)
        return values

    def __deepcopy__(self, memo: dict[int, object]) -> "SharedInput":
        """Return one without an input, for the layers of a copied model."""
        return memo.setdefault(id(self), SharedInput())

    def __reduce__(self) -> tuple[type["SharedInput"], tuple[()]]:
        """Leave the input out of a pickled model."""
        return SharedInput, ()


@dataclass(frozen=True)
class _Read:
    """An input, what it was when it was quantized, and what became of it."""

    given: Callable[[], torch.Tensor | None]
    before: torch.Tensor
    state: tuple[object, ...]
    values: torch.Tensor
    bits: int | torch.Tensor

    def serves(self, x: torch.Tensor, state: tuple[object, ...]) -> bool:
        """Return whether a layer in this state gets the same values from `x`."""
        if self.given() is not x or self.state != state or self.before.shape != x.shape:
            return False
        kind = _BITS[x.element_size()]
        return torch.equal(self.before.view(kind), x.detach().view(kind))


_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers that tell all patterns of floats apart."""


def shared_inputs(layers: Mapping[str, nn.Linear]) -> dict[str, SharedInput]:
    """Give one `SharedInput` to linear layers of one module with inputs of one width.

    Parameters
    ----------
    layers : mapping of str to nn.Linear
        By their names in the model.

    Returns
    -------
    dict of str to SharedInput
        Of those layers that have such a neighbour.
    """
    groups: dict[tuple[str, int], list[str]] = {}
    for name, layer in layers.items():
        groups.setdefault((name.rpartition(".")[0], layer.in_features), []).append(name)
    shared = {}
    for names in groups.values():
        if len(names) > 1:
            shared |= dict.fromkeys(names, SharedInput())
    return shared


class QuantizedLinear(nn.Module):
    """A linear layer whose weight is quantized once, and whose input is at every pass.

    Parameters
    ----------
    linear : nn.Linear
        Its weight and bias may be FP32, FP16 or BF16.
    scheme : Scheme
        Of this layer alone.
    shared : SharedInput, optional
        Shared with the layers that may read the same input, if there are any.
    keep : bool
        Whether to keep `linear` itself, as `original`.

    Attributes
    ----------
    mode : {"fake", "exact"}
        In "fake" mode the FP32 product of the quantized values, which differs from the machine's
        result by no more than `golden.torch.fake_bound`. In "exact" mode the bits of `golden.gemm`,
        FP32 bias and rounding to the output's dtype included; computed on the host, and without
        gradients.
    weight : Tensor of float32, shape (N, K)
        The values of the quantized weight, in the scheme's order of K. Like the bias it stays in
        FP32 when the module is cast, since the values are what they are.
    codes : MXTensor or None
        The weight as the machine holds it, (N, K), where the scheme is one of MX formats.

    Notes
    -----
    ``torch.compile`` compiles what is around the layer, and leaves the layer as it is.

    Output is in the input's dtype, rounded once from FP32. Values in MX formats have at most 8
    significant bits, so ``torch.set_float32_matmul_precision("high")`` rounds none of them.
    """

    def __init__(
        self,
        linear: nn.Linear,
        scheme: Scheme,
        *,
        shared: SharedInput | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.scheme = scheme
        self.shared = shared
        self.original = linear if keep else None
        self.mode: Mode = "fake"
        with torch.no_grad():
            self.register_buffer("weight", scheme.weight(linear.weight).contiguous())
            bias = None if linear.bias is None else linear.bias.float().clone()
            self.register_buffer("bias", bias)
        encode = getattr(scheme, "codes", None)
        self.codes: MXTensor | None = None if encode is None else encode(linear.weight)

    @torch.compiler.disable  # it counts, shares and asks, which a graph cannot
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply: (..., K) to (..., N)."""
        self.scheme.meter.repeat_weight()
        bias, correction = self.bias, self.scheme.correction
        if correction is not None:
            correction = correction.to(x.device)
            bias = correction if bias is None else bias + correction
        if self.mode == "exact":
            return self._exact(x.detach(), bias)
        values = self.scheme.activation(x) if self.shared is None else self.shared.values(x, self)
        with torch.autocast(x.device.type, enabled=False):
            return nn.functional.linear(values, self.weight, bias).to(x.dtype)

    def _exact(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if self.codes is None and self.original is None:
            raise TypeError(
                f"{type(self.scheme).__name__} needs the original weight for its exact mode: "
                "quantize with keep=True"
            )
        weight = self.original.weight if self.codes is None else self.codes
        product = self.scheme.exact(x, weight).cpu().numpy()
        if bias is not None:
            product = add(product, bias.cpu().numpy())
        return _narrowed(product, x.dtype).to(x.device)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """Move with the module, but undo a cast."""
        before = {name: getattr(self, name) for name in ("weight", "bias")}
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            if buffer is not None and getattr(self, name).dtype != buffer.dtype:
                setattr(self, name, buffer.to(getattr(self, name).device))
        return self

    def extra_repr(self) -> str:
        """Describe the layer in the model's printout."""
        scheme = type(self.scheme).__name__
        return f"{self.in_features}, {self.out_features}, {scheme}, mode={self.mode!r}"


def _narrowed(x: NDArray[np.float32], dtype: torch.dtype) -> torch.Tensor:
    """Round as the machine does; torch gives NaNs other patterns in BF16."""
    if dtype == torch.float32:
        return torch.from_numpy(x)
    bits = narrow(x, FP16 if dtype == torch.float16 else BF16)
    return torch.from_numpy(bits.view(np.int16)).view(dtype)
