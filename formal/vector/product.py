"""Proofs of `hw.vector.product`."""

from amaranth import Cat, Mux, Signal, signed

import hw.vector.product as module
from formal.floats.nearest import is_nearest
from formal.harness import Harness
from formal.proof import Mutant, Proof
from formal.vector.delayed import delayed, is_known

INFINITY, QUIET_NAN = 0x7F800000, 0x7FC00000

HALF_BELOW = (1 << 25) - 1
"""Twice half a unit below a power of two, of 24 bits of significand."""


class RoundingHarness(Harness):
    """The product of the significands is anything that two significands can have."""

    def prove(self, m):
        m.submodules.dut = dut = module.Product()
        self.free_inputs(m, dut)
        product = delayed(m, self.cut("dut.product", 32), 1, "product")
        a, b, enable = (delayed(m, value, dut.latency, name) for name, value in (
            ("a", dut.a), ("b", dut.b), ("enable", dut.enable)))
        ours = is_known(m, dut.latency)
        factor = Signal(24)
        m.d.comb += factor.eq(Mux(enable, b, 0x3F8000))
        exponents = Signal(10)
        m.d.comb += exponents.eq(a[23:31] + factor[15:23])
        self.assume(m, product[30:].any())
        is_zero = (a[23:31] == 0) | (factor[15:23] == 0)
        is_infinite = (a[:31] == INFINITY) | (factor[:23] == 0x7F8000) | (
            enable & (a[:31] >= 0x7F7FFF80))
        is_nan = (a[:31] > INFINITY) | (factor[:23] > 0x7F8000) | is_zero & is_infinite
        is_number = ours & ~is_nan & ~is_infinite & ~is_zero
        sign = a[31] ^ factor[23]
        self.check(m, "nan", ~(ours & is_nan) | (dut.o == QUIET_NAN))
        self.check(m, "sign", ~ours | is_nan | (dut.o[31] == sign))
        self.check(m, "zero", ~ours | is_nan | ~is_zero | (dut.o[:31] == 0))
        self.check(m, "infinity", ~ours | is_nan | ~is_infinite | (dut.o[:31] == INFINITY))
        # A number is product * 2^(exponents - 284), and a result significand * 2^(exponent - 150).
        exponent, mantissa = dut.o[23:31], dut.o[:23]
        place = Signal(signed(12))
        m.d.comb += place.eq(exponent - exponents + 134)
        is_over, is_not_under = (self._reaches(m, product, exponents - top) for top in (387, 133))
        self.cover(m, "carry", is_number & (place == 9) & (exponent == 100))
        self.check(m, "overflow", ~is_number | (exponent.all() == is_over))
        self.check(m, "underflow", ~is_number | ((exponent != 0) == is_not_under))
        self.check(m, "no_subnormals", ~is_number | (exponent != 0) & ~exponent.all()
                   | (mantissa == 0))
        self.check(m, "nearest", ~is_number | is_over | ~is_not_under
                   | is_nearest(m, Cat(mantissa, 1), place, product))

    def _reaches(self, m, product, power):
        """Tell whether a product of 31 or 32 bits, times a power of two, is `HALF_BELOW`."""
        right = (-power)[:3]
        return (power > -5) | (power > -8) & (product >= (HALF_BELOW << right))


class SkippedHarness(Harness):
    """Without a factor."""

    def prove(self, m):
        m.submodules.dut = dut = module.Product()
        self.free_inputs(m, dut, but=("enable",))
        a, ours = delayed(m, dut.a, dut.latency, "a"), is_known(m, dut.latency)
        is_nan, is_zero = a[:31] > INFINITY, a[23:31] == 0
        self.cover(m, "low_bits", ours & (dut.o[:8] == 0x5A))
        self.check(m, "as_it_was", ~ours | (dut.o == Mux(
            is_nan, QUIET_NAN, Cat(Mux(is_zero, 0, a[:31]), a[31]))))


PROOFS = (Proof(
    name="product_rounding", make=RoundingHarness, depth=3, steps=4,
    says="The result is the number nearest to the exact product, of two as near the even one; "
         "beyond FP32's range infinity, below its normals zero, of the product's sign; subnormals "
         "count as zeros; zero times infinity and whatever has a NaN is the quiet NaN.",
    bounds="The product of the significands is cut off, and is anything that it can be.",
    mutants=(
        Mutant(module.__name__, "| is_infinite & is_zero)", "| 0)"),
        Mutant(module.__name__, "ends[0] | ends[1] | overflows", "ends[0] | ends[1]"),
        Mutant(module.__name__, "exponent - FP32.bias + is_wide", "exponent - FP32.bias"),
        Mutant("hw.floats.fp32_rounding", "(guard & (sticky | kept[0]))", "guard"))), Proof(
    name="product_skipped", make=SkippedHarness, depth=3, steps=4,
    says="Without a factor a number leaves with all its bits; a subnormal as the zero of its sign, "
         "a NaN as the quiet NaN.",
    assumes="No product has a factor.",
    mutants=(
        Mutant(module.__name__, "Mux(self.enable, self.b, ONE)", "self.b"),
        Mutant(module.__name__, "- DROPPED_BITS), dropped)", "- DROPPED_BITS), 0 & dropped)"),
        Mutant(module.__name__, "carry & self.enable", "carry"))))
