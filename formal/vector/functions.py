"""Proof of `hw.vector.functions`."""

from amaranth import Cat, Const, Mux, Signal

import hw.vector.functions as module
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof
from formal.vector.delayed import delayed, is_known
from golden.memory.jobs import Function
from golden.vector.formats import EXP2_LIMIT

INFINITY, QUIET_NAN = 0x7F800000, 0x7FC00000


class FunctionsHarness(Harness):
    """exp2, or none, of what adders and products hand out; the table's value is anything."""

    def prove(self, m):
        dut = module.Functions(("exp2",))
        m.submodules.dut, hollow = with_hollows(self, dut, ((module, ("Interpolation",)),))
        (table,) = hollow["Interpolation"]
        self.free_inputs(m, dut)
        self.assume(m, (dut.i[:31] <= INFINITY) | (dut.i == QUIET_NAN))
        self.assume(m, (dut.i[23:31] != 0) | (dut.i[:23] == 0))
        ours, x = is_known(m, dut.latency), delayed(m, dut.i, dut.latency, "x")
        is_exp2 = delayed(m, dut.chosen, dut.latency, "chosen") == Function.EXP2
        value = delayed(m, table.o, 1, "value")
        argument = delayed(m, table.argument, 1, "argument")

        # The number in whole multiples of half a table's unit and a bit for what lies below: a
        # significand * 2^(exponent - 150 + 16), of those which are neither large nor tiny.
        exponent, sign = x[23:31], x[31]
        is_nan, is_infinite = x == QUIET_NAN, x[:31] == INFINITY
        is_large, is_tiny = exponent >= 134, exponent < 111  # from 128 on; below 2^-16
        wide, units = Signal(24 + 23), Signal(24)
        m.d.comb += [wide.eq(Cat(x[:23], 1) << (exponent - 111)[:5]),
                     units.eq(Mux(is_tiny, 0, ((wide >> 23) + 1) >> 1))]
        rounded = Mux(sign, -units, units)
        whole = Signal(10)
        m.d.comb += whole.eq(rounded >> 15)
        above = Mux(is_large, ~sign, whole.as_signed() >= EXP2_LIMIT)
        below = Mux(is_large, sign, whole.as_signed() < -126)
        largest = (127 + EXP2_LIMIT << 23) - 256
        number = Signal(32)
        biased = (whole + 127)[:8]
        m.d.comb += number.eq(Mux(above, largest, Mux(below, 0, Cat(
            Const(0, 8), value[:15], biased, Const(0, 1)))))
        inner = ours & is_exp2 & ~is_nan & ~is_infinite
        self.cover(m, "least", inner & (dut.o[23:31] == 1))
        self.cover(m, "largest", inner & (dut.o == largest) & dut.saturated)
        self.check(m, "none", ~ours | is_exp2 | (dut.o == x) & ~dut.saturated)
        self.check(m, "nan", ~(ours & is_exp2 & is_nan) | (dut.o == QUIET_NAN) & ~dut.saturated)
        self.check(m, "infinity", ~(ours & is_exp2 & is_infinite)
                   | (dut.o == Mux(sign, 0, INFINITY)) & (dut.saturated == ~sign))
        self.check(m, "number", ~inner | (dut.o == number))
        self.check(m, "saturated", ~inner | (dut.saturated == above))
        self.check(m, "argument", ~inner | above | below | (argument == rounded[:15]))


PROOFS = (Proof(
    name="functions", make=FunctionsHarness, depth=3, steps=4,
    says="The argument is rounded to a multiple of 2^-15. exp2 has the exponent of its whole part, "
         "and asks the table for the rest; from 96 on it saturates and says so, below -126 it is "
         "zero; infinity is infinity, saturated, minus infinity zero, the NaN the NaN. Without a "
         "function a number leaves as it is.",
    assumes="No subnormals, and no NaN but the quiet one, as `FP32Adder` and `Product` hand out.",
    bounds="exp2 alone; the table is cut off and hands out anything.",
    mutants=(
        Mutant("hw.vector.exponential", ">= EXP2_LIMIT", "> EXP2_LIMIT"),
        Mutant("hw.vector.exponential", "is_above & ~(is_special & is_nan)", "is_above"),
        Mutant("hw.vector.exponential", "is_special & ~sign)", "is_special & ~sign & ~is_nan)"),
        Mutant("hw.vector.fixed", "(near[0] ^ is_negative)", "(near[0] | is_negative)"))),)
