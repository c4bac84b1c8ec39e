"""1/x and 1/sqrt(x), which rows are multiplied by."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, V24
from golden.vector.tables import RECIPROCAL, RECIPROCAL_ROOT
from hw.floats.fp32_adder import EXPONENT_OF_INFINITY
from hw.floats.fp32_rounding import QUIET_NAN

from .interpolation import Interpolation
from .v24 import Number, V24Rounder

INFINITY = EXPONENT_OF_INFINITY << V24.mantissa_bits
"""V24 pattern."""


Side = data.StructLayout({
    "exponent": signed(FP32.exponent_bits + 2), "sign": 1, "is_infinite": 1, "is_nan": 1})
"""What the result is beside the table's value."""


class Reciprocal(wiring.Component):
    """Give one over a number, or over its square root.

    The number is rounded to V24 first. Zeros give infinities of their signs; what is below FP32's
    normals is the zero of its sign. NaNs, and roots of numbers below zero, give the quiet NaN.

    Latency `latency` (3) cycles; a number each cycle; never stalls.

    Members
    -------
    i : In(32)
        FP32 pattern.
    of_root : In(1)
        1/sqrt(x) instead of 1/x.
    o : Out(24)
        V24 pattern of what was given `latency` cycles ago.
    """

    latency = 3

    i: In(FP32.width)
    of_root: In(1)
    o: Out(V24.width)

    def elaborate(self, platform):
        m = Module()
        m.submodules.rounder = rounder = V24Rounder()
        m.submodules.table = table = Interpolation((RECIPROCAL, RECIPROCAL_ROOT))
        m.d.comb += rounder.i.eq(self.i)
        x = data.View(Number, rounder.o)

        # Cycle 1: the table's first half. The last bit of the power chooses the half of a root's
        # table, [1, 2) or [2, 4); the biased exponent is odd where the power is even.
        m.d.comb += [table.argument.eq(Cat(x.mantissa, ~x.exponent[0])),
                     table.which.eq(self.of_root)]
        is_zero, is_infinite = x.exponent == 0, x.exponent == EXPONENT_OF_INFINITY
        # Of a root half of 2 (127 - 1) + 128 - exponent, rounded down.
        turned = Signal(signed(FP32.exponent_bits + 2))
        m.d.comb += turned.eq(
            Mux(self.of_root, 3 * FP32.bias - 1, 2 * FP32.bias - 1) - x.exponent)
        side = Signal(Side)
        m.d.comb += [
            side.exponent.eq(Mux(is_infinite, -1, Mux(self.of_root, turned >> 1, turned))),
            side.sign.eq(x.sign), side.is_infinite.eq(is_zero),
            side.is_nan.eq(is_infinite & x.mantissa.any() | self.of_root & x.sign & ~is_zero)]

        # Cycle 2: its second half.
        value = Signal(len(table.o), reset_less=True)
        m.d.sync += value.eq(table.o)
        for cycle in (1, 2):
            held = Signal(Side, name=f"side_{cycle}", reset_less=True)
            m.d.sync += held.eq(side)
            side = held

        # Cycle 3: a number. A value of 1 carries into the exponent.
        magnitude = Signal(V24.width + 1)
        m.d.comb += magnitude.eq(Cat(value[:V24.mantissa_bits], side.exponent) + (
            value[V24.mantissa_bits + 1] << V24.mantissa_bits))
        biased = magnitude[V24.mantissa_bits:].as_signed()
        result = Signal(V24.width, reset_less=True)
        m.d.comb += self.o.eq(result)
        with m.If(side.is_nan):
            m.d.sync += result.eq(Const(QUIET_NAN >> DROPPED_BITS, V24.width))
        with m.Elif(side.is_infinite):
            m.d.sync += result.eq(Cat(Const(INFINITY, V24.width - 1), side.sign))
        with m.Else():
            m.d.sync += result.eq(Cat(Mux(biased <= 0, 0, magnitude)[:V24.width - 1], side.sign))
        return m
