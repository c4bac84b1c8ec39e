"""A `golden.torch.Scheme` of two uniform quantizers, which the baselines share."""

from collections.abc import Hashable

import torch
from torch import Tensor

from golden.torch import Meter
from quality.baselines.uniform import Uniform


class UniformScheme:
    """Quantize both operands of a GEMM to integers, rows on their own.

    Parameters
    ----------
    activation, weight : Uniform
        Quantizers of A's and of B's rows.

    Attributes
    ----------
    meter : Meter
        Counts codes, scales and zero points.
    correction : None
        No bias is corrected.
    """

    correction: Tensor | None = None

    def __init__(self, activation: Uniform, weight: Uniform) -> None:
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
        """Refuse: the accelerator multiplies MX numbers only.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "the accelerator has no integer formats: compare baselines in the mode 'fake'"
        )


class StraightThrough(torch.autograd.Function):
    """Apply a quantizer, with the gradient of the identity."""

    @staticmethod
    def forward(ctx: object, x: Tensor, quantizer: Uniform) -> Tensor:
        """Return the quantized values of `x` in float32."""
        ctx.dtype = x.dtype
        return quantizer(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient as it is."""
        return gradient.to(ctx.dtype), None
