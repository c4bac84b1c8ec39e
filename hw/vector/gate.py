"""The gates of GELU and SiLU: arguments of their tables, and their values as V24 numbers."""

from amaranth import Cat, Const, Mux, Signal

from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, GELU_LIMIT, SILU_LIMIT, V24
from golden.vector.tables import GELU_GATE, SILU_GATE
from hw.floats.fp32_rounding import SIGNIFICAND_BITS
from hw.parts.bits import normalize_left

from .v24 import rounds_up

TABLES = {"gelu": GELU_GATE, "silu": SILU_GATE}

LIMITS = {"gelu": GELU_LIMIT, "silu": SILU_LIMIT}

_places = {table.argument_bits - (LIMITS[name] - 1).bit_length() for name, table in TABLES.items()}
(PLACE,) = _places
"""Binary places of the arguments, the same for both."""

(VALUE_BITS,) = {table.result_bits for table in TABLES.values()}
"""Bits behind the point of the tables' values, which are from 1/2 to 1."""


def rounded_significand(m, pattern):
    """Return 25 bits of a number's significand rounded to V24, which may carry."""
    significand = Signal(SIGNIFICAND_BITS + 1, name="v24_significand")
    upper = Cat(pattern[DROPPED_BITS:FP32.mantissa_bits], Const(1, 1))
    m.d.comb += significand.eq(Cat(Const(0, DROPPED_BITS), upper + rounds_up(pattern)))
    return significand


def is_at_the_end(name, exponent, carries):
    """Tell whether a V24 number's magnitude is beyond the table: at the limit or above.

    Parameters
    ----------
    name : str
        "gelu" or "silu".
    exponent : Value
        Biased, before the rounding to V24.
    carries : Value
        The rounding makes it the next power of two.
    """
    limit = FP32.bias + LIMITS[name].bit_length() - 1
    return (exponent >= limit) | carries & (exponent == limit - 1)


def gate_of(m, value, is_negative):
    """Give the gate of a number, rounded to V24.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    value : Value
        That of the table at the number's magnitude, `VALUE_BITS` bits behind the point.
    is_negative : Value
        Of the number: the gate is 1 less the value.

    Returns
    -------
    Signal
        V24 pattern, never negative.
    """
    # A value from 1/2 to 1 has a bit more than V24, and is rounded half to even; 1 less a value has
    # as many as V24 or fewer. So one adder rounds the one and forms the other, ~value + 1, in units
    # half as large.
    width = V24.mantissa_bits + 2
    inverted, halved = ~value[:VALUE_BITS], value[1:VALUE_BITS + 1]
    gate = Signal(width, name="gate_units")
    m.d.comb += gate.eq(Mux(is_negative, inverted, halved)
                        + (is_negative | value[0] & value[1]))
    normal, zeros = normalize_left(m, gate, name="gate")
    # The top bit weighs 1, or 1/2 of a negative number; it is set unless the gate is zero.
    exponent = FP32.bias - zeros - is_negative
    pattern = Signal(V24.width, name="gate_pattern")
    m.d.comb += pattern.eq(Mux(normal[-1], Cat(normal[1:-1], exponent[:V24.exponent_bits]), 0))
    return pattern
