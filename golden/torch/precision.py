"""The precision of one operand: a format, or a policy of which blocks get which."""

from collections.abc import Hashable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from golden.formats import MXFormat
from golden.mx import MXTensor, quantize
from golden.policy import Policy
from golden.precision import apply_policy

Precision = MXFormat | Policy
"""One format for a whole operand, or MX9 for its outlier blocks and MX6 for the others."""


def quantized(x: NDArray[np.float32], precision: Precision) -> MXTensor:
    """Quantize (..., K) along the last axis by the definition of `golden`."""
    return apply_policy(x, precision) if isinstance(precision, Policy) else quantize(x, precision)


def natural(precision: Precision) -> Precision:
    """Return a precision for channels that are in order already."""
    if isinstance(precision, MXFormat) or precision.order == "natural":
        return precision
    return replace(precision, order="natural", permutation=None)


def contents(precision: Precision) -> Hashable:
    """Return what a precision consists of; policies themselves compare by identity."""
    if isinstance(precision, MXFormat):
        return precision
    values = (getattr(precision, field.name) for field in fields(precision))
    return tuple(
        (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for value in values
    )


def common_order(a: Precision, b: Precision) -> NDArray[np.intp] | None:
    """Return the order of K that two operands share; a plain format follows the other operand.

    Raises
    ------
    ValueError
        If there are two.
    """
    orders = [
        each.permutation if each.order == "calibrated" else None
        for each in (a, b)
        if isinstance(each, Policy)
    ]
    if not orders:
        return None
    if not same(orders[0], orders[-1]):
        raise ValueError("the policies of a and b must order the channels of K alike")
    return None if orders[0] is None else orders[0].copy()  # torch warns of read-only arrays


def same(x: NDArray[np.generic] | None, y: NDArray[np.generic] | None) -> bool:
    """Return whether both arrays are missing, or equal."""
    return x is y or (x is not None and y is not None and np.array_equal(x, y))


def matrices(tensor: MXTensor, count: int) -> list[MXTensor]:
    """Split a tensor (..., rows, K) into `count` matrices of as many rows each."""
    rows = int(np.prod(tensor.shape[:-1])) // count
    codes = {
        name: getattr(tensor, name)
        for name in ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    }
    lead = len(tensor.shape) - 1
    parts = {name: code.reshape(count, rows, *code.shape[lead:]) for name, code in codes.items()}
    return [
        MXTensor(
            tensor.format,
            (rows, tensor.shape[-1]),
            1,
            **{name: part[i] for name, part in parts.items()},
        )
        for i in range(count)
    ]
