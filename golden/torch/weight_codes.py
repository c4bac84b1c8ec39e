"""Codes of a weight that come from elsewhere: what they take, and whether a precision makes such.

What quantized the weight is gone by then, so its numbers cannot be asked; but formats, and how many
blocks a policy marks, and in which units, can be seen from the codes.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from golden.formats import MX4, MX6, MX9, MXFormat
from golden.mx import MXTensor
from golden.policy import Policy
from golden.torch.precision import Precision
from golden.torch.selection import outlier_blocks

_LARGEST = 0x7F7FFFFF
"""Pattern of FP32's largest number."""

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
    if expected == "mixed" and not np.array_equal(codes.is_mx9, _tags(codes, precision, outliers)):
        raise ValueError("other blocks are MX9 than its scheme chooses")
    if outliers is not None and expected == "mixed":
        for fmt, blocks in zip(precision.weights, (~outliers, outliers), strict=True):
            if fmt == MX4 and np.any(codes.mantissa[:, blocks] & 3):
                raise ValueError("blocks that its scheme makes MX4 have finer mantissas")


def _tags(codes: MXTensor, policy: Policy, outliers: Outliers) -> NDArray[np.bool_]:
    """Return which blocks are MX9 if the policy finds the marked blocks large, the others zero."""
    if outliers is not None:
        ordinary, outlier = (fmt == MX9 for fmt in policy.weights)
        return np.broadcast_to(np.where(outliers, outlier, ordinary), codes.is_mx9.shape)
    magnitudes = torch.from_numpy(codes.is_mx9.astype(np.int32) * _LARGEST)
    return outlier_blocks(magnitudes, policy).numpy()
