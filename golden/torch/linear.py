"""A linear layer whose GEMM is quantized, and the input that several such layers share."""

import weakref
from collections.abc import Callable
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.floats import add, narrow
from golden.formats import BF16, FP16
from golden.mx import MXTensor
from golden.torch.meter import Meter
from golden.torch.scheme import Scheme

Mode = Literal["fake", "exact"]
MODES = ("fake", "exact")


class SharedInput:
    """Quantizes an input once for all layers that read it one after the other, such as q, k and v.

    Give one object to all layers of a model. It holds the values of the last input only, and only
    while that input lives.
    """

    def __init__(self) -> None:
        self._clear()

    def values(self, x: torch.Tensor, reader: "QuantizedLinear") -> torch.Tensor:
        """Return `reader.scheme.activation(x)`, from the layer before if that had the same input.

        The same is the same tensor, not written to in between (which tensors of inference mode do
        not tell, so what a layer is given a second time is quantized anew), with the same
        `Scheme.activation_key`.
        """
        scheme = reader.scheme
        if scheme.activation_key is None:
            return scheme.activation(x)
        version = None if x.is_inference() else x._version
        state = (version, torch.is_grad_enabled(), scheme.activation_key)
        if self._input() is x and self._state == state and reader not in self._readers:
            scheme.meter.repeat_activation(self._meter)
        else:
            self._values = scheme.activation(x)
            self._input = weakref.ref(x, self._clear)
            self._state, self._meter, self._readers = state, scheme.meter, weakref.WeakSet()
        self._readers.add(reader)
        return self._values

    def __deepcopy__(self, memo: dict[int, object]) -> "SharedInput":
        """Return one without an input, for the layers of a copied model."""
        return SharedInput()

    def __reduce__(self) -> tuple[type["SharedInput"], tuple[()]]:
        """Leave the input out of a pickled model."""
        return SharedInput, ()

    def _clear(self, _: object = None) -> None:
        self._input: Callable[[], torch.Tensor | None] = lambda: None
        self._values: torch.Tensor | None = None
        self._state: tuple[object, ...] = ()
        self._meter: Meter | None = None
        self._readers: weakref.WeakSet[QuantizedLinear] = weakref.WeakSet()


class QuantizedLinear(nn.Module):
    """A linear layer whose weight is quantized once, and whose input is at every pass.

    Parameters
    ----------
    linear : nn.Linear
        Its weight and bias may be FP32, FP16 or BF16.
    scheme : Scheme
        Of this layer alone.
    shared : SharedInput, optional
        Shared with the layers that may read the same input.
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
        self.shared = SharedInput() if shared is None else shared
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
        values = self.shared.values(x, self)
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
