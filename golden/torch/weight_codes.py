"""Codes of a weight that come from elsewhere: what they take, and whether a precision makes such.

The numbers that were quantized are gone by then. What is seen from the codes are the formats, how
many blocks are MX9, in which units, and between which bounds the largest number of a block was. So
a share of the largest blocks is known by their count, not by their being the largest.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from golden.encode import NAN_EXPONENT
from golden.formats import MX4, MX6, MX9, MXFormat
from golden.mx import MXTensor
from golden.policy import Policy
from golden.torch.precision import Precision
from golden.torch.selection import outlier_blocks

_INFINITY, _MAGNITUDE_OF_NAN = 0x7F800000, 0x7FFFFFFF
"""Patterns of FP32's infinity, and of the NaN that counts as larger than any."""

Outliers = NDArray[np.bool_] | None


def outlier_bits(outliers: NDArray[np.bool_], policy: Policy) -> float:
    """Return the mean bits per element of a weight whose outlier K-blocks are known."""
    ordinary, outlier = (fmt.bits_per_element for fmt in policy.weights)
    return ordinary + (outlier - ordinary) * float(outliers.mean())


def stored_bits(codes: MXTensor, precision: Precision, outliers: Outliers) -> float:
    """Return the bits that a weight takes, as they were counted when it was quantized."""
    elements = codes.shape[0] * codes.shape[1]
    if isinstance(precision, MXFormat):
        return precision.bits_per_element * elements
    if outliers is not None:
        return outlier_bits(outliers, precision) * elements
    low, high = MX6.bits_per_element, MX9.bits_per_element
    return elements * (low + codes.mx9_share * (high - low))


def check_weight_codes(codes: MXTensor, precision: Precision, outliers: Outliers) -> None:
    """Raise a ValueError unless the precision of a scheme can have made the codes.

    Parameters
    ----------
    codes : MXTensor, shape (N, K)
        Blocked along K.
    precision : MXFormat or Policy
        Of B.
    outliers : ndarray of bool, shape (K-blocks,), optional
    """
    if isinstance(precision, MXFormat):
        expected = precision
    elif outliers is not None and precision.weights[0] == precision.weights[1]:
        expected = precision.weights[0]
    else:
        expected = "mixed"
    if codes.format != expected:
        name = expected if isinstance(expected, str) else expected.name
        raise ValueError(f"its blocks are {codes.format_name}, but its scheme makes {name}")
    if outliers is not None and outliers.shape != codes.is_mx9.shape[-1:]:
        raise ValueError(f"it has {codes.is_mx9.shape[-1]} K-blocks, but {len(outliers)} tags")
    if expected == "mixed" and not _may_choose(codes, precision, outliers):
        raise ValueError("other blocks are MX9 than its scheme chooses")
    if outliers is not None and expected == "mixed":
        for fmt, blocks in zip(precision.weights, (~outliers, outliers), strict=True):
            if fmt == MX4 and np.any(codes.mantissa[:, blocks] & 3):
                raise ValueError("blocks that its scheme makes MX4 have finer mantissas")


def _may_choose(codes: MXTensor, policy: Policy, outliers: Outliers) -> bool:
    """Return whether the policy, or outliers that are known, can have chosen the MX9 blocks."""
    chosen = codes.is_mx9
    if outliers is not None:
        ordinary, outlier = (fmt == MX9 for fmt in policy.weights)
        return bool(np.all(chosen == np.where(outliers, outlier, ordinary)))
    # If the chosen blocks are large, and all others zero, the same units are chosen.
    as_chosen = chosen.astype(np.int32) * _MAGNITUDE_OF_NAN
    bounds = _largest_magnitudes(codes) if policy.selection == "threshold" else ()
    is_possible = np.array_equal(_select(as_chosen, policy), chosen)
    for bound, is_least in zip(bounds, (True, False), strict=False):
        marked = _select(bound, policy)
        is_possible &= not np.any(marked & ~chosen if is_least else chosen & ~marked)
    return is_possible


def _select(magnitudes: NDArray[np.int32], policy: Policy) -> NDArray[np.bool_]:
    return outlier_blocks(torch.from_numpy(magnitudes), policy).numpy()


def _largest_magnitudes(codes: MXTensor) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return FP32 patterns between which the largest number of each block was.

    A value is off by at most half a step, or, where it is saturated, by less than a step. Zero
    blocks may have had subnormals, and blocks of NaNs infinities or NaNs.
    """
    point = np.where(codes.is_mx9, MX9.mantissa_bits, MX6.mantissa_bits)[..., None] - 1
    top = codes.exponent.astype(np.int32)[..., None] - 127 - codes.microexponent
    power = np.repeat(top, 2, axis=-1) - point
    bounds = []
    for offset, infinite, of_nans in (
        (-0.5, -np.inf, _INFINITY),
        (1.0, np.inf, _MAGNITUDE_OF_NAN),
    ):
        bound = np.ldexp(codes.mantissa + offset, power).max(axis=-1).clip(0)
        if offset > 0:
            bound = np.maximum(bound, 2.0**-126)
        with np.errstate(over="ignore"):  # beyond FP32's largest number there is an infinity
            near = bound.astype(np.float32)
        pattern = np.nextafter(near, np.float32(infinite)).view(np.int32)
        pattern = np.where(pattern < 0, 0, pattern)
        bounds.append(np.where(codes.exponent == NAN_EXPONENT, of_nans, pattern))
    return bounds[0].astype(np.int32), bounds[1].astype(np.int32)
