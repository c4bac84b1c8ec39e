"""Sums of the rows of quantized tensors: what a softmax is divided by."""

import numpy as np
from numpy.typing import NDArray

from golden.accumulator import round_shift
from golden.encode import NAN_EXPONENT
from golden.floats import from_integer
from golden.formats import BLOCK_SIZE, FP32, MX9
from golden.mx import MXTensor
from golden.residual import RESIDUAL_BITS
from golden.vector.formats import MOST_BLOCKS, SUM_FRACTION_BITS


def row_sums(tensor: MXTensor) -> NDArray[np.float32]:
    """Add up what a quantized tensor holds, along its blocked axis.

    Parameters
    ----------
    tensor : MXTensor
        In any format, blocked along its last axis.

    Returns
    -------
    ndarray of float32, shape ``tensor.shape[:-1]``
        A block's sum D counts units of ``2**(E - 127 - 7)``. A row adds up ``floor(D * 2**16 /
        2**(R - E) + 1/2)``, R being the largest E in it, and the sum is rounded once to FP32. So it
        is exact up to that where all its exponents are within 16 of each other. The order changes
        nothing. A row with a NaN block gives the quiet NaN; a sum of zero, +0.

    Raises
    ------
    ValueError
        If blocks run along another axis, or a row has more than `MOST_BLOCKS`.
    """
    if tensor.axis != len(tensor.shape) - 1:
        raise ValueError(
            f"blocks must run along the last axis to sum rows, not along axis {tensor.axis}"
        )
    exponent = tensor.exponent.astype(np.int64)
    if exponent.shape[-1] > MOST_BLOCKS:
        raise ValueError(f"a row must have at most {MOST_BLOCKS} blocks, not {exponent.shape[-1]}")
    largest = exponent.max(axis=-1, initial=0)
    distance = largest[..., None] - exponent
    total = round_shift(block_sums(tensor), distance, SUM_FRACTION_BITS).sum(axis=-1)
    unit = largest - FP32.bias - MX9.mantissa_bits - SUM_FRACTION_BITS
    return np.where(largest == NAN_EXPONENT, np.float32(np.nan), from_integer(total, unit))


def block_sums(tensor: MXTensor) -> NDArray[np.int64]:
    """Return the sums of blocks, in units of ``2**(E - 127 - 7)``, shape (..., blocks).

    What stands behind the end of a row, in its last block, is not in them.
    """
    to_mx9 = np.where(tensor.is_mx9, 0, RESIDUAL_BITS)[..., None]
    magnitude = tensor.aligned_mantissa.astype(np.int64) << to_mx9
    magnitude = magnitude << (1 - np.repeat(tensor.microexponent.astype(np.int64), 2, axis=-1))
    place = np.arange(magnitude.shape[-2] * BLOCK_SIZE).reshape(-1, BLOCK_SIZE)
    magnitude = np.where(place < tensor.shape[-1], magnitude, 0)
    return np.where(tensor.sign == 1, -magnitude, magnitude).sum(axis=-1)
