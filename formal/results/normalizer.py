"""Proof of `hw.results.normalizer`."""

from amaranth import Cat, Const, Mux, Signal, signed

import hw.results.normalizer as module
from formal.floats.nearest import is_nearest
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import FP32
from hw.contract.config import Config

CONFIG = Config.sized(rows=8, cols=8)
"""The default machine's accumulator."""

SIGNIFICAND_BITS = FP32.mantissa_bits + 1


class NormalizerHarness(Harness):
    """What left is the nearest of the numbers with 24 bits, whatever exponent those may have.

    Not the rounding is written again, but how near the result must be.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.Normalizer(
            acc_width=CONFIG.acc_width, fraction_bits=CONFIG.fraction_bits)
        self.free_inputs(m, dut)
        given = dut.i
        for cycle in range(dut.latency):
            held = Signal.like(dut.i, name=f"given_{cycle}", reset_less=True)
            m.d.sync += held.eq(given)
            given = held
        age = Signal(range(dut.latency + 1))
        m.d.sync += age.eq(Mux(age == dut.latency, age, age + 1))
        ours = Signal()
        m.d.comb += ours.eq(age == dut.latency)

        accumulator = given.accumulator
        magnitude = Signal(CONFIG.acc_width)
        m.d.comb += magnitude.eq(Mux(accumulator < 0, -accumulator, accumulator))
        mantissa, exponent, sign = (dut.o[:FP32.mantissa_bits], dut.o[FP32.mantissa_bits:-1],
                                    dut.o[-1])
        # The value is magnitude * 2^scale; a normal result is significand * 2^(exponent - 150).
        scale = Signal(signed(12))
        m.d.comb += scale.eq(given.exponent_sum - 2 * FP32.bias - module.PRODUCT_BINADES
                             - CONFIG.fraction_bits)
        place = Signal(signed(12))  # of the significand's lowest bit, beside the magnitude's
        m.d.comb += place.eq(exponent - (FP32.bias + FP32.mantissa_bits) - scale)
        is_zero, is_infinite, is_number = Signal(), Signal(), Signal()
        m.d.comb += [is_zero.eq(exponent == 0), is_infinite.eq(exponent.all()),
                     is_number.eq(ours & ~given.is_nan)]
        self.cover(m, "carry", is_number & (mantissa == 0) & (place == 3) & magnitude[:10].all())
        self.check(m, "nan", ~(ours & given.is_nan) | (dut.o == module.QUIET_NAN))
        self.check(m, "sign", ~is_number | (sign == (accumulator < 0)))
        self.check(m, "no_subnormals", ~is_number | ((~is_zero & ~is_infinite) | (mantissa == 0)))
        self.check(m, "nearest", ~is_number | is_zero | is_infinite
                   | is_nearest(m, Cat(mantissa, 1), place, magnitude))
        # The two ends: half a unit below 2^-126, and half a unit below 2^128.
        self.check(m, "zero", ~is_number | (is_zero == self._is_below(m, magnitude, scale, 126)))
        self.check(m, "infinity", ~is_number
                   | (is_infinite == ~self._is_below(m, magnitude, scale, -128)))

    def _is_below(self, m, magnitude, scale, power):
        """Tell whether magnitude * 2^scale is less than (2^24 - 1/2) / 2^(24 + power)."""
        shift = Signal(signed(13), name=f"shift_{power + 128}")
        m.d.comb += shift.eq(-(SIGNIFICAND_BITS + power) - scale)  # of the bound
        bound = Const((1 << SIGNIFICAND_BITS + 1) - 1, SIGNIFICAND_BITS + 1)
        doubled = Cat(0, magnitude)
        return Mux(shift >= 0, Mux(shift > CONFIG.acc_width, 1, doubled < (bound << shift[:6])),
                   Mux(shift < -2 * SIGNIFICAND_BITS, magnitude == 0,
                       (doubled << (-shift)[:6]) < bound))


PROOFS = (Proof(
    name="normalizer", make=NormalizerHarness, depth=4, steps=5,
    says="The result is the number with 24 bits nearest to the accumulator at its exponent, of two "
         "as near the even one; beyond FP32's range infinity, below its normals zero, of the sign "
         "of the accumulator; a NaN the quiet NaN.",
    bounds="The default machine's accumulator.",
    mutants=(
        Mutant("hw.floats.fp32_rounding", "(guard & (sticky | kept[0]))", "guard"),
        Mutant("hw.floats.fp32_rounding", "(biased <= 0)", "(biased < 0)"),
        Mutant(module.__name__, "side.exponent_sum + offset - leading_zeros",
               "side.exponent_sum + offset"),
        Mutant(module.__name__, "inverted.as_unsigned() + is_negative", "inverted.as_unsigned()"),
    )),)
