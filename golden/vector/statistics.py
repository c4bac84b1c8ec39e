"""What a row says of itself: sums of integers anchored at its largest exponent, and its maximum.

Sums are integer sums, so the order of the elements, and how many of them come at once, change no
bit of them.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import real
from golden.floats import add, from_exact, from_integer, nearest_magnitude
from golden.formats import FP32
from golden.vector.fixed import to_fixed
from golden.vector.formats import MOST_COLUMNS, SQUARE_BITS, SUM_BITS
from golden.vector.lane import canonical, multiply
from golden.vector.reciprocal import reciprocal_root

_INFINITY_FIELD = 255


@dataclass(frozen=True)
class RowStatistics:
    """Sums of rows, each of shape (..., rows).

    Attributes
    ----------
    columns : int
        N, the elements of a row.
    exponent : ndarray of int64
        E, the largest biased exponent of a row; 255 with an infinity or a NaN in it.
    total : ndarray of int64
        The sum, in units of ``2**(E - 150)``.
    coarse_total : ndarray of int64
        The sum, in units of ``2**(E - 139)``.
    squares : ndarray of int64
        The sum of the squares, in units of ``2**(2 * (E - 139))``, of what `coarse_total` adds.
    """

    columns: int
    exponent: NDArray[np.int64]
    total: NDArray[np.int64]
    coarse_total: NDArray[np.int64]
    squares: NDArray[np.int64]


def row_statistics(x: ArrayLike) -> RowStatistics:
    """Add up rows.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16, shape (..., rows, columns)
        Subnormals of FP32 count as zeros. Elements become integers as `to_fixed` makes them: the
        nearest, halves away from zero. Rows with an infinity or a NaN have sums that mean nothing.

    Raises
    ------
    TypeError
        If `x` holds no floats of 16 or 32 bits.
    ValueError
        If rows have no elements, or more than `MOST_COLUMNS`.
    """
    x = canonical(x)
    columns = _check_columns(x)
    field = x.view(np.uint32) >> FP32.mantissa_bits & 0xFF
    exponent = field.max(axis=-1).astype(np.int64)
    place = FP32.bias + FP32.mantissa_bits - exponent[..., None]
    fine = to_fixed(x, place)
    coarse = to_fixed(x, place - (SUM_BITS - SQUARE_BITS))
    return RowStatistics(columns, exponent, fine.sum(-1), coarse.sum(-1), (coarse**2).sum(-1))


def row_mean(statistics: RowStatistics) -> NDArray[np.float32]:
    """Return the means of rows: the sum over N, rounded once to FP32, half to even.

    Returns
    -------
    ndarray of float32, shape (..., rows)
        A sum of zero gives +0; below FP32's normals a mean is the zero of its sign. With an
        infinity or a NaN in the row it is the quiet NaN.
    """
    # A quotient of integers that is no midpoint of FP32 differs from each by 2**-41 of itself at
    # least (N has 17 bits, a midpoint 25), so rounding it to float64 before moves none to one.
    quotient = statistics.total / np.float64(statistics.columns)
    mean = from_exact(np.ldexp(quotient, statistics.exponent - FP32.bias - FP32.mantissa_bits))
    return np.where(_is_finite(statistics), mean, np.float32(np.nan))


def row_scale(
    statistics: RowStatistics, epsilon: float | Fraction, *, is_centred: bool = True
) -> NDArray[np.float32]:
    """Return 1 / sqrt(variance + epsilon) of rows, or with the mean square for the variance.

    Parameters
    ----------
    statistics : RowStatistics
    epsilon : float or Fraction
        Above zero.
    is_centred : bool
        The variance, which LayerNorm takes, and not the mean square, which RMSNorm takes.

    Returns
    -------
    ndarray of float32, shape (..., rows)
        N / sqrt(V + N**2 epsilon), without a division: V, N times the sum of the squares less the
        square of the sum (or not), is an integer, rounded once to FP32. ``N**2 * epsilon`` is
        rounded to FP32 by who makes the job, and added in FP32. The root is V24, and so is N; their
        product is FP32. With an infinity or a NaN in the row it is the quiet NaN, and so it is
        where the sum in the root is beyond FP32, which is a standard deviation of 2**64 / N.

    Raises
    ------
    TypeError
        If epsilon is no number.
    ValueError
        If ``N**2 * epsilon`` is not within FP32's positive normal numbers.
    """
    return row_scale_of(statistics, scaled_epsilon(statistics.columns, epsilon),
                        is_centred=is_centred)


def row_scale_of(
    statistics: RowStatistics, offset: np.float32, *, is_centred: bool
) -> NDArray[np.float32]:
    """Return what `row_scale` does, of `scaled_epsilon` instead of epsilon."""
    spread = statistics.columns * statistics.squares
    if is_centred:
        spread = spread - statistics.coarse_total**2
    unit = statistics.exponent - FP32.bias - (SQUARE_BITS - 1)
    under_root = add(from_integer(spread, 2 * unit), offset)
    scale = multiply(reciprocal_root(under_root), np.float32(statistics.columns))
    is_seen = _is_finite(statistics) & np.isfinite(under_root)
    return np.where(is_seen, scale, np.float32(np.nan))


def scaled_epsilon(columns: int, epsilon: float | Fraction) -> np.float32:
    """Return N**2 times epsilon, rounded once to FP32; what a job holds of epsilon.

    Raises
    ------
    TypeError
        If epsilon is no number.
    ValueError
        If the product is not within FP32's positive normal numbers.
    """
    given = real(epsilon, "epsilon")
    if not 0 < given < float("inf"):
        raise ValueError(f"epsilon must be above zero and finite, not {epsilon!r}")
    pattern = nearest_magnitude(Fraction(given) * columns**2)
    if pattern < 1 << FP32.mantissa_bits:
        raise ValueError(
            f"epsilon {float(given):g} times {columns} squared is below FP32's normal numbers; "
            "give a larger one"
        )
    return np.uint32(pattern).view(np.float32)


def row_maximum(x: ArrayLike) -> NDArray[np.float32]:
    """Return the largest number of each row, with its sign.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16, shape (..., rows, columns)

    Returns
    -------
    ndarray of float32, shape (..., rows)
        +0 counts as larger than -0, and FP32's subnormals as the zeros of their signs. With a NaN
        in the row it is the quiet NaN.

    Raises
    ------
    TypeError
        If `x` holds no floats of 16 or 32 bits.
    ValueError
        If rows have no elements, or more than `MOST_COLUMNS`.
    """
    x = canonical(x)
    _check_columns(x)
    bits = x.view(np.int32)
    ordinal = np.where(bits < 0, ~(bits & 0x7FFFFFFF), bits).max(-1)
    largest = np.where(ordinal < 0, ~ordinal | np.int32(-(1 << 31)), ordinal)
    is_nan = np.isnan(x).any(-1)
    return np.where(is_nan, np.float32(np.nan), np.asarray(largest, np.int32).view(np.float32))


def _is_finite(statistics: RowStatistics) -> NDArray[np.bool_]:
    return statistics.exponent != _INFINITY_FIELD


def _check_columns(x: NDArray[np.float32]) -> int:
    """Return the elements of a row."""
    if x.ndim == 0:
        raise ValueError("a single number is no row: give an array of shape (..., rows, columns)")
    columns = x.shape[-1]
    if not 1 <= columns <= MOST_COLUMNS:
        raise ValueError(f"rows must have from 1 to {MOST_COLUMNS} elements, not {columns}")
    return columns
