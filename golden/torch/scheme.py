"""How the two operands of one GEMM are quantized: the interface.

A is (..., M, K) and B is (..., N, K), both along K, their last axis: C = A @ B^T. Of a linear layer
B is the weight; of Q @ K^T it is K, of P @ V it is V^T.
"""

from collections.abc import Hashable
from typing import Protocol

import torch

from golden.mx import MXTensor
from golden.torch.meter import Meter


class Scheme(Protocol):
    """How the two operands of one GEMM are quantized.

    Attributes
    ----------
    meter : Meter
        Counts the operands as they pass.
    correction : Tensor or None
        float32, shape (N,): what is added to a linear layer's bias. It is read at every pass.
    activation_key : hashable or None
        Schemes whose keys are equal make the same values of the same A, which then is quantized
        once for all layers that read it. With None, nothing is shared.
    """

    meter: Meter

    @property
    def correction(self) -> torch.Tensor | None: ...

    @property
    def activation_key(self) -> Hashable | None: ...

    def activation(self, a: torch.Tensor) -> torch.Tensor:
        """Return the values of A that the machine multiplies, in float32.

        K is in the scheme's own order: it may be permuted, transformed or padded, as long as
        `weight` does the same. The gradient is that of the identity.
        """
        ...

    def weight(self, b: torch.Tensor) -> torch.Tensor:
        """Return the values of B that the machine multiplies, in float32; see `activation`."""
        ...

    def exact(self, a: torch.Tensor, b: torch.Tensor | MXTensor) -> torch.Tensor:
        """Return A @ B^T, (..., M, N) in float32, with the bits that the machine gives.

        Raises
        ------
        TypeError
            If no machine computes this scheme.
        """
        ...
