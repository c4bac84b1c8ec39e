"""Proof of `hw.vector.row_extremes`."""

from amaranth import Array, Cat, Mux, Signal

import hw.vector.row_extremes as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE, FP32

INFINITY, QUIET_NAN = 0x7F800000, 0x7FC00000


def flushed(pattern):
    """Return a pattern whose subnormals are zeros."""
    is_normal = pattern[FP32.mantissa_bits:-1].any()
    return Cat(Mux(is_normal, pattern[:FP32.mantissa_bits], 0), pattern[FP32.mantissa_bits:])


def ordinal(pattern):
    """Return an unsigned number that orders patterns as signed magnitudes."""
    return Cat(pattern[:-1] ^ pattern[-1].replicate(FP32.width - 1), ~pattern[-1])


class RowExtremesHarness(Harness):
    """The extremes are no smaller than any one element, and no larger than what bounds them all.

    Which element is watched is free in each cycle, and so is whether the last one watched in the
    row is kept instead. The bounds are free constants.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.RowExtremes()
        self.free_inputs(m, dut)
        bound = self.free_constant(m, FP32.width, "bound")
        exponent_bound = self.free_constant(m, FP32.exponent_bits, "exponent_bound")
        at = self.free(range(BLOCK_SIZE), "at")
        watched, is_watched = Signal(FP32.width), Signal()
        m.d.comb += [
            watched.eq(Array(list(dut.block))[at]),
            is_watched.eq(self.free(1, "watches") & dut.is_valid.bit_select(at, 1)),
        ]
        all_below = Signal()
        has_nan = Signal()
        m.d.comb += [
            all_below.eq(Cat(
                ~dut.is_valid[lane] | (ordinal(each) <= ordinal(bound))
                & (each[FP32.mantissa_bits:-1] <= exponent_bound)
                for lane, each in enumerate(dut.block)).all()),
            has_nan.eq(Cat(dut.is_valid[lane] & (each[:-1] > INFINITY)
                           for lane, each in enumerate(dut.block)).any()),
        ]
        # What the harness remembers of the block, and of the row.
        block = {"is_watched": is_watched, "watched": watched, "all_below": all_below,
                 "has_nan": has_nan, "any": dut.is_valid.any(), "first": dut.first}
        block = {name: self._later(m, name, value) for name, value in block.items()}
        known_1 = Signal()
        row = {name: Signal(len(block[name]), name=f"row_{name}") for name in block}
        goes_on = ~block["first"]
        begun = Signal()  # a row has begun
        m.d.sync += [
            known_1.eq(1), begun.eq(known_1 & block["first"] | begun),
            row["is_watched"].eq(block["is_watched"] | row["is_watched"] & goes_on),
            row["watched"].eq(Mux(block["is_watched"], block["watched"], row["watched"])),
            row["all_below"].eq(block["all_below"] & (row["all_below"] | ~goes_on)),
            row["has_nan"].eq(block["has_nan"] | row["has_nan"] & goes_on),
            row["any"].eq(block["any"] | row["any"] & goes_on),
        ]
        number_1 = self.look("dut.number_1", FP32.width + 1)
        exponent_1 = self.look("dut.exponent_1", FP32.exponent_bits)
        best = self.look("dut.best", FP32.width + 1)
        for stage, known, memory, number, exponent in (
                ("block", known_1, block, number_1, exponent_1),
                ("row", begun, row, best, dut.exponent)):
            pattern, is_there = number[:-1], number[-1]
            self.check(m, f"{stage}_any", ~known | (is_there == memory["any"]))
            self.check(m, f"{stage}_no_smaller", ~(known & memory["is_watched"]) | (
                (ordinal(pattern) >= ordinal(memory["watched"]))
                & (exponent >= memory["watched"][FP32.mantissa_bits:-1])))
            self.check(m, f"{stage}_no_larger", ~(known & memory["all_below"]) | (
                (~is_there | (ordinal(pattern) <= ordinal(bound)))
                & (exponent <= exponent_bound)))
        self.check(m, "known", ~begun | known_1)
        self.check(m, "first", ~known_1 | (self.look("dut.first_1") == block["first"]))
        self.check(m, "watched_is_there", ~(begun & row["is_watched"]) | row["any"])
        self.check(m, "watched_is_there_1", ~(known_1 & block["is_watched"]) | block["any"])
        self.check(m, "exponent_of_none", ~begun | row["any"] | (dut.exponent == 0))
        self.check(m, "exponent_of_none_1", ~known_1 | block["any"] | (exponent_1 == 0))
        self.check(m, "nan_1", ~known_1 | (self.look("dut.has_nan_1") == block["has_nan"]))
        self.check(m, "nan", ~begun | (self.look("dut.has_nan") == row["has_nan"]))
        self.check(m, "maximum", ~begun | (dut.maximum == Mux(
            row["has_nan"], QUIET_NAN,
            Mux(row["any"], flushed(best[:-1]), INFINITY | 1 << FP32.width - 1))))
        self.cover(m, "row", begun & dut.done & row["is_watched"] & row["all_below"]
                   & ~block["first"] & (dut.maximum == bound))

    @staticmethod
    def _later(m, name, value):
        held = Signal(len(value), name=f"block_{name}")
        m.d.sync += held.eq(value)
        return held


PROOFS = (Proof(
    name="row_extremes", make=RowExtremesHarness, depth=1, steps=4, one_by_one=True,
    says="The largest number is no smaller than any valid element of the row and no larger than "
         "what none of them exceeds, by sign and magnitude; so is the largest exponent. Subnormals "
         "become zeros, any NaN the quiet NaN; of nothing it is minus infinity.",
    mutants=(
        Mutant(module.__name__, "beats ^ signs[0]", "beats"),
        Mutant(module.__name__, "left.is_there & (~right.is_there | Mux(",
               "left.is_there & (Mux("),
        Mutant(module.__name__, "has_nan_1 | has_nan & ~first_1", "has_nan_1 | has_nan"),
        Mutant(module.__name__, "Mux(first_1, 0, exponent), exponent_1", "exponent, exponent_1"))),)
