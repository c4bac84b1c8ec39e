"""The end of every FP32 operation: one rounding, then the ends of the exponent range."""

from amaranth import Cat, Const, Mux, Signal, signed

from golden.formats import FP32

SIGNIFICAND_BITS = FP32.mantissa_bits + 1

INFINITY = (1 << FP32.exponent_bits) - 1 << FP32.mantissa_bits
"""Magnitude of an infinity, as a pattern."""

QUIET_NAN = 0x7FC00000
"""The NaN that leaves the machine."""


def rounded_magnitude(m, significand, exponent):
    """Round a normalized significand to FP32, half to even, as if exponents had no limit.

    A result above FP32's range then becomes infinity and one below its normals zero.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    significand : Value
        Unsigned; its top bit is set, or it is zero.
    exponent : Value
        Biased exponent that the top bit has; may leave 8 bits in both directions.

    Returns
    -------
    Value
        FP32 pattern without its sign, 31 bits.
    """
    # Room for the guard and the sticky bit, however short the significand is.
    padding = max(0, SIGNIFICAND_BITS + 2 - len(significand))
    padded = Cat(Const(0, padding), significand)
    kept, guard = padded[-SIGNIFICAND_BITS:], padded[-SIGNIFICAND_BITS - 1]
    sticky = padded[: -SIGNIFICAND_BITS - 1].any()
    # Exponent and mantissa in one word: the carry of the rounding moves into the exponent, and
    # leaves a mantissa of zero, which is what doubling 1.11...1 rounded up is.
    packed = Signal(signed(len(exponent) + FP32.mantissa_bits + 1), name="packed")
    m.d.comb += packed.eq(Cat(kept[:-1], exponent).as_signed() + (guard & (sticky | kept[0])))
    biased = packed[FP32.mantissa_bits :].as_signed()
    is_zero = ~significand[-1] | (biased <= 0)
    is_infinite = biased >= (1 << FP32.exponent_bits) - 1
    return Mux(is_zero, 0, Mux(is_infinite, INFINITY, packed))[: FP32.width - 1]
