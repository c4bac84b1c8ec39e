"""The product of an FP32 number, rounded to V24, and a V24 factor."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import DROPPED_BITS, V24
from hw.floats.fp32_adder import EXPONENT_OF_INFINITY, Pattern
from hw.floats.fp32_rounding import QUIET_NAN, rounded_magnitude

from .v24 import ONE, V24_SIGNIFICAND_BITS, Number, rounds_up

PRODUCT_BITS = 2 * V24_SIGNIFICAND_BITS


class Product(wiring.Component):
    """Multiply, with one rounding of the number to V24 and one of the product to FP32.

    Both are half to even. A product above FP32's range is infinity, one below its normals the zero
    of its sign. Subnormals count as zeros; zero times infinity and whatever has a NaN is
    0x7FC00000.

    Latency `latency` (2) cycles; a product each cycle; never stalls.

    Members
    -------
    a : In(32)
        FP32 pattern.
    b : In(24)
        V24 pattern; see `V24Rounder`.
    enable : In(1)
        Multiply; else ``o`` is ``a``, without rounding, and nothing changes but a subnormal into
        the zero of its sign and a NaN into 0x7FC00000.
    o : Out(32)
        FP32 pattern of what was given `latency` cycles ago.
    """

    latency = 2

    a: In(FP32.width)
    b: In(V24.width)
    enable: In(1)
    o: Out(FP32.width)

    def elaborate(self, platform):
        m = Module()
        # Cycle 1: the exact product, and the exponent that says what it is if it is no number.
        # Without a factor it is 1, and the bits that V24 lacks are added to the product instead
        # of the factor, which rounds the number up.
        a, b = data.View(Pattern, self.a), Signal(Number, name="b_or_one")
        m.d.comb += b.as_value().eq(Mux(self.enable, self.b, ONE))
        left = Cat(a.mantissa[DROPPED_BITS:], Const(1, 1))
        right = Cat(b.mantissa, Const(1, 1))
        carry = Signal()
        m.d.comb += carry.eq(rounds_up(a.mantissa))
        dropped = a.mantissa[:DROPPED_BITS]
        addend = Signal(V24_SIGNIFICAND_BITS)
        m.d.comb += addend.eq(Mux(
            self.enable, Mux(carry, right, 0),
            Cat(Const(0, V24.mantissa_bits - DROPPED_BITS), dropped)))
        product = Signal(PRODUCT_BITS, reset_less=True)
        m.d.sync += product.eq(left * right + addend)

        overflows = (a.exponent == EXPONENT_OF_INFINITY - 1) & left.all() & carry & self.enable
        ends = [number.exponent == EXPONENT_OF_INFINITY for number in (a, b)]
        is_infinite = ends[0] | ends[1] | overflows
        is_zero = (a.exponent == 0) | (b.exponent == 0)
        # Of twice the least power of two that the product can be; 0 is below FP32's normals and
        # all ones beyond it whatever the product is.
        exponent = Signal(range(2 << FP32.exponent_bits), reset_less=True)
        sign, is_nan = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            exponent.eq(Mux(is_infinite, (2 << FP32.exponent_bits) - 1,
                            Mux(is_zero, 0, a.exponent + b.exponent))),
            sign.eq(a.sign ^ b.sign),
            is_nan.eq(ends[0] & a.mantissa.any() | ends[1] & b.mantissa.any()
                      | is_infinite & is_zero)]

        # Cycle 2: normalize by one place, round and pack.
        is_wide = product[-1]
        significand = Signal(PRODUCT_BITS)
        m.d.comb += significand.eq(Mux(is_wide, product, Cat(Const(0, 1), product[:-1])))
        biased = Signal(signed(FP32.exponent_bits + 2))
        m.d.comb += biased.eq(exponent - FP32.bias + is_wide)
        magnitude = rounded_magnitude(m, significand, biased)
        result = Signal(FP32.width, reset_less=True)
        m.d.sync += result.eq(Mux(is_nan, QUIET_NAN, Cat(magnitude, sign)))
        m.d.comb += self.o.eq(result)
        return m
