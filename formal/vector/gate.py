"""Proof of `hw.vector.gate`."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import hw.vector.gate as module
from formal.floats.nearest import is_nearest
from formal.harness import Harness
from formal.proof import Mutant, Proof

ONE = 1 << module.VALUE_BITS


class Gate(wiring.Component):
    """The gate of a table's value."""

    value: In(module.VALUE_BITS + 1)
    is_negative: In(1)
    o: Out(24)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(module.gate_of(m, self.value, self.is_negative))
        return m


class GateHarness(Harness):
    """The gate is the number of 16 bits that is nearest to the value, or to 1 less the value."""

    def prove(self, m):
        m.submodules.dut = dut = Gate()
        self.free_inputs(m, dut)
        self.assume(m, (dut.value >= ONE // 2) & (dut.value <= ONE))
        exact, place = Signal(module.VALUE_BITS + 1), Signal(9)
        mantissa, exponent = dut.o[:15], dut.o[15:23]
        m.d.comb += [exact.eq(Mux(dut.is_negative, ONE - dut.value, dut.value)),
                     place.eq(exponent - (127 + 15 - module.VALUE_BITS))]
        self.cover(m, "least", exact == 1)
        self.check(m, "zero", (dut.o == 0) == (exact == 0))
        self.check(m, "positive", ~dut.o[-1])
        self.check(m, "nearest", (exact == 0) | is_nearest(
            m, Cat(mantissa, 1), place.as_signed(), exact))


PROOFS = (Proof(
    name="gate", make=GateHarness, depth=0, steps=1,
    says="A gate is the V24 number nearest to the table's value, of two as near the even one; of a "
         "negative number nearest to 1 less the value.",
    assumes="The table's value is from 1/2 to 1.",
    mutants=(
        Mutant(module.__name__, "value[0] & value[1]", "value[0]"),
        Mutant(module.__name__, "(is_negative | value[0]", "(value[0]"),
        Mutant(module.__name__, "FP32.bias - zeros - is_negative", "FP32.bias - zeros"))),)
