"""One number of a row as the integers that its statistics add up."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import SQUARE_BITS, SUM_BITS

SHIFT_BITS = SUM_BITS.bit_length()
"""Bits of a shift that leaves something."""

FINE_BITS = SUM_BITS - SQUARE_BITS
"""Bits of a fine number below those of a coarse one."""


class Units(data.Struct):
    """A number's magnitude as integers: its coarse number, and how much the fine one is beside it.

    The fine number is ``2**11 * coarse + rest + rounds``.

    Members
    -------
    coarse : unsigned(14)
        In units of 2^(E - 139), rounded; 2^13 at most.
    rest : signed(11)
        In units of 2^(E - 150), rounded down. Negative where ``coarse`` is rounded up.
    rounds : unsigned(1)
        The bit that rounding adds to that.
    sign : unsigned(1)
    """

    coarse: SQUARE_BITS + 1
    rest: signed(FINE_BITS)
    rounds: 1
    sign: 1


class RowElement(wiring.Component):
    """Shift a number to its row's largest exponent and round it, combinationally.

    All shifts go to the right. Subnormals count as zeros, and so does what is not valid.

    Members
    -------
    element : In(32)
        FP32 pattern, no infinity and no NaN.
    is_valid : In(1)
    exponent : In(8)
        The row's largest biased exponent.
    units : Out(Units)
    """

    element: In(FP32.width)
    is_valid: In(1)
    exponent: In(FP32.exponent_bits)
    units: Out(Units)

    def elaborate(self, platform):
        m = Module()
        own = self.element[FP32.mantissa_bits : -1]
        distance = Signal(FP32.exponent_bits)
        is_kept = Signal()
        significand = Signal(SUM_BITS + 1)
        m.d.comb += [
            distance.eq(self.exponent - own),
            is_kept.eq(self.is_valid & own.any() & ~distance[SHIFT_BITS:].any()),
            significand.eq(Cat(0, self.element[: FP32.mantissa_bits], 1)),
        ]
        value = significand
        # What is not kept is cleared in the widest step, which masks most of the places anyway.
        for level in reversed(range(SHIFT_BITS)):
            places = 1 << level
            shifted = Signal(len(value), name=f"shifted_by_{places}")
            moves, stays = distance[level], ~distance[level]
            if places == 1 << SHIFT_BITS - 1:
                moves, stays = moves & is_kept, stays & is_kept
                m.d.comb += shifted.eq(Mux(moves, value >> places, 0) | Mux(stays, value, 0))
            else:
                m.d.comb += shifted.eq(Mux(moves, value >> places, value))
            value = shifted
        # The bit that rounds a coarse number is the highest one of the rest. Adding it there adds
        # twice its weight, so that it is the rest's sign.
        split = 1 + FINE_BITS
        m.d.comb += [
            self.units.coarse.eq(value[split:] + value[split - 1]),
            self.units.rest.eq(value[1:split]), self.units.rounds.eq(value[0]),
            self.units.sign.eq(self.element[-1]),
        ]
        return m
