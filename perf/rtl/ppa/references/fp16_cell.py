"""Sixteen FP16 products a cycle, aligned and summed, into an FP32 sum: as tensor cores do it."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP16
from hw.array.dot_product import add_up, inverted_product

from .float_accumulator import FloatAccumulator, Sum

SIGNIFICAND_BITS = FP16.mantissa_bits + 1
PRODUCT_BITS = 2 * SIGNIFICAND_BITS
WINDOW = 24
"""Bits kept of each product below the top of the largest one's; what lies lower is cut off."""

SUM_BITS = WINDOW + BLOCK_SIZE.bit_length()
_SHIFT_BITS = 5

Operand = data.ArrayLayout(data.StructLayout({
    "significand": unsigned(SIGNIFICAND_BITS),
    "exponent": unsigned(FP16.exponent_bits),
    "sign": unsigned(1),
}), BLOCK_SIZE)
"""Unpacked: a subnormal has its significand and the exponent field 1, zero has the field 0."""

POINT = 76
"""A result is significand * 2^(exponent - POINT)."""


class FP16Cell(wiring.Component):
    """Multiply sixteen pairs of FP16 a cycle, exactly, and add their sum to an FP32 one.

    The largest of the products' exponents, of those that are not zero, aligns all of them; each
    keeps `WINDOW` bits of magnitude, and the sum of those is exact. It is cut to FP32's 24 bits
    towards minus infinity, and the addition rounds half to even. Subnormals count in full. No
    infinities and no NaN.

    Parameters
    ----------
    cell_stages : int
        0 or 1: registers after the dot product, which is normalized before them.

    Members
    -------
    a, b : In(16 x unpacked FP16)
        Element 0 in the least significant bits.
    first, last : In(1)
    result_in, result : Sum
        As in `FloatAccumulator`.
    """

    def __init__(self, *, cell_stages: int):
        self.cell_stages = cell_stages
        super().__init__({
            "a": In(Operand), "b": In(Operand), "first": In(1), "last": In(1),
            "result_in": In(Sum), "result": Out(Sum),
        })

    def elaborate(self, platform):
        m = Module()
        exponents = []
        for lane, (a, b) in enumerate(zip(self.a, self.b, strict=True)):
            exponent = Signal(FP16.exponent_bits + 1, name=f"exponent_{lane}")
            is_zero = (a.exponent == 0) | (b.exponent == 0)
            m.d.comb += exponent.eq(Mux(is_zero, 0, a.exponent + b.exponent))
            exponents.append(exponent)
        largest = Signal(FP16.exponent_bits + 1)
        m.d.comb += largest.eq(largest_of(exponents))

        terms, carries = [], []
        for lane, exponent in enumerate(exponents):
            term, carry = self._term(m, lane, largest - exponent)
            terms.append(term)
            carries.append(carry)
        # A tree of fifteen adders takes fifteen carries; the last term adds its own.
        terms[-1] = (terms[-1] + carries.pop())[:WINDOW + 1]
        total = add_up(m, terms, carries)

        m.submodules.accumulator = accumulator = FloatAccumulator(
            width=SUM_BITS, stages=self.cell_stages)
        m.d.comb += [
            accumulator.addend.eq(Cat(total[:-1], ~total[-1])),
            accumulator.exponent.eq(largest + SUM_BITS - 1),
            accumulator.first.eq(self.first), accumulator.last.eq(self.last),
            accumulator.result_in.eq(self.result_in), self.result.eq(accumulator.result),
        ]
        return m

    def _term(self, m, lane, distance):
        """Return a signed product in the window plus 2^WINDOW, and what it is short of."""
        a, b = self.a[lane], self.b[lane]
        is_positive = Signal(name=f"is_positive_{lane}")
        places = Signal(_SHIFT_BITS, name=f"places_{lane}")
        distance = distance[:FP16.exponent_bits + 1]
        is_far = distance[_SHIFT_BITS:].any()
        m.d.comb += [is_positive.eq(~(a.sign ^ b.sign)),
                     places.eq(distance[:_SHIFT_BITS] | is_far.replicate(_SHIFT_BITS))]
        spare = WINDOW - PRODUCT_BITS
        inverted = Cat(Const(-1, spare), inverted_product(a.significand, b.significand))
        aligned = Signal(WINDOW, name=f"aligned_{lane}")
        m.d.comb += aligned.eq(Cat(inverted, 1).as_signed() >> places)  # ones follow
        term = Signal(WINDOW + 1, name=f"term_{lane}")
        m.d.comb += term.eq(Cat(aligned ^ is_positive.replicate(WINDOW), is_positive))
        return term, ~is_positive


def largest_of(values):
    """Return the largest of unsigned values, by a tree of comparisons."""
    while len(values) > 1:
        values = [Mux(one > other, one, other)
                  for one, other in zip(values[::2], values[1::2], strict=True)]
    return values[0]
