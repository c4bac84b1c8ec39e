"""Proof of `hw.array.dot_product`."""

from amaranth import Cat, Const, Mux, Signal, signed

import hw.array.dot_product as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import PAIRS, SUB_BLOCK_SIZE
from hw.contract.block_bits import BASE_BITS

PRODUCT_BITS = 2 * BASE_BITS


def handed_on(harness, m, dut, pair, see):
    """Return what a pair hands on to the adders, without its offset, and its carry.

    `see` is the harness' `look`, or its `cut`.
    """
    last = pair == PAIRS - 1
    width = PRODUCT_BITS + 2
    top = see(f"dut.{'exact' if last else 'pair'}_{pair}", width)[-1]
    moved = see(f"dut.shifted_{pair}_1", width + module.LARGEST_SHIFT)
    carry = (dut.a.sign ^ dut.b.sign)[SUB_BLOCK_SIZE * pair + 1]
    return Cat(moved[:-1], ~top).as_signed(), Const(0) if last else carry


class PairsHarness(Harness):
    """The products, and the pairs' shifted sums in terms of them."""

    def prove(self, m):
        m.submodules.dut = dut = module.DotProduct(stages=0)
        self.free_inputs(m, dut)
        for pair in range(PAIRS):
            self._pair(m, dut, pair)

    def _pair(self, m, dut, pair):
        a, b = dut.a, dut.b
        products = [self._product(m, dut, SUB_BLOCK_SIZE * pair + place) for place in range(2)]
        width = PRODUCT_BITS + 2
        shift = 2 - a.microexponent[pair] - b.microexponent[pair]
        exact = Signal(signed(width + module.LARGEST_SHIFT + 1), name=f"exact_{pair}")
        m.d.comb += exact.eq((products[0] + products[1]) << shift.as_unsigned()[:2])
        handed, carry = handed_on(self, m, dut, pair, self.look)
        self.check(m, f"pair_{pair}", handed + carry == exact)

    def _product(self, m, dut, lane):
        """Check a product, which is handed on without the one that its negation needs."""
        a, b = dut.a, dut.b
        is_negative = a.sign[lane] ^ b.sign[lane]
        term = self.look(f"dut.term_{lane}", PRODUCT_BITS + 1)
        handed = Signal(signed(PRODUCT_BITS + 2), name=f"product_{lane}")
        magnitude = a.magnitude[lane] * b.magnitude[lane]
        m.d.comb += handed.eq(term - (1 << PRODUCT_BITS) + is_negative)
        self.check(m, f"product_{lane}", handed == Mux(is_negative, -magnitude, magnitude))
        return handed


class SumHarness(Harness):
    """The sum of whatever the pairs hand on, with their carries.

    An adder of a tree takes the carry of another pair, which is no matter: each is taken once.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.DotProduct(stages=0)
        self.free_inputs(m, dut)
        terms, carries = zip(*(handed_on(self, m, dut, pair, self.cut) for pair in range(PAIRS)),
                             strict=True)
        halves = []
        for half, of_adders in enumerate(((0, 1, 4), (2, 3, 5))):
            width = len(terms[0]) + 2
            seen = self.look(f"dut.sum_{width}_{half}", width)
            halves.append(Cat(seen[:-1], ~seen[-1]).as_signed())  # without its offset
            first, second, third, fourth = terms[4 * half:4 * half + 4]
            self.check(m, f"half_{half}", halves[-1] == (first + second) + (third + fourth)
                       + sum(carries[number] for number in of_adders))
        self.check(m, "sum", dut.d == halves[0] + halves[1] + carries[6])


PROOFS = (
    Proof(
        name="dot_product_pairs", make=PairsHarness, depth=0, steps=1,
        says="Each pair hands on (p_2j + p_2j+1) << (2 - ta_j - tb_j), each p the signed product "
             "of a lane; with that of `dot_product_sum`, D is the specification's.",
        bounds="Without pipeline registers.",
        mutants=(
            Mutant(module.__name__, "~(a.sign[lane] ^ b.sign[lane])",
                   "~(a.sign[lane] | b.sign[lane])"),
            Mutant(module.__name__, "Cat(fill, shifted)", "Cat(0, shifted)"),
            Mutant(module.__name__, "high = Cat(row, Const(1)) if high is None",
                   "high = Cat(row, Const(0)) if high is None"))),
    Proof(
        name="dot_product_sum", make=SumHarness, depth=0, steps=1,
        says="D is the sum of what the eight pairs hand on.",
        bounds="Without pipeline registers. The pairs are cut off and hand on anything.",
        mutants=(
            Mutant(module.__name__, "left + right + next(carries)",
                   "left + right + next(carries) * 0"),
            Mutant(module.__name__, "d.eq(Cat(total[:-1], ~total[-1]))", "d.eq(total)"))),)
