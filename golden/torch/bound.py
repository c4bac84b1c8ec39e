"""How far the fake mode of a quantized product can be from its exact mode."""

import torch

from golden.accumulator import (
    DEFAULT_ACC_WIDTH,
    DEFAULT_K_MAX,
    MOST_BEATS,
    PRODUCT_POINT,
    fraction_bits,
)
from golden.formats import BLOCK_SIZE

_UNIT = 2.0**-24
"""Largest relative error of an FP32 operation."""


def fake_bound(
    a: torch.Tensor,
    b: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    acc_width: int = DEFAULT_ACC_WIDTH,
    k_max: int = DEFAULT_K_MAX,
) -> torch.Tensor:
    """Return the largest difference between FP32 products of quantized values and the machine's.

    Parameters
    ----------
    a : Tensor, shape (..., M, K)
        Finite values that an `MXScheme` made of A.
    b : Tensor, shape (..., N, K)
        Of B.
    bias : Tensor, shape (N,), optional
    acc_width, k_max : int
        Of the machine; see `golden.gemm`.

    Returns
    -------
    Tensor of float64, shape (..., M, N)
        Of results in FP32. Those in FP16 or BF16 are rounded once more, each to its nearest number.

    Notes
    -----
    The products of MX values are exact in FP32, unless they leave its normal numbers. Added in any
    order, K of them and a bias err by at most ``g(K) * (|A| @ |B|^T + |bias|)`` with ``g(n) = n * u
    / (1 - n * u)`` and u = 2**-24 (Higham, Accuracy and Stability of Numerical Algorithms, section
    4.2). The machine rounds each beat to its accumulator's last place, at most 4 per block of K by
    half a place each, then the sum and its sum with the bias to FP32.
    """
    a, b = a.double(), b.double()
    blocks = -(-a.shape[-1] // BLOCK_SIZE)
    place = _anchor(a)[..., :, None] * _anchor(b)[..., None, :]
    place = place * 2.0 ** -(PRODUCT_POINT + fraction_bits(acc_width, k_max))
    accumulated = MOST_BEATS * blocks * place / 2
    total = a.abs() @ b.abs().mT + accumulated
    if bias is not None:
        total = total + bias.double().abs()
    roundings = a.shape[-1] + 2
    growth = roundings * _UNIT / (1 - roundings * _UNIT)
    return growth * total + accumulated + a.shape[-1] * 2.0**-149 + 2.0**-126


def _anchor(x: torch.Tensor) -> torch.Tensor:
    """Return 2**(largest shared exponent) of every line, that of its largest number."""
    largest = x.abs().amax(-1)
    return torch.where(largest > 0, torch.exp2(torch.frexp(largest).exponent - 1.0), 0.0)
