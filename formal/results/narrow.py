"""Proof of `hw.results.narrow`."""

from amaranth import Cat, Const, Mux, Signal

import hw.results.narrow as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BF16, FP16, FP32
from hw.contract.job_codes import Output

UNIT = -25
"""Values are compared in units of 2^-25: half of FP16's least number, so that all of what lies
midway between two of its numbers is a whole number of them."""

LARGEST = 1 << 16 - UNIT
"""What the number behind FP16's largest would be, where infinity stands."""


class NarrowHarness(Harness):
    """The result is the nearest number, and of two as near the even one.

    Not the rounding is written again, but what it must reach: between the neighbours' midpoints.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.Narrow()
        self.free_inputs(m, dut)
        x = Signal(FP32.width)
        to = Signal(dut.to.shape())
        is_there = Signal()
        loaded = Signal()
        known = Signal()  # something was loaded
        before = Signal(FP32.width)
        m.d.sync += [loaded.eq(dut.load), known.eq(known | dut.load), before.eq(dut.o)]
        with m.If(dut.load):
            m.d.sync += [x.eq(dut.i), to.eq(dut.to), is_there.eq(dut.is_there)]
        mantissa, exponent, sign = x[:FP32.mantissa_bits], x[FP32.mantissa_bits:-1], x[-1]
        is_nan = exponent.all() & mantissa.any()
        self.check(m, "stays", loaded | ~known | (dut.o == before))
        self.check(m, "absent_is_zero", ~loaded | is_there | (dut.o == 0))
        here = Signal()
        m.d.comb += here.eq(loaded & is_there)
        self.check(m, "fp32_is_left", ~here | (to != Output.FP32) | (dut.o == x))
        for name, output, fmt, holds in (
                ("fp16", Output.FP16, FP16, self._is_nearest_fp16(m, dut.o, mantissa, exponent)),
                ("bf16", Output.BF16, BF16, self._is_nearest_bf16(m, dut.o, x))):
            quiet_nan = (2 << fmt.exponent_bits) - 1 << fmt.mantissa_bits - 1
            asked = here & (to == output)
            self.cover(m, f"{name}_tie", asked & (mantissa == 1 << 12) & dut.o.any())
            self.check(m, f"{name}_nan", ~asked | ~is_nan | (dut.o == quiet_nan))
            self.check(m, f"{name}_sign", ~asked | is_nan | (dut.o[fmt.width - 1:] == sign))
            self.check(m, name, ~asked | is_nan | holds)

    def _is_nearest_fp16(self, m, result, mantissa, exponent):
        """Compare with the midpoints around an FP16 magnitude."""
        pattern = result[:FP16.width - 1]
        value, below, above = (Signal(range(2 * LARGEST), name=name)
                               for name in ("value", "below", "above"))
        m.d.comb += [value.eq(_value(pattern)), below.eq(_value((pattern - 1)[:FP16.width - 1])),
                     above.eq(_value((pattern + 1)[:FP16.width - 1]))]
        # The number itself: whole units, and whether there is more. Above, a number is infinity.
        shift = FP32.bias + FP32.mantissa_bits + UNIT  # exponent whose significand is in units
        significand = Signal(FP32.mantissa_bits + 1)
        units = Signal(range(LARGEST))
        has_more = Signal()
        is_over = exponent >= FP32.bias + 16
        m.d.comb += significand.eq(Cat(mantissa, exponent != 0))
        with m.If(exponent >= shift):
            m.d.comb += units.eq(significand << (exponent - shift)[:5])
        with m.Elif(exponent > shift - 32):
            right = (shift - exponent)[:5]
            m.d.comb += [units.eq(significand >> right),
                         has_more.eq((significand & ((Const(1, 32) << right) - 1)).any())]
        with m.Else():
            m.d.comb += has_more.eq(significand.any() | mantissa.any())
        infinity = Const((1 << FP16.exponent_bits) - 1 << FP16.mantissa_bits, FP16.width - 1)
        is_even = ~pattern[0]
        over_lower = Mux(pattern == 0, 1, (2 * units > below + value)
                         | (2 * units == below + value) & (has_more | is_even))
        # With more than whole units it is still below a midpoint, which is a whole one.
        under_upper = Mux(pattern == infinity, 1, (2 * units < value + above)
                          | (2 * units == value + above) & ~has_more & is_even)
        return Mux(is_over, pattern == infinity,
                   (pattern <= infinity) & over_lower & under_upper)

    def _is_nearest_bf16(self, m, result, x):
        """BF16 is the upper half of FP32, so its numbers' midpoints are half of the lower half."""
        pattern, magnitude = result[:BF16.width - 1], x[:-1]
        low = FP32.width - BF16.width
        twice = Signal(FP32.width + 1)
        m.d.comb += twice.eq(magnitude << 1)
        middle = Cat(Const(0, low), pattern)
        half = 1 << low  # twice the distance from a number to the midpoint
        is_even, is_subnormal = ~pattern[0], x[FP32.mantissa_bits:-1] == 0
        is_zero = pattern == 0
        nearest = ((twice + half >= middle << 1) & (twice <= (middle << 1) + half)
                   & (is_even | (twice + half != middle << 1) & (twice != (middle << 1) + half)))
        is_infinite = x[FP32.mantissa_bits:-1].all()
        return Mux(is_subnormal, is_zero, Mux(is_infinite, middle == magnitude, nearest))


def _value(pattern):
    """Return the value of an FP16 magnitude in units of 2^UNIT; of infinity `LARGEST`."""
    mantissa, exponent = pattern[:FP16.mantissa_bits], pattern[FP16.mantissa_bits:]
    return Mux(exponent == 0, mantissa << 1,
               Cat(mantissa, Const(1, 1)) << (exponent - 1)[:FP16.exponent_bits] << 1)


PROOFS = (Proof(
    name="narrow", make=NarrowHarness, depth=1, steps=3,
    says="The result is the nearest FP16 or BF16 number, of two as near the even one; what is "
         "beyond the largest by half a unit is infinity, a NaN the format's quiet NaN, a subnormal "
         "zero in BF16; FP32 is left as it is.",
    mutants=(Mutant(module.__name__, "rest[-1] & (rest[:-1].any() | kept[0])", "rest[-1]"),
             Mutant(module.__name__, "most = kept + 2", "most = kept + 1"),
             Mutant(module.__name__, "Mux(exponent == 0, 0, magnitude)", "magnitude"),
             Mutant(module.__name__, "exponent >= REBIAS + (1 << FP16.exponent_bits) - 1",
                    "exponent >= REBIAS + (1 << FP16.exponent_bits)"))),)
