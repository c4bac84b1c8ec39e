"""Proofs of `hw.array.mac_cell`."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import hw.array.mac_cell as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config

CONFIG = Config.sized(rows=8, cols=8)
"""The default machine's cell."""

PRODUCT_BITS = 15


class AlignedAddendHarness(Harness):
    """Rounding half up, as what it must reach: no multiple of the unit lies closer."""

    def prove(self, m):
        m.submodules.dut = dut = module.AlignedAddend(
            product_width=PRODUCT_BITS, fraction_bits=CONFIG.fraction_bits,
            shift_width=CONFIG.drop_width)
        self.free_inputs(m, dut)
        width = dut.width + (1 << CONFIG.drop_width) + 2
        twice, half_below, half_above = (Signal(signed(width), name=name) for name in
                                         ("twice", "half_below", "half_above"))
        result = Signal(signed(dut.width + 2))
        m.d.comb += [
            result.eq(dut.addend + dut.carry),
            twice.eq(dut.product << (CONFIG.fraction_bits + 1)),  # of the exact quotient's units
            half_below.eq((2 * result - 1) << dut.shift),
            half_above.eq((2 * result + 1) << dut.shift),
        ]
        self.cover(m, "tie", twice == half_below)
        self.check(m, "nearest", (half_below <= twice) & (twice < half_above))


class Accumulator(wiring.Component):
    """`accumulate` with ports of its own."""

    def __init__(self):
        super().__init__({
            "first": In(1), "last": In(1),
            "addend": In(signed(PRODUCT_BITS + CONFIG.fraction_bits)), "carry": In(1),
            "result_in": In(signed(CONFIG.acc_width)),
            "result": Out(signed(CONFIG.acc_width)),
        })

    def elaborate(self, platform):
        m = Module()
        module.accumulate(m, self, Cat(self.carry, self.addend).as_signed())
        return m


class AccumulatorHarness(Harness):
    """Sums that do not overflow, which the widths of a machine see to."""

    def prove(self, m):
        m.submodules.dut = dut = Accumulator()
        self.free_inputs(m, dut)
        total = Signal(signed(CONFIG.acc_width))
        exact = Signal(signed(CONFIG.acc_width + 2))
        result = Signal(signed(CONFIG.acc_width))
        begun = Signal()  # a first beat has been
        known = Signal()  # so the register holds something known
        m.d.comb += exact.eq(Mux(dut.first, 0, total) + dut.addend + dut.carry)
        m.d.sync += [total.eq(exact), begun.eq(begun | dut.first), known.eq(1),
                     result.eq(Mux(dut.last, exact, dut.result_in))]
        self.assume(m, exact == exact[:CONFIG.acc_width].as_signed())
        self.assume(m, begun | dut.first | ~dut.last)
        self.cover(m, "handed_over", known & (dut.result == result) & dut.last & ~dut.first)
        self.check(m, "result", ~known | (dut.result == result))
        self.check(m, "sum", ~begun | (self.look("dut.total", CONFIG.acc_width).as_signed()
                                       == total))


PROOFS = (
    Proof(
        name="aligned_addend", make=AlignedAddendHarness, depth=0, steps=1,
        says="addend + carry is the product at the anchor, rounded half up to a whole unit, for "
             "every shift.",
        bounds="The default machine's widths.",
        mutants=(Mutant(module.__name__, "self.carry.eq(shifted[0])", "self.carry.eq(0)"),
                 Mutant(module.__name__, "shifted.eq(exact >> self.shift)",
                        "shifted.eq(exact.as_unsigned() >> self.shift)"))),
    Proof(
        name="accumulator", make=AccumulatorHarness, depth=1, steps=4,
        says="The sum is that of all addends since the first, each with its carry; with the last "
             "the result register takes it, and in every other cycle what is shifted in.",
        assumes="Sums do not overflow; no sum ends that has not begun.",
        bounds="The default machine's widths.",
        mutants=(Mutant(module.__name__, "summed.eq((Cat(1, so_far)", "summed.eq((Cat(0, so_far)"),
                 Mutant(module.__name__, "Mux(cell.first, 0, total)", "total"),
                 Mutant(module.__name__, "Mux(cell.last, summed, cell.result_in)",
                        "Mux(cell.last, total, cell.result_in)"))))
