"""A linear layer whose GEMM is quantized."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from golden.floats import add, narrow
from golden.formats import BF16, FP16
from golden.mx import MXTensor
from golden.torch.codes import check_layout
from golden.torch.fake import straight_through
from golden.torch.held import FROZEN, HeldWeight, is_plain, same_bits
from golden.torch.scheme import Scheme
from golden.torch.shared_input import SharedInput

Mode = Literal["fake", "exact"]
MODES = ("fake", "exact")


class WithoutWeights(OrderedDict):
    """A state dict to be filled, in which quantized layers leave out their weights."""


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
    codes : MXTensor, shape (N, K), optional
        The weight, where it was quantized before; that of `linear` is not looked at then.

    Attributes
    ----------
    mode : {"fake", "exact"}
        In "fake" mode the FP32 product of the quantized values, which differs from the machine's
        result by no more than `golden.torch.fake_bound`. In "exact" mode the bits of `golden.gemm`,
        FP32 bias and rounding to the output's dtype included, computed on the host; their gradient
        is that of the fake mode, which is computed beside them where one is asked for.
    bias : Tensor of float32, shape (N,), or None
        A buffer. It stays in FP32 when the module is cast.

    Notes
    -----
    The weight is frozen: gradients go straight through the rounding of the input, and end there. A
    pass with gradients in training mode says so, in a warning.
    A gradient of the bias can be had by ``layer.bias.requires_grad_()``.

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
        codes: MXTensor | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.training = linear.training
        self.scheme = scheme
        self.shared = shared
        self._kept = (linear,) if keep else ()
        self.mode: Mode = "fake"
        with torch.inference_mode(False), torch.no_grad():  # a pass with gradients may be next
            if codes is None:
                values, encode = scheme.weight(linear.weight), getattr(scheme, "codes", None)
                codes = None if encode is None else encode(linear.weight)
            else:
                values = scheme.take_codes(codes).to(linear.weight.device)
            bias = None if linear.bias is None else linear.bias.float().clone()
            self.register_buffer("bias", bias)
            self._first_bias = bias.cpu().clone() if keep and bias is not None else None
        self._held = HeldWeight(values, codes)

    @property
    def weight(self) -> torch.Tensor:
        """The values of the quantized weight to be read: float32, (N, K), in the scheme's K order.

        They are made at the first call, take 4 bytes each, and are compared with what the layer
        multiplies from then on: a write is told by the next pass. A state dict has them as
        `quantized_weight`, since in the scheme's order of K they are no weight of a plain layer.
        """
        return self._held.shown

    @property
    def codes(self) -> MXTensor | None:
        """The weight as the machine holds it, (N, K), where the scheme is one of MX formats."""
        return self._held.codes

    @property
    def original(self) -> nn.Linear | None:
        """The layer that was quantized, if it was kept; on the device and in the dtype of now."""
        return self._kept[0] if self._kept else None

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse another weight, and a bias that is not FP32."""
        if name in ("weight", "quantized_weight"):
            raise ValueError(FROZEN)
        if name == "bias" and isinstance(value, torch.Tensor) and value.dtype != torch.float32:
            raise TypeError(
                f"the bias of a quantized layer is of float32, not of {value.dtype}: give "
                "bias.float()"
            )
        super().__setattr__(name, value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Refuse to train the weight; to freeze it changes nothing.

        Raises
        ------
        ValueError
            If a gradient is asked for.
        """
        if requires_grad:
            raise ValueError(FROZEN)
        if self.original is not None:
            self.original.requires_grad_(False)
        if self.bias is not None and self.bias.is_leaf:
            self.bias.requires_grad_(False)
        return super().requires_grad_(False)

    def check_weight(self) -> None:
        """Raise a ValueError if what `weight` showed was written to, or is to be trained."""
        self._held.check()

    def check_bias(self) -> None:
        """Raise a ValueError if `original` was kept and has another bias by now."""
        if self.original is None:
            return
        bias, own, first = (
            None if each is None else each.detach().cpu()
            for each in (self.bias, self.original.bias, self._first_bias)
        )
        if bias is None or own is None:
            is_kept = bias is own
        else:
            is_first = first is not None and same_bits(bias, first)
            is_kept = is_first or same_bits(bias.to(own.dtype), own)
        if not is_kept:
            raise ValueError(
                "the bias of a quantized layer was changed, and the layer that was kept has the "
                "old one, or none: give the layer's original.bias the same if it is to stay, or "
                "change it back"
            )

    @torch.compiler.disable  # it counts, shares and asks, which a graph cannot
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply: (..., K) to (..., N)."""
        x = self._checked(x)
        self.check_weight()
        if self.training and torch.is_grad_enabled():
            warnings.warn(f"a pass in training mode, but {FROZEN}", stacklevel=2)
        self.scheme.meter.repeat_weight()
        bias, correction = self.bias, self.scheme.correction
        if correction is not None:
            correction = correction.to(x.device)
            bias = correction if bias is None else bias + correction
        if self.mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if self.mode == "fake":
            return self._fake(x, bias)
        exact = self._exact(x.detach(), bias)
        is_traced = x.requires_grad or (bias is not None and bias.requires_grad)
        if not (is_traced and torch.is_grad_enabled()):
            return exact
        return straight_through(self._fake(x, bias), exact).clone()  # a view takes no write

    def _checked(self, x: torch.Tensor) -> torch.Tensor:
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"a quantized layer multiplies torch tensors, not {type(x).__name__}")
        check_layout(x)
        if not x.is_floating_point():
            raise TypeError(f"a quantized layer multiplies floating-point numbers, not {x.dtype}")
        if x.dim() < 1 or x.shape[-1] != self.in_features:
            raise ValueError(
                f"a layer of {self.in_features} inputs cannot multiply a tensor of shape "
                f"{tuple(x.shape)}"
            )
        return x

    def _fake(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        shared = self.shared
        values = self.scheme.activation(x) if shared is None else shared.values(x, self)
        with torch.autocast(x.device.type, enabled=False):
            return self._held.multiply(values, bias).to(x.dtype)

    def _exact(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        codes = self.codes
        if codes is None and self.original is None:
            raise TypeError(
                f"{type(self.scheme).__name__} needs the original weight for its exact mode: "
                "quantize with keep=True"
            )
        product = self.scheme.exact(x, self.original.weight if codes is None else codes)
        product = product.cpu().numpy()
        if bias is not None:
            product = add(product, bias.detach().cpu().numpy())
        return _narrowed(product, x.dtype).to(x.device)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """Move with the module, but undo a cast. The weight takes nothing from `fn` but a place."""
        bias = self.bias
        values = None if bias is None else bias.detach()
        super()._apply(fn, recurse)
        if self.original is not None:
            self.original._apply(fn, recurse)
        if values is not None and self.bias.dtype != values.dtype:
            if self.bias is bias:  # a parameter, which has other data now
                bias.data = values.to(bias.device)
            else:
                self.bias = bias.to(self.bias.device)
        self._held.move(fn(torch.empty(0, device=self._held.device)).device)
        return self

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Save the values of the weight too, but for `save_quantized`, which has the codes."""
        if not isinstance(destination, WithoutWeights):
            destination[f"{prefix}quantized_weight"] = self.weight
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(
        self, state: dict[str, torch.Tensor], prefix: str, *rest: Any
    ) -> None:
        """Refuse another weight, or another bias where `original` keeps one of its own."""
        self.check_state(state, prefix)
        own = {name: each for name, each in state.items() if name != f"{prefix}quantized_weight"}
        bias = own.get(f"{prefix}bias")
        if bias is not None:  # it may come to be the layer's own
            own[f"{prefix}bias"] = bias.float()
        _, strict, missing, *_ = rest
        if strict and f"{prefix}quantized_weight" not in state:
            missing.append(f"{prefix}quantized_weight")
        super()._load_from_state_dict(own, prefix, *rest)

    def check_state(self, state: Mapping[str, torch.Tensor], prefix: str) -> None:
        """Raise a ValueError if a state dict has another weight for the layer than it holds.

        Or another bias, where `original` keeps one, or as a bias no numbers at all.

        Parameters
        ----------
        state : mapping of str to Tensor
        prefix : str
            Of the layer's tensors in it.
        """
        given = {name: state.get(f"{prefix}{name}") for name in ("weight", "quantized_weight")}
        refused = [name for name, each in given.items() if each is not None]
        if refused == ["quantized_weight"] and self._held.holds(given["quantized_weight"]):
            refused = []
        bias = state.get(f"{prefix}bias")
        if self.bias is not None and bias is not None:
            fits = is_plain(bias)
            if fits and self._kept:
                fits = same_bits(bias.to(self.bias), self.bias)
            refused += [] if fits else ["bias"]
        if refused:
            raise ValueError(
                f"{prefix}{refused[0]} cannot be loaded into a quantized layer: load weights into "
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
