"""LayerNorm and RMSNorm with modulation: the statistics of rows, then one pass of the pipe."""

from fractions import Fraction

from numpy.typing import ArrayLike

from golden.arguments import whole
from golden.formats import FP32
from golden.vector.lane import canonical
from golden.vector.pipe import Outcome, Output, pipe
from golden.vector.statistics import RowStatistics, row_mean, row_scale, row_statistics


def layer_norm(
    x: ArrayLike,
    epsilon: float | Fraction,
    *,
    factor: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    output: Output = FP32,
    mx9_blocks: ArrayLike | None = None,
    valid_columns: int | None = None,
    rounding: str = "half_even",
) -> Outcome:
    """Normalize rows to mean 0 and variance 1, and modulate them.

    Parameters
    ----------
    x : array_like, shape (..., rows, columns)
        Floats of 16 or 32 bits.
    epsilon : float or Fraction
        Above zero.
    factor, shift : array_like, shape (..., 1, columns), optional
        What is 1 + scale, and what is added; a weight and a bias of the norm come so too.
    output, mx9_blocks, rounding
        As in `pipe`.
    valid_columns : int, optional
        N, the columns that count, where the others are padding; these leave as +0.

    Returns
    -------
    Outcome
        ``pipe(x, row_offset=mean, row_factor=scale, channel_factor=factor, residual=shift)``. A
        constant row, also one of zeros, gives zeros before the shift. A row with an infinity or a
        NaN gives NaNs, and so does one whose standard deviation is 2**64 / N or more.

    Raises
    ------
    TypeError, ValueError
        As `row_scale` and `pipe` do.
    """
    statistics = _statistics(x, valid_columns)
    return pipe(
        x,
        row_offset=row_mean(statistics)[..., None],
        row_factor=row_scale(statistics, epsilon)[..., None],
        channel_factor=factor,
        residual=shift,
        output=output,
        mx9_blocks=mx9_blocks,
        valid_columns=valid_columns,
        rounding=rounding,
    )


def rms_norm(
    x: ArrayLike,
    epsilon: float | Fraction,
    *,
    factor: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    output: Output = FP32,
    mx9_blocks: ArrayLike | None = None,
    valid_columns: int | None = None,
    rounding: str = "half_even",
) -> Outcome:
    """Normalize rows to a mean square of 1, and modulate them; else as `layer_norm`.

    Nothing is subtracted, so a constant row gives its sign, and a row of zeros zeros.
    """
    scale = row_scale(_statistics(x, valid_columns), epsilon, is_centred=False)
    return pipe(
        x,
        row_factor=scale[..., None],
        channel_factor=factor,
        residual=shift,
        output=output,
        mx9_blocks=mx9_blocks,
        valid_columns=valid_columns,
        rounding=rounding,
    )


def _statistics(x: ArrayLike, valid_columns: int | None) -> RowStatistics:
    """Return the statistics of the columns that count."""
    rows = canonical(x)
    if valid_columns is None or not rows.ndim:
        return row_statistics(rows)
    count = whole(valid_columns, "valid_columns", least=1)
    if count > rows.shape[-1]:
        raise ValueError(f"valid_columns must be from 1 to {rows.shape[-1]}, not {count}")
    return row_statistics(rows[..., :count])
