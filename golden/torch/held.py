"""A weight that was quantized: its values and its codes, where nobody writes to them.

The values of MX formats have at most 8 significant bits, so BF16 holds them exactly, and a pass
widens them. What is shown of them to be read is a copy, which is compared with them before each use
once somebody has asked for it; so a write is told however it was done.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from golden.formats import PAIRS, MXFormat
from golden.mx import MXTensor

FROZEN = (
    "the weight of a quantized layer is frozen, since its codes are what the machine multiplies: "
    "restore_ the model (or build it anew), train or change its weights, and quantize it again"
)

_SIGN = 7
"""Place of a sign above a mantissa of at most 7 bits."""


def bits(x: Tensor) -> Tensor:
    """Return the patterns of a tensor's elements as integers, which compare as bits do."""
    integers = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return x.detach().resolve_neg().contiguous().view(integers[x.element_size()])


def same_bits(x: Tensor, y: Tensor) -> bool:
    """Return whether two tensors of one device hold the same."""
    return x.dtype == y.dtype and x.shape == y.shape and torch.equal(bits(x), bits(y))


def is_plain(given: object) -> bool:
    """Return whether something is a dense tensor of floating-point numbers, and has values."""
    if not isinstance(given, Tensor) or given.is_nested or given.layout != torch.strided:
        return False
    return given.is_floating_point() and not given.is_meta


class HeldWeight:
    """The weight of a quantized layer.

    Parameters
    ----------
    values : Tensor of float32, shape (N, K)
        What a pass multiplies; copied.
    codes : object
        The same as the machine holds it, an MXTensor, or None.
    """

    def __init__(self, values: Tensor, codes: object) -> None:
        with torch.inference_mode(False), torch.no_grad():
            wide = values.detach().float()
            narrow = wide.to(torch.bfloat16, memory_format=torch.contiguous_format)
            exact = not wide.is_meta and same_bits(narrow.float(), wide)
            self._values = narrow if exact else wide.clone(memory_format=torch.contiguous_format)
        self._codes = _Codes.of(codes) if isinstance(codes, MXTensor) else codes

    _shown: Tensor | None = None

    @property
    def shown(self) -> Tensor:
        """A copy of the values to be read, always the same one; `check` looks after it."""
        if self._shown is None:
            with torch.inference_mode(False), torch.no_grad():
                copy = self._values.to(torch.float32, copy=True)
            return vars(self).setdefault("_shown", copy)  # of two threads the first one's
        return self._shown

    @property
    def codes(self) -> object:
        """The codes; arrays of an MXTensor are made for each call, and cannot be written to."""
        return self._codes.unpacked() if isinstance(self._codes, _Codes) else self._codes

    def check(self) -> None:
        """Raise a ValueError if what was shown was written to, or is to be trained."""
        shown = self._shown
        if shown is None or shown.is_meta:
            return
        if shown.requires_grad:
            raise ValueError(f"{FROZEN}; a gradient was asked for, with requires_grad")
        if not same_bits(shown, self._values.to(shown.device, torch.float32)):
            raise ValueError(f"the weight of a quantized layer was written to: {FROZEN}")

    def holds(self, given: object) -> bool:
        """Return whether this is a tensor, wherever it is, that has the same values."""
        return is_plain(given) and same_bits(
            given.to(self.device, torch.float32), self._wide(self.device)
        )

    def multiply(self, a: Tensor, bias: Tensor | None) -> Tensor:
        """Return A @ B^T + bias in FP32. Until `a` has its gradient, no wide weight is kept."""
        device = a.device
        weight = self._wide(device)
        if weight is self._values or not (torch.is_grad_enabled() and a.requires_grad):
            return functional.linear(a, weight, bias)
        address = weight.untyped_storage().data_ptr()

        def pack(saved: Tensor) -> Tensor | tuple[torch.Size, tuple[int, ...]]:
            is_weight = saved.untyped_storage().data_ptr() == address
            return (saved.size(), saved.stride()) if is_weight else saved

        def unpack(kept: Tensor | tuple[torch.Size, tuple[int, ...]]) -> Tensor:
            return kept if isinstance(kept, Tensor) else self._wide(device).as_strided(*kept)

        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            return functional.linear(a, weight, bias)

    def move(self, device: torch.device) -> None:
        """Go to another device."""
        self._values = self._values.to(device)
        if self._shown is not None:
            self._shown = self._shown.to(device)

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        return self._values.device

    @property
    def nbytes(self) -> int:
        """Bytes of all that is held."""
        shown = 0 if self._shown is None else self._shown.nbytes
        return self._values.nbytes + shown + getattr(self._codes, "nbytes", 0)

    def _wide(self, device: torch.device) -> Tensor:
        return self._values.to(device, torch.float32)


@dataclass(frozen=True)
class _Codes:
    """An MXTensor in 19/16 bytes per element: a sign and a mantissa in each, few bits per block."""

    format: MXFormat | Literal["mixed"]
    shape: tuple[int, ...]
    axis: int
    exponent: NDArray[np.uint8]
    microexponent: NDArray[np.uint8]
    mantissa: NDArray[np.uint8]
    is_mx9: NDArray[np.bool_]

    @classmethod
    def of(cls, tensor: MXTensor) -> "_Codes":
        return cls(
            tensor.format,
            tensor.shape,
            tensor.axis,
            np.array(tensor.exponent),
            np.packbits(tensor.microexponent, axis=-1, bitorder="little"),
            tensor.mantissa | (tensor.sign << _SIGN),
            np.array(tensor.is_mx9),
        )

    @property
    def nbytes(self) -> int:
        parts = (self.exponent, self.microexponent, self.mantissa, self.is_mx9)
        return sum(part.nbytes for part in parts)

    def unpacked(self) -> MXTensor:
        micro = np.unpackbits(self.microexponent, axis=-1, count=PAIRS, bitorder="little")
        codes = {
            "exponent": self.exponent.copy(),
            "microexponent": micro,
            "mantissa": self.mantissa & ((1 << _SIGN) - 1),
            "sign": self.mantissa >> _SIGN,
            "is_mx9": self.is_mx9.copy(),
        }
        for array in codes.values():
            array.flags.writeable = False
        return MXTensor(self.format, self.shape, self.axis, **codes)
