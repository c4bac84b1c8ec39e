"""Proof of `hw.vector.v24`."""

from amaranth import Cat, Signal

import hw.vector.v24 as module
from formal.floats.nearest import is_nearest
from formal.harness import Harness
from formal.proof import Mutant, Proof

HALF_BELOW = (1 << 24) - (1 << 7)
"""The significand of the largest exponent from which on V24 has infinity, half a unit below."""


class V24RounderHarness(Harness):
    """Not the rounding is written again, but how near the result must be."""

    def prove(self, m):
        m.submodules.dut = dut = module.V24Rounder()
        self.free_inputs(m, dut)
        mantissa, exponent, sign = dut.i[:23], dut.i[23:31], dut.i[31]
        to_mantissa, to_exponent, to_sign = dut.o[:15], dut.o[15:23], dut.o[23]
        significand, place = Signal(24), Signal(9)
        m.d.comb += [significand.eq(Cat(mantissa, 1)), place.eq(to_exponent - exponent + 8)]
        is_zero, is_special = exponent == 0, exponent.all()
        is_nan = is_special & mantissa.any()
        becomes_infinite = is_special | (exponent == 254) & (significand >= HALF_BELOW)
        self.cover(m, "carry", (exponent == 3) & (to_exponent == 4))
        self.check(m, "nan", ~is_nan | (dut.o == 0x7FC000))
        self.check(m, "sign", is_nan | (to_sign == sign))
        self.check(m, "zero", ~is_zero | (dut.o[:23] == 0))
        self.check(m, "infinity", is_nan | (
            (dut.o[:23] == 0x7F8000) == becomes_infinite) & (
                becomes_infinite | ~to_exponent.all()))
        self.check(m, "nearest", is_zero | becomes_infinite | is_nearest(
            m, Cat(to_mantissa, 1), place.as_signed(), significand))


PROOFS = (Proof(
    name="v24", make=V24RounderHarness, depth=0, steps=1,
    says="The result is the nearest number of 16 bits of significand, of two as near the even one; "
         "beyond the largest by half a unit infinity; a subnormal the zero of its sign, a NaN the "
         "quiet NaN.",
    mutants=(
        Mutant(module.__name__, "(dropped[:-1].any() | pattern[DROPPED_BITS])", "1"),
        Mutant(module.__name__, "Mux(exponent == 0, 0, rounded)", "rounded"),
        Mutant(module.__name__, "self.i[:FP32.mantissa_bits].any()", "self.i[22]"))),)
