"""A `golden.torch.Scheme` of two quantizers, which the baselines share."""

from collections.abc import Hashable
from typing import Protocol

import torch
from torch import Tensor

from golden.torch import Meter


class Quantizer(Hashable, Protocol):
    """What a number format does to an operand, along its last axis.

    Attributes
    ----------
    name : str
        What the format is called in sentences.
    """

    @property
    def name(self) -> str: ...

    def stored_bits(self, shape: torch.Size) -> int:
        """Return the bits of a tensor of `shape`, its scales and zero points included."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """Return the quantized values of `x`, of its shape, in float32."""
        ...


class BaselineScheme:
    """Quantize both operands of a GEMM to formats that the accelerator does not have.

    Parameters
    ----------
    activation, weight : Quantizer
        Of A and of B.

    Attributes
    ----------
    meter : Meter
        Counts codes, scales and zero points.
    correction : None
        No bias is corrected.
    """

    correction: Tensor | None = None

    def __init__(self, activation: Quantizer, weight: Quantizer) -> None:
        self._activation, self._weight = activation, weight
        self.meter = Meter()

    @property
    def activation_key(self) -> Hashable | None:
        """What layers that quantize an input alike have in common."""
        return self._activation

    def activation(self, a: Tensor) -> Tensor:
        """Return the quantized values of A, (..., M, K), in float32."""
        self.meter.add_activation(a.numel(), self._activation.stored_bits(a.shape))
        return StraightThrough.apply(a, self._activation)

    def weight(self, b: Tensor) -> Tensor:
        """Return the quantized values of B, (..., N, K), in float32."""
        self.meter.add_weight(b.numel(), self._weight.stored_bits(b.shape))
        return StraightThrough.apply(b, self._weight)

    def exact(self, a: Tensor, b: Tensor) -> Tensor:
        """Refuse: the accelerator multiplies MX9, MX6 and MX4 only.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            f"the accelerator has no {self._activation.name}: compare baselines in the mode 'fake'"
        )


class StraightThrough(torch.autograd.Function):
    """Apply a quantizer, with the gradient of the identity."""

    @staticmethod
    def forward(ctx: object, x: Tensor, quantizer: Quantizer) -> Tensor:
        """Return the quantized values of `x` in float32."""
        ctx.dtype = x.dtype
        return quantizer(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient as it is."""
        return gradient.to(ctx.dtype), None
