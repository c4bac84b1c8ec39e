"""A linear layer whose GEMM is quantized, and the input that several such layers share."""

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.floats import add, narrow
from golden.formats import BF16, FP16
from golden.mx import MXTensor
from golden.torch.meter import Meter
from golden.torch.scheme import Scheme
from golden.torch.seal import Seal

Mode = Literal["fake", "exact"]
MODES = ("fake", "exact")


@dataclass(eq=False)
class _Last:
    """What a thread's last input was and became.

    Attributes
    ----------
    input : callable
        The input itself, or None when it lives no longer.
    bits : Tensor or None
        A copy of what it held.
    state : tuple
        What else must be the same for its values to be.
    values : Tensor or None
    meter : Meter or None
        Of the layer that quantized it.
    readers : WeakSet of QuantizedLinear
        That were given the values.
    """

    input: Callable[[], torch.Tensor | None] = lambda: None
    bits: torch.Tensor | None = None
    state: tuple[object, ...] = ()
    values: torch.Tensor | None = None
    meter: Meter | None = None
    readers: "weakref.WeakSet[QuantizedLinear]" = field(default_factory=weakref.WeakSet)

    def forget(self, _: object = None) -> None:
        """Let go of the tensors, since their input is gone."""
        self.bits = self.values = None
        self.state = ()  # which holds the graph that the input came from


class SharedInput:
    """Quantizes an input once for all layers that read it one after the other, such as q, k and v.

    Give one object to the layers that may read the same tensor. For each thread it holds the values
    of the last input only, and only while that input lives.
    """

    def __init__(self) -> None:
        self._threads = threading.local()

    def values(self, x: torch.Tensor, reader: "QuantizedLinear") -> torch.Tensor:
        """Return `reader.scheme.activation(x)`, from the layer before if that had the same input.

        The same is the same tensor with the same bits in it, with the same place in the graph of
        gradients and the same `Scheme.activation_key`. The bits are compared with a copy, so a
        write is seen however it was done. What a layer is given twice is quantized anew.
        """
        scheme = reader.scheme
        if scheme.activation_key is None or x.is_meta:
            return scheme.activation(x)
        traced = torch.is_grad_enabled() and x.requires_grad
        graph = (x.grad_fn, x._version) if traced else None
        state = (torch.is_grad_enabled(), x.requires_grad, graph, scheme.activation_key)
        last: _Last = getattr(self._threads, "last", None) or _Last()
        values, bits = last.values, last.bits
        alike = values is not None and bits is not None and last.input() is x
        if alike and reader not in last.readers and last.state == state:
            now = _bits(x)
            if now.dtype == bits.dtype and torch.equal(now, bits):
                scheme.meter.repeat_activation(last.meter)
                last.readers.add(reader)
                return values
        last = _Last(bits=_bits(x).clone(), state=state, meter=scheme.meter)
        last.values = values = scheme.activation(x)
        last.input = weakref.ref(x, last.forget)
        last.readers.add(reader)
        self._threads.last = last
        return values

    def __deepcopy__(self, memo: dict[int, object]) -> "SharedInput":
        """Return one without an input, for the layers of a copied model."""
        return SharedInput()

    def __reduce__(self) -> tuple[type["SharedInput"], tuple[()]]:
        """Leave the input out of a pickled model."""
        return SharedInput, ()


def _bits(x: torch.Tensor) -> torch.Tensor:
    """Return the patterns of a tensor's elements as integers, which compare as bits do."""
    integers = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return x.detach().contiguous().view(integers[x.element_size()])


