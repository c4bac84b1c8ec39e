"""When a rounded number is right, said without rounding."""

from amaranth import Cat, Const, Mux, Signal

FARTHEST = 31
"""Most places by which a significand may lie above the lowest bit of what it is compared with."""


def is_nearest(m, significand, place, exact):
    """Tell whether no other number of as many bits is nearer, and of two as near this one is even.

    Parameters
    ----------
    m : amaranth.Module
    significand : Value
        Its highest bit is set.
    place : Value
        Signed: by how much its lowest bit weighs more than that of `exact`, as a power of two.
    exact : Value
        Unsigned; not zero.

    Returns
    -------
    Value
    """
    width = max(len(significand) + FARTHEST, len(exact)) + 3
    wide, whole, unit = (Signal(width, name=name) for name in ("wide", "whole", "unit"))
    # Four times everything, since below a power of two the next number is half as far.
    places = Mux(place < 0, 0, place)[:FARTHEST.bit_length()]
    m.d.comb += [wide.eq(Cat(Const(0, 2), significand) << places), unit.eq(4 << places),
                 whole.eq(Cat(Const(0, 2), exact))]
    is_exact = (place <= 0) & (place > -len(significand)) & (
        significand == (exact << (-place)[:FARTHEST.bit_length()]))
    is_power, is_even = ~significand[:-1].any(), ~significand[0]
    above, below = whole - wide, wide - whole
    is_near = Mux(
        whole >= wide, (2 * above < unit) | (2 * above == unit) & is_even,
        Mux(is_power, 4 * below <= unit, (2 * below < unit) | (2 * below == unit) & is_even))
    return is_exact | (place > 0) & (place <= FARTHEST) & is_near
