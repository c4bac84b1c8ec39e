"""Combinational helpers: balanced trees and a normalizing shift.

Amaranth writes an expression out again wherever it is used, so what is used twice becomes a signal.
"""

from amaranth import Cat, Const, Mux, Signal


def any_of(bits):
    """Return one bit: whether any of several bits is set."""
    return Cat(bits).any()


def largest_of(m, values, *, name):
    """Find the largest of several unsigned values, as a tree of depth log2(length).

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    values : iterable of Value
        At least one, of equal width.
    name : str
        Prefix of the tree's signals.

    Returns
    -------
    Value
    """
    values = list(values)
    while len(values) > 1:
        winners = []
        for left, right in zip(values[::2], values[1::2], strict=False):
            node = f"{name}_{len(values)}_{len(winners)}"
            winner = Signal(len(left), name=node)
            is_larger = _is_larger(m, left, right, name=f"{node}_larger")
            m.d.comb += winner.eq(Mux(is_larger, left, right))
            winners.append(winner)
        values = winners + values[2 * len(winners) :]
    return values[0]


def _is_larger(m, left, right, *, name):
    """Compare two unsigned values of equal width, as a tree of carries without their prefixes.

    A third smaller than what synthesis makes of ``>``: an adder, whose every carry it forms.
    """
    # Of a range of bits: left is larger; left is not smaller.
    ranges = [(a & ~b, a | ~b) for a, b in zip(left, right, strict=True)]
    while len(ranges) > 1:
        merged = []
        for low, high in zip(ranges[::2], ranges[1::2], strict=False):
            pair = Signal(2, name=f"{name}_{len(ranges)}_{len(merged)}")
            m.d.comb += pair.eq(Cat(high[0] | (high[1] & low[0]), high[1] & low[1]))
            merged.append(pair)
        ranges = merged + ranges[2 * len(merged) :]
    return ranges[0][0]


def normalize_left(m, value, *, name):
    """Shift left until the most significant bit is set.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        Unsigned.
    name : str
        Prefix of the shifter's signals.

    Returns
    -------
    shifted : Value
        Same width; zero stays zero.
    count : Value
        Places shifted, ceil(log2(width)) bits; meaningless for zero.
    """
    width = len(value)
    count = Signal(range(width), name=f"{name}_zeros")
    for level in reversed(range(len(count))):
        places = 1 << level
        shifted = Signal(width, name=f"{name}_by_{places}")
        m.d.comb += [
            count[level].eq(~value[width - places :].any()),
            shifted.eq(Mux(count[level], Cat(Const(0, places), value[: width - places]), value)),
        ]
        value = shifted
    return value, count


def total_of(values):
    """Add several unsigned values exactly, as a tree of depth log2(length)."""
    values = list(values)
    while len(values) > 1:
        sums = [left + right for left, right in zip(values[::2], values[1::2], strict=False)]
        values = sums + values[2 * len(sums) :]
    return values[0]
