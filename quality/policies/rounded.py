"""Weights that were rounded beforehand."""

from typing import Any

import torch
from torch import Tensor

from golden.mx import MXTensor
from golden.torch import MXScheme


class RoundedScheme(MXScheme):
    """A linear layer's scheme that takes its weight's values from the calibration.

    They are values of the formats already, so the machine holds just these, and quantizing them
    changes nothing.

    Parameters
    ----------
    a, b, **named
        As of `MXScheme`.
    values : Tensor, float32, shape (N, K)
        In natural order of K.
    """

    def __init__(self, a: Any, b: Any, *, values: Tensor, **named: Any) -> None:
        super().__init__(a, b, **named)
        self._values = values

    def weight(self, b: Tensor) -> Tensor:
        """Return the rounded values in place of the weight's; see `Scheme.weight`."""
        return super().weight(self._in_place_of(b))

    def codes(self, b: Tensor) -> MXTensor:
        """Return the codes of the rounded values; see `MXScheme.codes`."""
        return super().codes(self._in_place_of(b))

    def exact(self, a: Tensor, b: Tensor | MXTensor) -> Tensor:
        """Return the bits of `golden.gemm` with the rounded values."""
        return super().exact(a, b if isinstance(b, MXTensor) else self.codes(b))

    def _in_place_of(self, b: Tensor) -> Tensor:
        if b.shape != self._values.shape:
            raise ValueError(
                f"the calibration has a weight of shape {tuple(self._values.shape)} for a layer "
                f"with {tuple(b.shape)}: it is of another model"
            )
        return self._values.to(b.device, torch.float32)
