"""The square of a number: half a multiplier."""

from amaranth import Cat, Const, Signal


def square(m, value, *, name):
    """Square an unsigned number, each two bits of which meet once.

    With h the upper half of the bits and l the n lower ones, (h 2^n + l)^2 is the squares of both
    side by side, and h l 2^(n + 1): squares of halves, a product and one adder.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        Unsigned.
    name : str
        Prefix of the signals.

    Returns
    -------
    Value
        Of twice the width.
    """
    if len(value) == 1:
        return Cat(value, Const(0, 1))
    half = len(value) // 2
    low, high = value[:half], value[half:]
    squares = Cat(square(m, low, name=f"{name}_low"), square(m, high, name=f"{name}_high"))
    total = Signal(2 * len(value) - half - 1, name=name)
    m.d.comb += total.eq(squares[half + 1 :] + _product(m, low, high, name=f"{name}_product"))
    return Cat(squares[: half + 1], total)


def _product(m, a, b, *, name):
    """Multiply, an adder for each bit of ``a`` but the first."""
    done, rest = [], None
    for place, bit in enumerate(a):
        row = b & bit.replicate(len(b))
        if rest is not None:
            total = Signal(len(b) + 1, name=f"{name}_{place}")
            m.d.comb += total.eq(rest + row)
            row = total
        done.append(row[0])
        rest = row[1:]
    return Cat(*done, rest)
