"""Combinational helpers: balanced trees, a row of ones and shifters.

Amaranth writes an expression out again wherever it is used, so what is used twice becomes a signal.
"""

from amaranth import Cat, Const, Mux, Signal


def any_of(bits):
    """Return one bit: whether any of several bits is set."""
    return Cat(bits).any()


def least(a, b):
    """Give the smaller of two unsigned numbers, as an expression."""
    return Mux(a < b, a, b)


def largest_of(m, values, *, name, at_once=2):
    """Find the largest of several unsigned values, as a tree of depth log2(length).

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    values : iterable of Value
        At least one, of equal width.
    name : str
        Prefix of the tree's signals.
    at_once : int
        Values compared at each node: 2, or 4 where their number is a power of four. Four take twice
        the comparisons and half the levels.

    Returns
    -------
    Value
    """
    values = list(values)
    while at_once == 4 and len(values) > 1:
        values = [_largest_of_four(m, values[at : at + 4], name=f"{name}_{len(values)}_{at}")
                  for at in range(0, len(values), 4)]
    while len(values) > 1:
        winners = []
        for left, right in zip(values[::2], values[1::2], strict=False):
            node = f"{name}_{len(values)}_{len(winners)}"
            winner = Signal(len(left), name=node)
            takes_left = is_larger(m, left, right, name=f"{node}_larger")
            m.d.comb += winner.eq(Mux(takes_left, left, right))
            winners.append(winner)
        values = winners + values[2 * len(winners) :]
    return values[0]


def _largest_of_four(m, values, *, name):
    """Compare four values in pairs, all at the same time, and choose."""
    is_beaten = [[] for _ in values]
    for low in range(4):
        for high in range(low + 1, 4):
            larger = Signal(name=f"{name}_larger_{low}_{high}")
            m.d.comb += larger.eq(is_larger(m, values[high], values[low],
                                             name=f"{name}_larger_{low}_{high}"))
            is_beaten[low].append(larger)
            is_beaten[high].append(~larger)
    winner = Signal(len(values[0]), name=name)
    terms = [Mux(Cat(beaten).any(), 0, value)
             for beaten, value in zip(is_beaten, values, strict=True)]
    m.d.comb += winner.eq(terms[0] | terms[1] | (terms[2] | terms[3]))
    return winner


def is_larger(m, left, right, *, name):
    """Compare two unsigned values of equal width, as a tree of carries without their prefixes.

    A third smaller than what synthesis makes of ``>``: an adder, whose every carry it forms.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    left, right : Value
    name : str
        Prefix of the tree's signals.

    Returns
    -------
    Value
        Whether ``left`` is the larger one.
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


def normalize_left(m, value, *, name, levels=None):
    """Shift left until the most significant bit is set.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        Unsigned.
    name : str
        Prefix of the shifter's signals.
    levels : range, optional
        Which powers of two to shift by, all by default. Lower ones may follow in a later cycle.

    Returns
    -------
    shifted : Value
        Same width; zero stays zero.
    count : Value
        Places shifted, ceil(log2(width)) bits, those of other levels zero; meaningless for zero.
    """
    width = len(value)
    count = Signal(range(width), name=f"{name}_zeros")
    for level in reversed(levels if levels is not None else range(len(count))):
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


def ones_below(m, count, width, *, name):
    """Set the lowest bits, as many as a count says, in a gate for each bit of the count.

    An eighth of what synthesis makes of ``(1 << count) - 1``, which is a borrow through all bits.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    count : Value
        Unsigned, at most `width`.
    width : int
    name : str
        Prefix of the signals.

    Returns
    -------
    Value
        Of `width` bits.
    """
    ones = Const(0, 1)
    for level, bit in enumerate(count):
        wider = Signal(2 * len(ones), name=f"{name}_{level}")
        m.d.comb += wider.eq(Cat(bit.replicate(len(ones)) | ones, bit.replicate(len(ones)) & ones))
        ones = wider
    return Cat(ones, Const(0, max(0, width - len(ones))))[:width]


def part_of(m, value, offset, count, *, unit, name):
    """Take a number of neighbouring units out of a value, from any offset on.

    Long steps come first, so that what follows is narrower: three quarters of what synthesis makes
    of ``>>``, which begins with short ones.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        At least ``count + 2**len(offset) - 1`` units; those above are not looked at.
    offset : Value
        Unsigned, in units.
    count : int
        Units that are taken.
    unit : int
        Bits of a unit.
    name : str
        Prefix of the shifter's signals.

    Returns
    -------
    Value
        Of ``count * unit`` bits.
    """
    for level in reversed(range(len(offset))):
        places = unit << level
        width = unit * (count + (1 << level) - 1)
        shorter = Signal(width, name=f"{name}_by_{1 << level}")
        m.d.comb += shorter.eq(Mux(offset[level], value[places : places + width], value[:width]))
        value = shorter
    return value


def rotated(m, value, places, *, unit, name):
    """Rotate towards the upper bits, in units.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        Of ``2**len(places)`` units.
    places : Value
        Unsigned.
    unit : int
        Bits of a unit.
    name : str
        Prefix of the shifter's signals.

    Returns
    -------
    Value
        As wide as `value`.
    """
    for level, places_bit in enumerate(places):
        turned = Signal(len(value), name=f"{name}_by_{1 << level}")
        m.d.comb += turned.eq(Mux(places_bit, value.rotate_left(unit << level), value))
        value = turned
    return value


def inverted_product_tree(m, a, b, *, name):
    """Multiply two unsigned values exactly, as a tree of adders that no two rows' overlap leaves.

    Rows of NANDs add up to an inverted product, since ~x + ~y + 1 = ~(x + y), and what lies above
    or below an inverted row are ones. The bits below the upper one of two rows pass it by, so a
    tree has hardly more adders than a product row by row, and a third of its depth.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    a, b : Value
        A row for each bit of ``a``.
    name : str
        Prefix of the signals.

    Returns
    -------
    Value
        ~(a * b), as wide as both together.
    """
    rows = [~(b & bit.replicate(len(b))) for bit in a]
    places = 1
    while len(rows) > 1:
        sums = []
        for low, high in zip(rows[::2], rows[1::2], strict=False):
            width = len(high) + 1
            total = Signal(width, name=f"{name}_{places}_{len(sums)}")
            m.d.comb += total.eq(Cat(low[places:], Const(-1, width))[:width]
                                 + Cat(high, Const(1, 1)) + 1)
            sums.append(Cat(low[:places], total))
        rows = sums + rows[2 * len(sums):]
        places *= 2
    return Cat(rows[0], Const(-1, len(a) + len(b)))[:len(a) + len(b)]
