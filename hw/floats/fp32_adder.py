"""Addition of two FP32 numbers, the one of all sums of the machine."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from hw.floats.fp32_rounding import INFINITY, QUIET_NAN, SIGNIFICAND_BITS, rounded_magnitude
from hw.parts.bits import normalize_left

MINUS_ZERO = 1 << FP32.width - 1
EXPONENT_OF_INFINITY = (1 << FP32.exponent_bits) - 1

Pattern = data.StructLayout({
    "mantissa": FP32.mantissa_bits, "exponent": FP32.exponent_bits, "sign": 1})

EXTRA_BITS = 3
"""Below the larger significand: guard, round and sticky.

If the sum loses its leading bit to cancellation, the round bit becomes the guard bit. It loses more
only where the exponents differ by at most one, and then the sum is exact.
"""

SUM_BITS = SIGNIFICAND_BITS + EXTRA_BITS + 1


class FP32Adder(wiring.Component):
    """Add two FP32 numbers, rounded half to even.

    Subnormal inputs count as zero of their sign, and a sum below FP32's normals becomes the zero of
    its sign. Every NaN that leaves is 0x7FC00000; so is infinity minus infinity. x + (-x) is +0.

    Latency `latency` (4) cycles; a sum each cycle; never stalls.

    Members
    -------
    a, b : In(32)
        FP32 patterns.
    enable : In(1)
        Add ``b``; else -0, which changes no number, not even -0: ``o`` is ``a``, a subnormal the
        zero of its sign and every NaN 0x7FC00000.
    o : Out(32)
        The sum of what was given `latency` cycles ago.
    """

    latency = 4

    a: In(FP32.width)
    b: In(FP32.width)
    enable: In(1)
    o: Out(FP32.width)

    def elaborate(self, platform):
        m = Module()
        # Cycle 1: larger and smaller magnitude, and how far apart they are.
        a = data.View(Pattern, self.a)
        b = Signal(Pattern, name="b_or_zero")
        m.d.comb += b.as_value().eq(Mux(self.enable, self.b, MINUS_ZERO))
        swaps = Signal()
        m.d.comb += swaps.eq(self.a[:-1] < b.as_value()[:-1])
        larger = Signal(Pattern, name="larger")
        smaller = Signal(Pattern, name="smaller")
        m.d.comb += [larger.eq(Mux(swaps, b.as_value(), self.a)),
                     smaller.eq(Mux(swaps, self.a, b.as_value()))]
        side = data.StructLayout({
            "exponent": FP32.exponent_bits, "sign": 1, "sign_of_zero": 1, "subtracts": 1,
            "is_infinite": 1, "is_nan": 1,
        })
        side_1, side_2, side_3 = (Signal(side, name=f"side_{cycle}", reset_less=True)
                                  for cycle in (1, 2, 3))
        significand_1, addend_1 = (Signal(SIGNIFICAND_BITS, name=name, reset_less=True)
                                   for name in ("significand_1", "addend_1"))
        distance_1 = Signal(FP32.exponent_bits, reset_less=True)
        subtracts, is_special = a.sign ^ b.sign, larger.exponent == EXPONENT_OF_INFINITY
        m.d.sync += [
            significand_1.eq(_significand(larger)), addend_1.eq(_significand(smaller)),
            distance_1.eq(larger.exponent - smaller.exponent),
            side_1.exponent.eq(larger.exponent), side_1.sign.eq(larger.sign),
            side_1.sign_of_zero.eq(a.sign & b.sign), side_1.subtracts.eq(subtracts),
            side_1.is_infinite.eq(is_special),
            # The larger magnitude is a NaN if there is one.
            side_1.is_nan.eq(is_special & ((larger.mantissa != 0) | (
                subtracts & (smaller.exponent == EXPONENT_OF_INFINITY)))),
        ]

        # Cycle 2: align and add; the larger comes first, so the sum is not negative.
        # One adder does both: its lowest place makes the carry that a complement needs.
        aligned = self._align(m, addend_1, distance_1)
        total_2 = Signal(SUM_BITS, reset_less=True)
        widened = Signal(SUM_BITS)
        m.d.comb += widened.eq(Cat(Const(0, EXTRA_BITS), significand_1))
        addend = Cat(aligned, Const(0, 1)) ^ side_1.subtracts.replicate(SUM_BITS)
        m.d.sync += [side_2.eq(side_1), total_2.eq(
            (Cat(side_1.subtracts, widened) + Cat(side_1.subtracts, addend)) >> 1)]

        # Cycle 3: shift the leading one to the top.
        shifted, places = normalize_left(m, total_2, name="total")
        total_3 = Signal(SUM_BITS, reset_less=True)
        zeros_3 = Signal(len(places), reset_less=True)
        m.d.sync += [side_3.eq(side_2), total_3.eq(shifted), zeros_3.eq(places)]

        # Cycle 4: round and pack. The sum's top bit weighs twice the larger's leading bit.
        magnitude = rounded_magnitude(m, total_3, side_3.exponent + 1 - zeros_3)
        sign = Mux(total_3[-1], side_3.sign, side_3.sign_of_zero)
        number = Cat(Mux(side_3.is_infinite, INFINITY, magnitude)[: FP32.width - 1], sign)
        result = Signal(FP32.width, reset_less=True)
        m.d.sync += result.eq(Mux(side_3.is_nan, QUIET_NAN, number))
        m.d.comb += self.o.eq(result)
        return m

    def _align(self, m, significand, distance):
        """Shift right by a distance, all bits that fall off gathered in the lowest one."""
        value, sticky = Cat(Const(0, EXTRA_BITS - 1), significand), Const(0, 1)
        levels = len(value).bit_length()
        for level in range(levels):
            places = 1 << level
            shifted = Signal(len(value), name=f"addend_by_{places}")
            fallen = Signal(name=f"fallen_by_{places}")
            m.d.comb += [
                shifted.eq(Mux(distance[level], value >> places, value)),
                fallen.eq(sticky | distance[level] & value[:places].any()),
            ]
            value, sticky = shifted, fallen
        # From farther away it is below half a unit, even of the next lower binade: nothing changes.
        return Mux(distance[levels:].any(), 0, Cat(sticky, value))


def _significand(number):
    """Give a number's significand; that of a subnormal is zero."""
    is_normal = number.exponent != 0
    return Cat(Mux(is_normal, number.mantissa, 0), is_normal)
