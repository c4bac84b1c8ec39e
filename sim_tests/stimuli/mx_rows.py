"""Rows of MX blocks of any codes, and the beats in which the array has them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import MXTensor
from golden.encode import NAN_EXPONENT
from golden.residual import RESIDUAL_BITS
from sim_tests.stimuli.operands import bits


def random_blocks(rng: np.random.Generator, rows: int, blocks: int) -> MXTensor:
    """Draw a tensor of MX6 and MX9 blocks of any codes, whose exponents are near each other."""
    shape = (rows, blocks)
    top = rng.integers(0, NAN_EXPONENT, (rows, 1))
    span = rng.choice([1, 4, 20, 40, 255], (rows, 1))
    is_mx9 = rng.random(shape) < 0.5
    mantissa = rng.integers(0, 128, (*shape, 16))
    mantissa = np.where(rng.random((*shape, 1)) < 0.2, 127, mantissa)
    mantissa = np.where(is_mx9[..., None], mantissa, mantissa >> RESIDUAL_BITS)
    sign = rng.integers(0, 2, (*shape, 16)) & (rng.random((rows, 1, 1)) < 0.5)
    return MXTensor(
        "mixed", (rows, 16 * blocks), 1,
        np.maximum(0, top - rng.integers(0, span, shape)).astype(np.uint8),
        rng.integers(0, 2, (*shape, 8)).astype(np.uint8), mantissa.astype(np.uint8),
        sign.astype(np.uint8), is_mx9)


def extreme_blocks(rows: int, blocks: int) -> MXTensor:
    """Make a tensor of the largest blocks: rows of positive, negative and alternating signs."""
    shape = (rows, blocks)
    sign = np.zeros((*shape, 16), np.uint8)
    sign[1::3] = 1
    sign[2::3, :, ::2] = 1
    return MXTensor(
        "mixed", (rows, 16 * blocks), 1, np.full(shape, 200, np.uint8),
        np.zeros((*shape, 8), np.uint8), np.full((*shape, 16), 127, np.uint8), sign,
        np.ones(shape, bool))


def with_nan_blocks(tensor: MXTensor, is_nan: NDArray[np.bool_]) -> MXTensor:
    """Put NaN blocks, all else of which is zero, into a tensor."""
    other, each = np.where(is_nan, 0, 1).astype(np.uint8), np.newaxis
    return replace(
        tensor, exponent=np.where(is_nan, NAN_EXPONENT, tensor.exponent).astype(np.uint8),
        microexponent=tensor.microexponent * other[..., each],
        mantissa=tensor.mantissa * other[..., each], sign=tensor.sign * other[..., each])


def beats(tensor: MXTensor, row: int) -> list[dict[str, Any]]:
    """List the beats of a row's blocks: H, and behind it L unless all of it is zero.

    Returns
    -------
    list of dict
        ``fields`` for the operand's layout; ``is_residual``; ``block``, its number; ``adds``, this
        is the block's last beat.
    """
    sign, microexponent = bits(tensor.sign[row]), bits(tensor.microexponent[row])
    base, residual = tensor.base[row], tensor.residual[row]
    has_residual, result = residual.any(axis=1), []
    for block in range(len(base)):
        parts = [base[block], residual[block]][: 1 + has_residual[block]]
        result += [{"fields": {"magnitude": part, "sign": sign[block],
                               "microexponent": microexponent[block]},
                    "is_residual": index, "block": block, "adds": index == len(parts) - 1}
                   for index, part in enumerate(parts)]
    return result
