"""Proof of `hw.vector.fixed`."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import hw.vector.fixed as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.vector.exponential import ARGUMENT_WIDTH, PLACE

FARTHEST = 26
"""Places to the right from which on every significand is nearest to zero."""


class Fixed(wiring.Component):
    """An FP32 number in units of exp2's argument."""

    i: In(32)
    units: Out(ARGUMENT_WIDTH + 2)
    overflows: Out(1)

    def elaborate(self, platform):
        m = Module()
        units, overflows = module.to_fixed(
            m, Cat(self.i[:23], Const(1, 1)), self.i[23:31], width=ARGUMENT_WIDTH,
            largest=module.largest_exponent(PLACE, ARGUMENT_WIDTH), is_negative=self.i[31],
            name="number")
        m.d.comb += [self.units.eq(units), self.overflows.eq(overflows)]
        return m


class FixedHarness(Harness):
    """Multiplied back, the units enclose the number."""

    def prove(self, m):
        m.submodules.dut = dut = Fixed()
        self.free_inputs(m, dut)
        exponent, sign = dut.i[23:31], dut.i[31]
        significand, right = Signal(24), Signal(range(FARTHEST + 1))
        # The number is significand * 2^(exponent - 150), and a unit 2^-PLACE.
        places = 150 - PLACE - exponent
        magnitude, units = Signal(ARGUMENT_WIDTH + 1), dut.units.as_signed()
        m.d.comb += [
            significand.eq(Mux(exponent == 0, 0, Cat(dut.i[:23], 1))),
            right.eq(Mux(places > FARTHEST, FARTHEST, places)),
            magnitude.eq(Mux(units < 0, -units, units))]
        twice = Const(1, 1) << right  # a unit, where the significand counts twice
        least = Signal(64)
        m.d.comb += least.eq(magnitude << right)
        doubled = Cat(0, significand)
        # From half a unit below on, up to half a unit above without it.
        is_nearest = ((least << 1) <= doubled + twice) & (doubled < (least << 1) + twice)
        limit = 127 + ARGUMENT_WIDTH - PLACE
        self.cover(m, "least", ~dut.overflows & (units == -1))
        self.check(m, "overflows", dut.overflows == (exponent >= limit))
        self.check(m, "nearest", dut.overflows | is_nearest)
        self.check(m, "sign", dut.overflows | (units == 0) | (sign == (units < 0)))


PROOFS = (Proof(
    name="fixed", make=FixedHarness, depth=0, steps=1,
    says="The units are the nearest whole number of them, of two as near the one farther from "
         "zero, with the number's sign; it overflows from 128 on.",
    bounds="Units and width of exp2's argument.",
    mutants=(
        Mutant(module.__name__, "(near[0] ^ is_negative)", "(near[0] | is_negative)"),
        Mutant(module.__name__, "(~is_far).replicate(len(kept))", "Const(-1, len(kept))"),
        Mutant(module.__name__, "width - 1 - place", "width - place"))),)
