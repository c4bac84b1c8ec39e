"""Proof of `hw.vector.row_element`."""

from amaranth import Cat, Mux, Signal

import hw.vector.row_element as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import FP32
from golden.vector.formats import SUM_BITS

FAR = 32
"""Binades from which on nothing is left of any number."""


class RowElementHarness(Harness):
    """Not the rounding is written again, but how near the results must be."""

    def prove(self, m):
        m.submodules.dut = dut = module.RowElement()
        self.free_inputs(m, dut)
        own, mantissa = dut.element[FP32.mantissa_bits:-1], dut.element[:FP32.mantissa_bits]
        self.assume(m, ~dut.is_valid | (own <= dut.exponent))
        significand = Signal(SUM_BITS)
        distance = Signal(FP32.exponent_bits)
        m.d.comb += [
            significand.eq(Mux(dut.is_valid & (own != 0), Cat(mantissa, 1), 0)),
            distance.eq(Mux(dut.is_valid, dut.exponent - own, 0))]
        units = dut.units
        fine = Signal(SUM_BITS + 2)
        m.d.comb += fine.eq((units.coarse << module.FINE_BITS) + units.rest + units.rounds)
        is_near = distance < FAR
        self.check(m, "sign", units.sign == dut.element[-1])
        for name, number, places in (("fine", fine, 0), ("coarse", units.coarse, module.FINE_BITS)):
            # Twice the exact number lies between an odd number of halves below and above.
            low, high = (Signal(2 * SUM_BITS + FAR, name=f"{end}_{name}") for end in
                         ("low", "high"))
            twice, shift = 2 * significand, distance[:5]
            m.d.comb += [low.eq((2 * number << places) << shift),
                         high.eq((1 << places) << shift)]
            self.check(m, f"{name}_nearest", ~is_near | (
                (low <= twice + high) & (twice < low + high)))
            self.check(m, f"{name}_far", is_near | (number == 0))
        self.cover(m, "tie", is_near & (distance == 3) & (significand[:3] == 4))
        self.cover(m, "rounded_up", units.coarse[-1])


PROOFS = (Proof(
    name="row_element", make=RowElementHarness, depth=0, steps=1,
    says="The coarse and the fine number are the integers nearest to the element in their units, "
         "halves away from zero; what is not valid, zero or subnormal is zero.",
    assumes="No valid element has a larger exponent than the row.",
    mutants=(
        Mutant(module.__name__, "value[split:] + value[split - 1]", "value[split:]"),
        Mutant(module.__name__, "self.is_valid & own.any() &", "self.is_valid &"),
        Mutant(module.__name__, " & ~distance[SHIFT_BITS:].any()", ""),
        Mutant(module.__name__, "self.units.rounds.eq(value[0])", "self.units.rounds.eq(0)"))),)
