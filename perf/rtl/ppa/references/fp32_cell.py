"""The machine's dot product, but the sum is a floating-point one."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import MX6
from hw.array.dot_product import DotProduct
from hw.contract.operand_block import block_layout

from .float_accumulator import EXPONENT_BITS, FloatAccumulator, Sum

EXPONENT_OFFSET = 10
"""What a block's exponent field exceeds its biased exponent by; a residual block's only by 7.

With 7 and more on either side, `FloatAccumulator` gets the least that it asks for.
"""

POINT = 292
"""A result is significand * 2^(exponent - POINT)."""


class FP32Cell(wiring.Component):
    """Multiply two MX6-shaped blocks a beat and add D to an FP32 sum, rounded half to even.

    As golden's ``accumulate="fp32"`` while no sum leaves FP32's normal numbers. No infinities and
    no NaN.

    Parameters
    ----------
    cell_stages : int
        0 or 1: registers after the dot product, which is normalized before them.

    Members
    -------
    a, b : In(block_layout with exponent)
        ``exponent``: the biased shared exponent plus `EXPONENT_OFFSET`, less 3 for a residual.
    first, last : In(1)
    result_in, result : Sum
        As in `FloatAccumulator`.
    """

    def __init__(self, *, cell_stages: int):
        self.cell_stages = cell_stages
        operand = block_layout(MX6.mantissa_bits, exponent=EXPONENT_BITS - 1)
        super().__init__({
            "a": In(operand), "b": In(operand), "first": In(1), "last": In(1),
            "result_in": In(Sum), "result": Out(Sum),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.dot_product = dot_product = DotProduct(stages=0)
        m.submodules.accumulator = accumulator = FloatAccumulator(
            width=len(dot_product.d), stages=self.cell_stages)
        for port, operand in ((dot_product.a, self.a), (dot_product.b, self.b)):
            m.d.comb += [port[field].eq(operand[field])
                         for field in ("sign", "magnitude", "microexponent")]
        m.d.comb += [
            accumulator.addend.eq(dot_product.d),
            accumulator.exponent.eq(self.a.exponent + self.b.exponent),
            accumulator.first.eq(self.first), accumulator.last.eq(self.last),
            accumulator.result_in.eq(self.result_in), self.result.eq(accumulator.result),
        ]
        return m
