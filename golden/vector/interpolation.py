"""The value of a table of segments at an argument, in integers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import integers
from golden.vector.segments import Segments


def interpolate(table: Segments, argument: ArrayLike) -> NDArray[np.int64]:
    """Evaluate the polynomial of an argument's segment.

    Parameters
    ----------
    table : Segments
    argument : array_like of int
        From 0 to ``2**table.argument_bits - 1``. Its upper bits are the segment, the others r.

    Returns
    -------
    ndarray of int64
        ``(c0 + ((c1 + (c2 * top(r) >> inner_shift)) * r >> outer_shift) + half) >> last_shift``.
        Shifts round down; half is half a unit of the result.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    argument = integers(argument, "arguments")
    limit = 1 << table.argument_bits
    if argument.size and not 0 <= int(argument.min()) <= int(argument.max()) < limit:
        raise ValueError(f"arguments of {table.name} must be from 0 to {limit - 1}")
    segment, rest = argument >> table.rest_bits, argument & ((1 << table.rest_bits) - 1)
    c0, c1, c2 = (np.array(each, np.int64)[segment] for each in (table.c0, table.c1, table.c2))
    return evaluate(table, c0, c1, c2, rest)


def evaluate(
    table: Segments,
    c0: ArrayLike,
    c1: ArrayLike,
    c2: ArrayLike,
    rest: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Evaluate given coefficients, with the shifts of a table."""
    top = rest >> (table.rest_bits - table.top_bits)
    inner = c1 + (c2 * top >> table.inner_shift)
    total = c0 + (inner * rest >> table.outer_shift)
    return (total + (1 << table.last_shift >> 1)) >> table.last_shift
