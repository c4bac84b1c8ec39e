"""Proof of `hw.floats.fp32_adder`."""

from amaranth import Cat, Const, Mux, Signal, signed

import hw.floats.fp32_adder as module
from formal.floats.nearest import is_nearest
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import FP32

SIGNIFICAND_BITS = FP32.mantissa_bits + 1

FAR = 26
"""Binades between two numbers from which on their sum is the larger one."""

BITS = SIGNIFICAND_BITS + FAR + 1
"""Of sums in units of the smaller number's lowest bit."""

INFINITY = 0x7F800000
QUIET_NAN = 0x7FC00000


class FP32AdderHarness(Harness):
    """The sum of two patterns as a whole number, and how near the result must be to it.

    Units are those of the smaller number's lowest bit, while the larger is fewer than `FAR` binades
    above it; else the sum is the larger one.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.FP32Adder()
        self.free_inputs(m, dut)
        a, b = dut.a, Mux(dut.enable, dut.b, 1 << 31)
        for cycle in range(dut.latency):
            held_a, held_b = (Signal(32, name=f"{name}_{cycle}", reset_less=True)
                              for name in ("a", "b"))
            m.d.sync += [held_a.eq(a), held_b.eq(b)]
            a, b = held_a, held_b
        age = Signal(range(dut.latency + 1))
        m.d.sync += age.eq(Mux(age == dut.latency, age, age + 1))
        ours = Signal()
        m.d.comb += ours.eq(age == dut.latency)

        larger, smaller = Signal(32), Signal(32)
        m.d.comb += [larger.eq(Mux(a[:-1] >= b[:-1], a, b)),
                     smaller.eq(Mux(a[:-1] >= b[:-1], b, a))]
        subtracts = a[-1] ^ b[-1]
        is_nan, is_infinite = Signal(), Signal()
        m.d.comb += [
            is_nan.eq((larger[:-1] > INFINITY)
                      | (smaller[:-1] == INFINITY) & (larger[:-1] == INFINITY) & subtracts),
            is_infinite.eq((larger[:-1] == INFINITY) & ~is_nan)]
        is_finite = ours & ~is_nan & ~is_infinite
        self.check(m, "nan", ~(ours & is_nan) | (dut.o == QUIET_NAN))
        self.check(m, "infinity", ~(ours & is_infinite) | (dut.o == larger))
        self._finite(m, dut.o, larger, smaller, subtracts, is_finite)

    def _finite(self, m, result, larger, smaller, subtracts, is_finite):
        tops = [pattern[FP32.mantissa_bits:-1] for pattern in (larger, smaller)]
        is_zero = [top == 0 for top in tops]  # a subnormal counts as zero
        significands = [Signal(SIGNIFICAND_BITS, name=name) for name in ("high", "low")]
        m.d.comb += [significand.eq(Mux(zero, 0, Cat(pattern[:FP32.mantissa_bits], 1)))
                     for significand, zero, pattern in
                     zip(significands, is_zero, (larger, smaller), strict=True)]
        distance = Signal(FP32.exponent_bits)
        m.d.comb += distance.eq(tops[0] - tops[1])
        sign_of_zero = larger[-1] & smaller[-1]
        is_alone, is_near = Signal(), Signal()
        m.d.comb += [
            is_alone.eq(is_finite & ~is_zero[0] & (is_zero[1] | (distance >= FAR))),
            is_near.eq(is_finite & ~is_zero[0] & ~is_zero[1] & (distance < FAR))]
        total = Signal(BITS)
        shifted = Signal(BITS)
        m.d.comb += [shifted.eq(significands[0] << distance[:5]),
                     total.eq(Mux(subtracts, shifted - significands[1],
                                  shifted + significands[1]))]
        mantissa, exponent, sign = (result[:FP32.mantissa_bits], result[FP32.mantissa_bits:-1],
                                    result[-1])
        self.check(m, "zeros", ~(is_finite & is_zero[0])
                   | (result == Cat(Const(0, 31), sign_of_zero)))
        self.check(m, "larger_alone", ~is_alone | (result == larger))
        self.cover(m, "cancels", is_near & (total == 1))
        self.check(m, "cancelled", ~(is_near & (total == 0)) | (result == 0))
        self.check(m, "sign", ~(is_near & (total != 0)) | (sign == larger[-1]))
        self.check(m, "no_subnormals", ~is_near
                   | ((exponent != 0) & ~exponent.all()) | (mantissa == 0))
        place = Signal(signed(10))  # of the result's lowest bit above the smaller number's
        m.d.comb += place.eq(exponent - tops[1])
        is_number = (exponent != 0) & ~exponent.all()
        nearest = is_nearest(m, Cat(mantissa, 1), place, total)
        for apart in range(FAR):  # a case for each, which is easier than all of them together
            self.check(m, f"nearest_{apart}", ~(is_near & (total != 0) & is_number)
                       | (distance != apart) | nearest)
        # Below 2^-126, and from half a unit below 2^128 on, in the smaller number's units.
        half_below = (1 << SIGNIFICAND_BITS + 1) - 1
        is_under = (tops[1] <= SIGNIFICAND_BITS) & (
            ((2 * total) << tops[1][:5]) < half_below)
        self.check(m, "underflow", ~(is_near & (total != 0)) | ((exponent == 0) == is_under))
        over = Signal(8)
        m.d.comb += over.eq(254 - tops[1])
        is_over = (over < 32) & (2 * total >= (half_below << over[:5]))
        self.check(m, "overflow", ~is_near | (exponent.all() == is_over))


PROOFS = (Proof(
    name="fp32_adder", make=FP32AdderHarness, depth=5, steps=6, one_by_one=True,
    says="The sum of two FP32 numbers, rounded to the nearest, of two as near the even one; beyond "
         "FP32's range infinity, below its normals the zero of its sign; x - x is +0; subnormals "
         "count as zeros; what has no value is the quiet NaN.",
    mutants=(
        Mutant("hw.floats.fp32_rounding", "(guard & (sticky | kept[0]))", "guard"),
        Mutant(module.__name__, "fallen.eq(sticky | distance", "fallen.eq(distance"),
        Mutant(module.__name__, "larger.mantissa != 0) | (", "larger.mantissa != 0) & ("),
        Mutant(module.__name__, "sign_of_zero.eq(a.sign & b.sign)", "sign_of_zero.eq(a.sign)"))),)
