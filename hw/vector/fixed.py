"""From a floating-point significand to whole numbers of a unit: arguments of tables."""

from amaranth import Cat, Const, Signal, unsigned

from golden.formats import FP32
from hw.floats.fp32_rounding import SIGNIFICAND_BITS


def largest_exponent(place, width):
    """Return the biased exponent of the numbers whose magnitude needs all of the width."""
    return FP32.bias + width - 1 - place


def to_fixed(m, significand, exponent, *, largest, width, is_negative, name):
    """Give the nearest whole number of a unit, halves away from zero.

    One adder rounds and gives the sign: the magnitude is k + r, k shifted and r the last bit that
    fell out, and -(k + r) = ~k + ~r. A subnormal is zero.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    significand : Value
        24 bits of FP32, or 25 where a rounding may have carried.
    exponent : Value
        Biased, of the upper one of 24 bits.
    largest : Value or int
        `largest_exponent` of the unit: it stands `place` binary places behind the point.
    width : int
        Bits of the magnitude that do not overflow, fewer than 24.
    is_negative : Value
    name : str
        Prefix of the signals.

    Returns
    -------
    units : Value
        Two's complement, of ``width + 2`` bits. Means nothing where it overflows.
    overflows : Value
        The exponent is above the largest. At the largest itself a magnitude may round up to
        ``2**width``.
    """
    # The significand's bits from the one behind the point on, while the exponent is the largest.
    kept = significand[SIGNIFICAND_BITS - 1 - width:]
    distance = Signal(unsigned(FP32.exponent_bits + 1), name=f"{name}_distance")
    m.d.comb += distance.eq(largest - exponent)
    levels = (len(kept) - 1).bit_length()
    for level in range(levels):
        shifted = Signal(len(kept), name=f"{name}_by_{1 << level}")
        m.d.comb += shifted.eq(kept >> (distance[level] << level))
        kept = shifted
    is_far = distance[levels:-1].any()
    near = Signal(len(kept), name=f"{name}_near")
    m.d.comb += near.eq(kept & (~is_far).replicate(len(kept)))
    magnitude = Cat(near[1:], Const(0, width + 2))[:width + 2]
    units = Signal(width + 2, name=f"{name}_units")
    m.d.comb += units.eq((magnitude ^ is_negative.replicate(width + 2)) + (near[0] ^ is_negative))
    return units, distance[-1]
