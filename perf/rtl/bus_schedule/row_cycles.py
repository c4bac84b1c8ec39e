"""Cycles that follow from a row's numbers: `row_mean`, `row_scale` of `hw.vector`."""

from typing import Any

from numpy.typing import NDArray

from golden.vector import row_statistics
from golden.vector.formats import SUM_BITS
from hw.floats.fp32_adder import FP32Adder
from hw.vector.reciprocal import Reciprocal
from hw.vector.row_mean import QUOTIENT_BITS
from hw.vector.row_scale import FAST, SPREAD_BITS
from hw.vector.row_totals import COARSE_WIDTH, COLUMN_BITS
from hw.vector.scalar_unit import ScalarUnit

MEAN_OF_ZERO = 2
"""A sum of zero is given; so is its mean."""

MULTIPLIED = COARSE_WIDTH
"""A row is given to `RowScale`; V is there: a cycle for each digit, and one to begin."""


def row_cycles(x: NDArray[Any], *, is_centred: bool) -> tuple[int, ...]:
    """Count, for each row of a pass that normalizes, the cycles from its sums to what follows.

    Parameters
    ----------
    x : ndarray of float32, float16 or bfloat16, shape (rows, columns)
        Without infinities and NaNs.
    is_centred : bool
        LayerNorm, not RMSNorm.

    Raises
    ------
    ValueError
        If a row has an infinity or a NaN: its sums mean nothing, but take cycles.
    """
    statistics = row_statistics(x)
    if (statistics.exponent == (1 << 8) - 1).any():
        raise ValueError("a row with an infinity or a NaN is not in the schedule")
    columns, cycles = statistics.columns, []
    for total, coarse, squares in zip(*(each.tolist() for each in (
            statistics.total, statistics.coarse_total, statistics.squares)), strict=True):
        spread = columns * squares - is_centred * coarse * coarse
        cycles.append(max(_mean_cycles(abs(total), columns), _scale_cycles(spread, columns)))
    return tuple(cycles)


def _mean_cycles(total: int, columns: int) -> int:
    """Count those of a division, which leaves leading zeros out."""
    if not total:
        return MEAN_OF_ZERO
    zeros = 0
    while total << zeros < columns << SUM_BITS - 1:
        zeros += 1
    return QUOTIENT_BITS + 1 + zeros


def _scale_cycles(spread: int, columns: int) -> int:
    """Count those of a multiplication, of its normalization, and of three questions."""
    to_root = MULTIPLIED + 1 + _steps(SPREAD_BITS - spread.bit_length() if spread else 0)
    asks = FP32Adder.latency + 1, Reciprocal.latency + 1, ScalarUnit.product_latency + 1
    of_columns = max(0, _steps(COLUMN_BITS - columns.bit_length()) - asks[1])
    return to_root + sum(asks) + 1 + of_columns


def _steps(places: int) -> int:
    """Count the steps of a normalization."""
    return sum(divmod(places, FAST))
