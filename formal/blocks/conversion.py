"""Proofs of the conversion to MX: `hw.blocks.block_aligner` and `hw.blocks.block_rounder`."""

from functools import partial

from amaranth import Cat, Const, Mux, Signal

import hw.blocks.block_aligner as aligner
import hw.blocks.block_rounder as rounder
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE, FP32, MX6, MX9, SUB_BLOCK_SIZE
from hw.contract.block_bits import NAN_EXPONENT, RESIDUAL_BITS

SIGNIFICAND_BITS = FP32.mantissa_bits + 1

FAR = 16
"""Binades below its block's exponent at which nothing is left of a number, however it is rounded:
more than there are bits in a mantissa."""


class ConversionHarness(Harness):
    """Sixteen numbers of any patterns become the block that the definition asks for.

    Shared exponent and microexponents are defined by comparisons alone, and a mantissa by how near
    it lies to its number.

    Parameters
    ----------
    rounding : str
    """

    def __init__(self, rounding):
        super().__init__()
        self.rounding = rounding

    def prove(self, m):
        m.submodules.align = align = aligner.BlockAlignment(shared_given=False)
        m.submodules.round = rounds = rounder.BlockRounding(rounding=self.rounding)
        self.free_inputs(m, align)
        is_mx9 = self.free(1, "is_mx9")
        m.d.comb += [rounds.i.block.eq(align.o), rounds.i.is_mx9.eq(is_mx9)]
        block, out = rounds.o.block, rounds.o
        exponents = [element[FP32.mantissa_bits:-1] for element in align.i]
        largest = block.exponent
        self.check(m, "shared_exponent", Cat(each <= largest for each in exponents).all()
                   & Cat(each == largest for each in exponents).any())
        is_nan = Signal()
        m.d.comb += is_nan.eq(largest == NAN_EXPONENT)
        mantissas = [Cat(block.residual[lane], block.base[lane]) for lane in range(BLOCK_SIZE)]
        everything = Cat(block.sign, block.microexponent, *mantissas)
        self.check(m, "nan", (out.has_nan == is_nan) & (~is_nan | ~everything.any()))
        self.check(m, "mx6_has_no_residual", is_mx9 | ~Cat(block.residual).any())
        self.check(m, "has_residual", out.has_residual == Cat(block.residual).any())
        saturated = []
        for lane in range(BLOCK_SIZE):
            pair = lane // SUB_BLOCK_SIZE
            lower = block.microexponent[pair]
            if lane % SUB_BLOCK_SIZE == 0:
                both = exponents[lane:lane + SUB_BLOCK_SIZE]
                self.check(m, f"microexponent_{pair}", is_nan | (
                    lower == Cat(each < largest for each in both).all()))
            self.check(m, f"sign_{lane}", is_nan | (block.sign[lane] == align.i[lane][-1]))
            saturated.append(self._check_mantissa(
                m, lane, align.i[lane], largest - lower, is_mx9, is_nan, mantissas[lane]))
        flags = rounds.is_saturated
        self.check(m, "saturated", is_nan | (flags == Cat(saturated)))
        self.check(m, "saturated_count", out.saturated == sum(flags[lane] for lane in
                                                              range(BLOCK_SIZE)))

    def _check_mantissa(self, m, lane, element, exponent, is_mx9, is_nan, mantissa):
        """Check a mantissa whose highest bit weighs 2^exponent; return whether it saturates."""
        own = element[FP32.mantissa_bits:-1]
        significand, below = Signal(SIGNIFICAND_BITS, name=f"significand_{lane}"), Signal(
            FP32.exponent_bits, name=f"below_{lane}")
        m.d.comb += [significand.eq(Mux(own == 0, 0, Cat(element[:FP32.mantissa_bits], 1))),
                     below.eq(exponent - own)]
        is_far = (own == 0) | (below >= FAR)
        results = []
        for fmt, applies, found in ((MX9, is_mx9, mantissa),
                                    (MX6, ~is_mx9, mantissa[RESIDUAL_BITS:])):
            # Everything in units of the significand's lowest bit.
            unit, value = (Signal(SIGNIFICAND_BITS + FAR + 1, name=f"{name}_{lane}_{fmt.name}")
                           for name in ("unit", "value"))
            places = SIGNIFICAND_BITS - fmt.mantissa_bits
            m.d.comb += [unit.eq((Const(1, 1) << places) << below[:FAR.bit_length() - 1]),
                         value.eq((found << places) << below[:FAR.bit_length() - 1])]
            is_largest = found.all()
            is_right, saturates = self._near(significand, value, unit, ~found[0], is_largest)
            self.check(m, f"mantissa_{lane}_{fmt.name}", is_nan | ~applies
                       | Mux(is_far, found == 0, is_right))
            results.append(applies & ~is_far & saturates)
        return results[0] | results[1]

    def _near(self, exact, value, unit, is_even, is_largest):
        """Tell whether a mantissa is right, and whether it would be larger if it could."""
        above, below = exact - value, value - exact
        if self.rounding == "truncate":
            return (exact >= value) & (above < unit), 0
        saturates = is_largest & (exact > value) & (2 * above >= unit)
        is_near = Mux(exact >= value, (2 * above < unit) | (2 * above == unit) & is_even,
                      (2 * below < unit) | (2 * below == unit) & is_even)
        return is_near | saturates, saturates


PROOFS = tuple(Proof(
    name=f"conversion_{rounding}", make=partial(ConversionHarness, rounding), depth=0, steps=1,
    says="The shared exponent is the largest there is, a microexponent says that neither of a pair "
         f"has it, and every mantissa, of MX9 and of MX6, is its number {how}; subnormals are "
         "zeros, signs stay, an infinity or a NaN makes the NaN block.",
    bounds="Combinational: the converter's stages and stream are the benches'.",
    mutants=mutants)
    for rounding, how, mutants in (
        ("half_even", "rounded to the nearest, of two as near the even one, the largest where that "
                      "would be beyond", (
            Mutant(rounder.__name__, "~is_mx9 & (base[0] | below_mx6.any())",
                   "~is_mx9 & below_mx6.any()"),
            Mutant(rounder.__name__, "saturates.eq(carry[RESIDUAL_BITS] & base.all())",
                   "saturates.eq(base.all())"),
            Mutant(aligner.__name__, "borrows)) & ~is_zero & ~is_nan)", "borrows)) & ~is_nan)"),
            Mutant(aligner.__name__, "is_lower & ~is_nan", "is_lower"),
            Mutant(aligner.__name__, "mantissa[:dropped].any()", "0"))),
        ("truncate", "cut off", (
            Mutant(rounder.__name__, "mantissa, saturates = magnitude[-MX9.mantissa_bits :], 0",
                   "mantissa, saturates = magnitude[1:], 0"),
            Mutant(aligner.__name__, "is_lower.eq(~any_of(", "is_lower.eq(any_of(")))))