class QuantizedLinear(nn.Module):
    """A linear layer whose weight is quantized once, and whose input is at every pass.

    Parameters
    ----------
    linear : nn.Linear
        Its weight and bias may be FP32, FP16 or BF16.
    scheme : Scheme
        Of this layer alone.
    shared : SharedInput, optional
        Shared with the layers that may read the same input; without it, nothing is.
    keep : bool
        Whether to keep `linear` itself, as `original`. It is no module of the layer, so it is in no
        state dict, and no optimizer sees a weight that nothing reads.

    Attributes
    ----------
    mode : {"fake", "exact"}
        In "fake" mode the FP32 product of the quantized values, which differs from the machine's
        result by no more than `golden.torch.fake_bound`. In "exact" mode the bits of `golden.gemm`,
        FP32 bias and rounding to the output's dtype included; computed on the host, and without
        gradients.
    weight : Tensor of float32, shape (N, K)
        The values of the quantized weight, in the scheme's order of K. Like the bias it stays in
        FP32 when the module is cast, since the values are what they are. It says what `codes` say
        and is only to be read: a write is told by the next pass, a state dict with another is
        refused.
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
        self._kept = (linear,) if keep else ()
        self.mode: Mode = "fake"
        with torch.no_grad():
            values = scheme.weight(linear.weight).contiguous()
            self.register_buffer("quantized_weight", values)
            bias = None if linear.bias is None else linear.bias.float().clone()
            self.register_buffer("bias", bias)
        encode = getattr(scheme, "codes", None)
        self.codes: MXTensor | None = None if encode is None else encode(linear.weight)
        self._seal = Seal(self.weight)

    @property
    def weight(self) -> torch.Tensor:
        """The values of the quantized weight, to be read.

        A state dict calls them `quantized_weight`: in the scheme's order of K they are no weight of
        a plain layer.
        """
        return self.quantized_weight

    @weight.setter
    def weight(self, weight: torch.Tensor) -> None:
        raise ValueError(
            "the weight of a quantized layer is frozen: build the model anew, change its weights, "
            "and quantize it afterwards"
        )

    @property
    def original(self) -> nn.Linear | None:
        """The layer that was quantized, if it was kept; on the device and in the dtype of now."""
        return self._kept[0] if self._kept else None

    def hold(self, weight: torch.Tensor, codes: MXTensor) -> None:
        """Take the values and the codes of a weight that was quantized elsewhere."""
        with torch.no_grad():
            self.weight.copy_(weight)
        self.codes, self._seal = codes, Seal(self.weight)

    def check_weight(self) -> None:
        """Raise a ValueError if the weight was written to since it was quantized."""
        if not self._seal.holds(self.weight):
            raise ValueError(
                "the weight of a quantized layer was written to, and its codes know nothing of "
                "that: build the model anew, change its weights, and quantize it afterwards"
            )

    @torch.compiler.disable  # it counts, shares and asks, which a graph cannot
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply: (..., K) to (..., N)."""
        self._check_input(x)
        self.check_weight()
        self.scheme.meter.repeat_weight()
        bias, correction = self.bias, self.scheme.correction
        if correction is not None:
            correction = correction.to(x.device)
            bias = correction if bias is None else bias + correction
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if self.mode == "exact":
            return self._exact(x.detach(), bias)
        shared = self.shared
        values = self.scheme.activation(x) if shared is None else shared.values(x, self)
        with torch.autocast(x.device.type, enabled=False):
            return nn.functional.linear(values, self.weight, bias).to(x.dtype)

    def _check_input(self, x: torch.Tensor) -> None:
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"a quantized layer multiplies torch tensors, not {type(x).__name__}")
        if x.dim() < 1 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"a layer of {self.in_features} inputs cannot multiply a tensor of shape "
                f"{tuple(x.shape)}"
            )

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
        before = {name: getattr(self, name) for name in ("quantized_weight", "bias")}
        super()._apply(fn, recurse)
        if self.original is not None:
            self.original._apply(fn, recurse)
        for name, buffer in before.items():
            if buffer is not None and getattr(self, name).dtype != buffer.dtype:
                setattr(self, name, buffer.to(getattr(self, name).device))
        return self

    def _load_from_state_dict(
        self, state: dict[str, torch.Tensor], prefix: str, *rest: Any
    ) -> None:
        """Refuse another weight, or another bias where `original` keeps one of its own."""
        self.check_state(state, prefix)
        super()._load_from_state_dict(state, prefix, *rest)

    def check_state(self, state: Mapping[str, torch.Tensor], prefix: str) -> None:
        """Raise a ValueError if a state dict has another weight for the layer than it holds.

        Parameters
        ----------
        state : mapping of str to Tensor
        prefix : str
            Of the layer's tensors in it.
        """
        fixed = {"weight": None, "quantized_weight": self.quantized_weight}
        if self._kept and self.bias is not None:
            fixed["bias"] = self.bias
        for name, own in fixed.items():
            given = state.get(f"{prefix}{name}")
            if given is not None and (own is None or not torch.equal(given.to(own.device), own)):
                raise ValueError(
                    f"{prefix}{name} cannot be loaded into a quantized layer: load weights into "
                    "the model before quantize_, or a file of save_quantized with load_quantized"
                )

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
