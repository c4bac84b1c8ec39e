"""Softmax around the product with V: powers of two as MX blocks, their sum, and one over it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import MAGNITUDE_MASK
from golden.formats import MX6, MXFormat
from golden.mx import MXTensor, mx_format
from golden.vector.lane import canonical
from golden.vector.pipe import columns_that_count, pipe
from golden.vector.reciprocal import reciprocal
from golden.vector.statistics import row_maximum
from golden.vector.sums import row_sums


@dataclass(frozen=True)
class Softmax:
    """A softmax whose division is still to come.

    Attributes
    ----------
    p : MXTensor, shape (..., rows, columns)
        2**s, quantized: the A of the product with V.
    sums : ndarray of float32, shape (..., rows)
        Sums of the quantized numbers.
    row_factor : ndarray of float32, shape (..., rows)
        One over the sums, in V24; the row factor of the pipe behind the product with V. +0 where
        the sum is zero.
    saturated : int
        How many numbers exp2 saturated.
    zero_rows : int
        How many sums are zero: rows that are empty, or whose every number is below 2**-126.
    """

    p: MXTensor
    sums: NDArray[np.float32]
    row_factor: NDArray[np.float32]
    saturated: int
    zero_rows: int


def softmax(
    scores: ArrayLike,
    fmt: MXFormat | str = MX6,
    *,
    bias: ArrayLike | None = None,
    subtract_maximum: bool = False,
    mx9_blocks: ArrayLike | None = None,
    valid_columns: ArrayLike | None = None,
    rounding: str = "half_even",
) -> Softmax:
    """Exponentiate scores, quantize them, and sum what they became.

    Parameters
    ----------
    scores : array_like, shape (..., rows, columns)
        Floats of 16 or 32 bits, in units of log2: whoever compiles the model multiplies W_q and its
        bias by log2(e) / sqrt(d).
    fmt : MXFormat or str
        MX6 or MX9.
    bias : array_like, optional
        Added before; one number for a head moves its scores below the limit of `exp2`, and cancels
        in the division.
    subtract_maximum : bool
        The fallback, in a pass over scores in memory: subtract each row's largest valid score, with
        its sign. Then nothing saturates.
    mx9_blocks, valid_columns, rounding
        As in `pipe`. Padding is +0 before blocks and sums are made, and takes no part in the
        maximum.

    Returns
    -------
    Softmax
        A row with a NaN or plus infinity has a NaN block, so a NaN sum, and is NaN behind the
        product. Minus infinity is +0; a row of nothing else is a zero row, but all NaN where the
        maximum is subtracted, as their difference is.

    Raises
    ------
    TypeError, ValueError
        As `pipe` does; also if both a bias is added and the maximum subtracted.
    """
    fmt = mx_format(fmt)
    offset = None
    if subtract_maximum:
        offset = _valid_maximum(canonical(scores), valid_columns)[..., None]
    passed = pipe(
        scores,
        bias=bias,
        row_offset=offset,
        function="exp2",
        output=fmt,
        mx9_blocks=mx9_blocks,
        valid_columns=valid_columns,
        rounding=rounding,
    )
    sums = row_sums(passed.result)
    factor, zero_rows = row_factors(sums)
    return Softmax(passed.result, sums, factor, passed.saturated, zero_rows)


def _valid_maximum(
    scores: NDArray[np.float32], valid_columns: ArrayLike | None
) -> NDArray[np.float32]:
    """Return the largest score of each row that is no padding; minus infinity without any."""
    if valid_columns is None:
        return row_maximum(scores)
    is_valid = columns_that_count(valid_columns, scores.shape)
    return row_maximum(np.where(is_valid, scores, np.float32(-np.inf)))


def row_factors(sums: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return one over sums of rows, in V24, +0 where they are zero, and how many are."""
    is_zero = (sums.view(np.uint32) & MAGNITUDE_MASK) == 0
    return np.where(is_zero, np.float32(0), reciprocal(sums)), int(np.count_nonzero(is_zero))
