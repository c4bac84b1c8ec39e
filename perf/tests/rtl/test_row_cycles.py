"""Cycles that follow from a row's numbers."""

import numpy as np
import pytest

from perf.rtl.bus_schedule.row_cycles import row_cycles

ROOT = 46
"""Of a scale, of a row whose spread is normal at once: 36 and those of a sum, a root, a product."""


def only(row, *, is_centred: bool = True) -> int:
    """Count those of one row."""
    cycles, = row_cycles(np.array([row], np.float32), is_centred=is_centred)
    return cycles


def test_a_row_of_zeros_takes_as_long_as_its_columns_are_normalized():
    # N of 17 bits: 65,536 is normal, 256 is eight places off, a step; 1 is 16, two steps.
    assert [only(np.zeros(columns)) for columns in (1 << 16, 256, 1)] == [ROOT, ROOT, ROOT]
    assert only(np.zeros(2)) == ROOT + 4  # 15 places off, eight steps, four of them meanwhile


def test_a_spread_takes_a_step_for_eight_places_or_one():
    # 65,536 numbers of the largest coarse magnitude, 2^12: V is 2^56, of 59 bits.
    assert only(np.ones(1 << 16), is_centred=False) == ROOT + 2
    assert only(np.ones(1 << 16)) == ROOT  # less the square of its sum it is 0


def test_a_mean_with_many_leading_zeros_takes_longer_than_the_scale():
    row = np.zeros(256)
    row[:3] = 1, -1, 2.0**-23
    assert only(row) == 26 + 23 + 8  # the sum is one unit, of 24 bits, over 256


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_a_row_that_is_no_number_is_refused(number):
    with pytest.raises(ValueError, match="an infinity or a NaN"):
        only([1.0, number])
