"""2**x: what its argument is, and what stands in the place of the table's value."""

from amaranth import Cat, Const, Mux, Signal
from amaranth.lib import data

from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, EXP2_LIMIT, V24
from golden.vector.tables import EXP2

from .fixed import largest_exponent

PLACE = EXP2.argument_bits
"""Binary places of the argument."""

ARGUMENT_WIDTH = PLACE + (FP32.bias + 1).bit_length() - 1
"""Bits of the argument's magnitude below 128; what has more saturates or is zero."""

LARGEST_EXPONENT = largest_exponent(PLACE, ARGUMENT_WIDTH)

Power = data.StructLayout({"number": FP32.width, "stays": 1, "takes_value": 1, "saturated": 1})


def power_of_two(m, whole, x, overflows):
    """Say what a power of two is, but for the table's value.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    whole : Value
        The argument's whole part, two's complement of nine bits.
    x : Value
        FP32 pattern of the argument; a NaN is the quiet one.
    overflows : Value
        The argument's magnitude is 128 or more, or it is an infinity or a NaN.

    Returns
    -------
    View
        ``number`` an FP32 pattern, into whose mantissa the table's value comes where it
        ``takes_value``; ``saturated``: beyond the limit, and no NaN.
    """
    sign, is_special, is_nan = x[-1], x[FP32.mantissa_bits:-1].all(), x[FP32.mantissa_bits - 1]
    is_below, is_above, stays = Signal(), Signal(), Signal()
    m.d.comb += [
        is_below.eq(Mux(overflows, sign, whole.as_signed() < 1 - FP32.bias)),
        is_above.eq(Mux(overflows, ~sign, whole.as_signed() >= EXP2_LIMIT)),
        # Infinity and the NaN, which has no sign, are their own powers.
        stays.eq(is_special & ~sign)]
    largest = (FP32.bias + EXP2_LIMIT << FP32.mantissa_bits) - (1 << DROPPED_BITS)
    exponent = Cat(Const(0, FP32.mantissa_bits), (whole + FP32.bias)[:FP32.exponent_bits])
    power = Signal(Power)
    m.d.comb += [
        power.number.eq(Mux(is_above, largest, Mux(is_below, 0, exponent))),
        power.stays.eq(stays),
        power.takes_value.eq(~(stays | is_above | is_below)),
        power.saturated.eq(is_above & ~(is_special & is_nan))]
    return power


def with_value(pattern, value, value_bits):
    """Put the table's value, from 1 to 2, into the mantissa of a V24 number's FP32 pattern.

    Parameters
    ----------
    pattern : Value
        Of FP32.
    value : Value
        `value_bits` bits behind the point, of which V24 has the upper ones.
    value_bits : int

    Returns
    -------
    Value
    """
    mantissa = value[value_bits - V24.mantissa_bits:value_bits]
    return Cat(Const(0, DROPPED_BITS), mantissa, pattern[FP32.mantissa_bits:])
