"""Tensors whose blocks differ in precision."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import flags
from golden.floats import widen
from golden.formats import BLOCK_SIZE, MX6, MX9, FloatFormat
from golden.mx import MXTensor, check_rounding, quantize
from golden.policy import Policy, check_policy, outlier_blocks, permute

MIXED_ROUNDINGS = ("half_even", "truncate")
"""Those that leave the same signs, exponents and microexponents, and bits that anyone can repeat,
in both formats of a mixed tensor."""


def mix(ordinary: MXTensor, outlier: MXTensor, chosen: NDArray[np.bool_]) -> MXTensor:
    """Take chosen blocks from one tensor and all others from another.

    Parameters
    ----------
    ordinary, outlier : MXTensor
        The same numbers in two formats, so with the same shared exponents, microexponents and
        signs.
    chosen : ndarray of bool, shape (..., blocks)
        Blocks to take from `outlier`.

    Returns
    -------
    MXTensor
        Mixed. Blocks that are not MX9 hold 4-bit mantissas in MX6's step, MX4's with two zeros
        appended.
    """
    is_mx9 = np.where(chosen, outlier.format == MX9, ordinary.format == MX9)
    mantissa = np.where(chosen[..., None], outlier.aligned_mantissa, ordinary.aligned_mantissa)
    return MXTensor(
        format="mixed",
        shape=ordinary.shape,
        axis=ordinary.axis,
        exponent=ordinary.exponent,
        microexponent=ordinary.microexponent,
        mantissa=mantissa,
        sign=ordinary.sign,
        is_mx9=is_mx9,
    )


def apply_policy(
    x: ArrayLike,
    policy: Policy,
    rounding: str = "half_even",
    float_format: FloatFormat | None = None,
) -> MXTensor:
    """Quantize an activation with outlier blocks in MX9 and the others in MX6.

    Parameters
    ----------
    x : array_like, shape (..., rows, K) or (K,)
        Floats or their bits; blocks run along the last axis.
    policy : Policy
    rounding : {"half_even", "truncate"}
    float_format : FloatFormat, optional
        Of `x` where that holds bits.

    Returns
    -------
    MXTensor
        Mixed, its channels in the policy's order. Its ``mx9_share`` is the real share of MX9
        blocks. Without elements it has no blocks.

    Raises
    ------
    TypeError
        If `x` holds no floats, or the policy is none.
    ValueError
        If the policy does not fit the shape, or the rounding does not exist.
    """
    check_policy(policy)
    check_rounding(rounding, choices=MIXED_ROUNDINGS)
    wide = permute(widen(x, float_format), policy)
    chosen = outlier_blocks(wide, replace(policy, order="natural"))
    return mix(
        quantize(wide, MX6, rounding=rounding), quantize(wide, MX9, rounding=rounding), chosen
    )


def convert(
    x: ArrayLike,
    policy: Policy,
    *,
    transposed: bool = False,
    rounding: str = "half_even",
    float_format: FloatFormat | None = None,
) -> MXTensor:
    """Quantize floats to the B of a later GEMM, as the accelerator's CONVERT jobs do.

    Parameters
    ----------
    x : array_like, shape (N, K), or (K, N) if `transposed`
        Floats or their bits. A row is a column of B; if transposed, a row of B. K of Q·K^T arrives
        straight (its rows are the columns of K^T), V of P·V transposed.
    policy : Policy
        Its tile is `tile_rows` columns of B, which must be the columns of the array for the result
        to be the machine's. Its order is that of K.
    transposed : bool
    rounding : {"half_even", "truncate"}
    float_format : FloatFormat, optional
        Of `x` where that holds bits.

    Returns
    -------
    MXTensor
        Mixed, of shape (K, N), blocked along axis 0; `golden.packing.weight_stream` makes the
        machine's packets of it.
    """
    wide = widen(x, float_format)
    if wide.ndim != 2:
        raise ValueError(f"what becomes a weight must be a matrix, not of shape {wide.shape}")
    return apply_policy(wide.T if transposed else wide, policy, rounding).transpose()


def quantize_weight(
    w: ArrayLike,
    outliers: ArrayLike,
    policy: Policy,
    rounding: str = "half_even",
    float_format: FloatFormat | None = None,
) -> MXTensor:
    """Quantize a weight along K with the policy's formats.

    Parameters
    ----------
    w : array_like, shape (K, N)
        Its K in natural order; a calibrated policy permutes it as it does the activation's
        channels.
    outliers : array_like of bool, shape (K-blocks,)
        Which K-blocks are outliers, in the policy's order; bools, or 0 and 1.
    policy : Policy
    rounding, float_format
        As in `apply_policy`.

    Returns
    -------
    MXTensor
        Of shape (K, N), blocked along axis 0; every column has the same precision in a K-block.
    """
    check_policy(policy)
    check_rounding(rounding, choices=MIXED_ROUNDINGS)
    wide = widen(w, float_format)
    if wide.ndim != 2:
        raise ValueError(f"a weight must be a matrix (K, N), not of shape {wide.shape}")
    outliers = flags(outliers, "outliers")
    blocks = -(-wide.shape[0] // BLOCK_SIZE)
    if outliers.shape != (blocks,):
        raise ValueError(
            f"K = {wide.shape[0]} has {blocks} K-blocks, but outliers has shape {outliers.shape}"
        )
    wide = permute(wide, policy, axis=0)
    ordinary, outlier = (quantize(wide, fmt, axis=0, rounding=rounding) for fmt in policy.weights)
    if policy.weights[0] == policy.weights[1]:
        return ordinary
    return mix(ordinary, outlier, np.broadcast_to(outliers, ordinary.is_mx9.shape))
