"""Weights whose rounding to MX6 and MX9 makes up for itself: GPTQ within the format's own codes."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from golden.formats import BLOCK_SIZE, MX6, MX9, MXFormat
from golden.torch import quantize

DAMPING = 1e-3
"""Of the mean diagonal, added to the products of the inputs so that they can be inverted."""

_BIAS = 127


def round_weight(weight: Tensor, products: Tensor, outliers: ArrayLike) -> Tensor:
    """Round a weight so that the layer's outputs, not its weights, change least.

    GPTQ (Frantar et al., ICLR 2023): input channels are rounded one after the other, and what is
    not rounded yet makes up for the error made. A block's shared exponents are fixed when its turn
    comes, so that every result is a value of the format: nothing is left to do for the machine.

    Parameters
    ----------
    weight : Tensor, shape (N, K)
        Its channels in the order in which they will be blocked; those rounded first fare best.
    products : Tensor, shape (K, K)
        Mean of x x^T over the layer's inputs, in the same order; see `Moments.products`.
    outliers : array_like of bool, shape (K-blocks,)
        K-blocks in MX9; the others are MX6.

    Returns
    -------
    Tensor, float32, shape (N, K)
        Values that quantization with these formats leaves as they are.

    Raises
    ------
    ValueError
        If shapes do not fit, or the weight is not finite.
    """
    outliers = np.asarray(outliers, np.bool_)
    channels = weight.shape[-1]
    if products.shape != (channels, channels) or len(outliers) != -(-channels // BLOCK_SIZE):
        raise ValueError(
            f"products {tuple(products.shape)} and {len(outliers)} tags do not fit a weight "
            f"with {channels} input channels"
        )
    if not torch.isfinite(weight).all():
        raise ValueError("a weight with an infinity or a NaN cannot be rounded")
    rest = weight.detach().double().clone()
    spread = _error_spread(products.double())
    for number, is_outlier in enumerate(outliers):
        start = number * BLOCK_SIZE
        stop = min(start + BLOCK_SIZE, channels)
        fmt = MX9 if is_outlier else MX6
        largest = fmt.largest_mantissa
        steps = _steps(rest[:, start:stop].float(), fmt)
        for k in range(start, stop):
            step = steps[:, k - start]
            codes = torch.round(rest[:, k] / step).clamp(-largest, largest)
            error = (rest[:, k] - codes * step) / spread[k, k]
            rest[:, k] = codes * step
            rest[:, k + 1 :] -= error[:, None] * spread[k, k + 1 :]
    return rest.float()


def _error_spread(products: Tensor) -> Tensor:
    """Return the upper Cholesky factor of the inverse, by whose rows errors are passed on."""
    mean = products.diagonal().mean().clamp(min=torch.finfo(torch.float32).tiny)
    damped = products + DAMPING * mean * torch.eye(len(products), device=products.device)
    return torch.linalg.cholesky(torch.linalg.inv(damped), upper=True)


def _steps(block: Tensor, fmt: MXFormat) -> Tensor:
    """Return the distance of neighbouring codes at each element, float64: 2^(E - t - (m - 1))."""
    codes = quantize(block, fmt)
    exponent = codes.exponent.int() - _BIAS - codes.microexponent.int().squeeze(1)
    powers = exponent - (fmt.mantissa_bits - 1)
    wide = torch.ldexp(torch.ones_like(powers, dtype=torch.float64), powers)
    return wide.repeat_interleave(2, dim=1)[:, : block.shape[1]]
