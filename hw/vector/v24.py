"""V24, the numbers that are multiplied: FP32 with 16 bits of significand."""

from amaranth import Cat, Const, Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, V24
from hw.floats.fp32_rounding import QUIET_NAN

V24_SIGNIFICAND_BITS = V24.mantissa_bits + 1

Number = data.StructLayout({
    "mantissa": V24.mantissa_bits, "exponent": V24.exponent_bits, "sign": 1})
"""A V24 number: the upper bits of its FP32 pattern."""

ONE = V24.bias << V24.mantissa_bits
"""Pattern of 1."""


def rounds_up(pattern):
    """Tell whether V24's significand is one unit more than FP32's upper bits: half to even."""
    dropped = pattern[:DROPPED_BITS]
    return dropped[-1] & (dropped[:-1].any() | pattern[DROPPED_BITS])


class V24Rounder(wiring.Component):
    """Round a factor to V24, half to even; combinational.

    Subnormals become the zeros of their signs and NaNs the quiet NaN. What rounds beyond the
    largest number is infinity.

    Members
    -------
    i : In(32)
        FP32 pattern.
    o : Out(24)
        V24 pattern.
    """

    i: In(FP32.width)
    o: Out(V24.width)

    def elaborate(self, platform):
        m = Module()
        exponent = self.i[FP32.mantissa_bits:-1]
        is_nan = exponent.all() & self.i[:FP32.mantissa_bits].any()
        # A carry out of the significand raises the exponent, from the largest to infinity's.
        rounded = (self.i[DROPPED_BITS:-1] + rounds_up(self.i))[:V24.width - 1]
        number = Cat(Mux(exponent == 0, 0, rounded), self.i[-1])
        m.d.comb += self.o.eq(Mux(is_nan, Const(QUIET_NAN >> DROPPED_BITS, V24.width), number))
        return m
