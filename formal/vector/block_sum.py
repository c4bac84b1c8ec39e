"""Proofs of `hw.vector.block_sum`."""

from amaranth import Cat, Mux, Signal, signed

import hw.vector.block_sum as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import PAIRS, SUB_BLOCK_SIZE
from golden.vector.formats import BLOCK_SUM_WIDTH
from hw.contract.block_bits import BASE_BITS, RESIDUAL_BITS

PAIR_BITS = BASE_BITS + 3


def handed_on(dut, pair, see):
    """Return what a pair hands on to the adders, without its offset, and its carry.

    `see` is the harness' `look`, or its `cut`.
    """
    seen = see(f"dut.shifted_{pair}", PAIR_BITS)
    return (Cat(seen[:-1], ~seen[-1]).as_signed(),
            dut.i.sign[SUB_BLOCK_SIZE * pair + 1])


class PairsHarness(Harness):
    """The pairs' shifted sums."""

    def prove(self, m):
        m.submodules.dut = dut = module.BlockSum()
        self.free_inputs(m, dut)
        for pair in range(PAIRS):
            elements = [Mux(dut.i.sign[lane], -dut.i.magnitude[lane], dut.i.magnitude[lane])
                        for lane in range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1))]
            exact = Signal(signed(PAIR_BITS + 1), name=f"exact_{pair}")
            m.d.comb += exact.eq((elements[0] + elements[1])
                                 << (1 - dut.i.microexponent[pair]).as_unsigned()[:1])
            handed, carry = handed_on(dut, pair, self.look)
            self.check(m, f"pair_{pair}", handed + carry == exact)


class SumHarness(Harness):
    """The sum of whatever the pairs hand on, and what becomes of it over the beats.

    An adder of a tree takes the carry of another pair, which is no matter: each is taken once.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.BlockSum()
        self.free_inputs(m, dut)
        terms, carries = zip(*(handed_on(dut, pair, self.cut) for pair in range(PAIRS)),
                             strict=True)
        halves = []
        for half, of_adders in enumerate(((0, 1, 4), (2, 3, 5))):
            width = PAIR_BITS + 2
            seen = self.look(f"dut.sum_{width}_{half}", width)
            halves.append(Cat(seen[:-1], ~seen[-1]).as_signed())  # without its offset
            first, second, third, fourth = terms[4 * half:4 * half + 4]
            self.check(m, f"half_{half}", halves[-1] == (first + second) + (third + fourth)
                       + sum(carries[number] for number in of_adders))
        beat = halves[0] + halves[1] + carries[6] + carries[7]
        expected = Signal(signed(BLOCK_SUM_WIDTH), reset_less=True)
        begun = Signal()  # a block's H was there
        with m.If(dut.enable):
            m.d.sync += [
                expected.eq(Mux(dut.is_residual, expected + beat, beat << RESIDUAL_BITS)),
                begun.eq(begun | ~dut.is_residual)]
        self.cover(m, "both", begun & dut.enable & dut.is_residual & (dut.d == 8 * 321))
        self.check(m, "sum", ~begun | (dut.d == expected))


PROOFS = (
    Proof(
        name="block_sum_pairs", make=PairsHarness, depth=0, steps=1,
        says="Each pair hands on (m_2j + m_2j+1) << (1 - t_j), each m a signed magnitude; with "
             "that of `block_sum_total`, D is the specification's.",
        mutants=(
            Mutant(module.__name__, "terms[0] + terms[1] + signs[0]", "terms[0] + terms[1]"),
            Mutant(module.__name__, "Cat(fill, total)", "Cat(0, total)"))),
    Proof(
        name="block_sum_total", make=SumHarness, depth=1, steps=4,
        says="D is eight times the sum of what the pairs hand on of H, and with L's beat L's sum "
             "is added; it stays while no beat comes.",
        bounds="The pairs are cut off and hand on anything.",
        mutants=(
            Mutant(module.__name__, "Cat(last.replicate(RESIDUAL_BITS), beat)",
                   "Cat(*[0] * RESIDUAL_BITS, beat)"),
            Mutant(module.__name__, "Mux(self.is_residual, d, 0)", "d"),
            Mutant(module.__name__, "with m.If(self.enable):", "with m.If(1):"))))
