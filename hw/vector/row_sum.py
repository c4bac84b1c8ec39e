"""The sum of a quantized row, anchored at its largest exponent: what a softmax is divided by."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32
from golden.vector.formats import BLOCK_SUM_WIDTH, SUM_FRACTION_BITS
from hw.array.mac_cell import AlignedAddend, accumulate
from hw.contract.operand_block import block_layout

from .block_sum import BlockSum

SHIFT_WIDTH = (BLOCK_SUM_WIDTH + SUM_FRACTION_BITS).bit_length()
"""Bits of a shift, saturated where all of a block is rounded away."""


class RowSum(wiring.Component):
    """Add up the blocks of a row: floor(D * 2^16 / 2^distance + 1/2) of each, exactly.

    Cycle 0: a beat at ``i``. Cycle 1: the sum of its block meets ``adds`` and all below it, unless
    a second beat follows. Cycle 2: the accumulator, and after ``last`` the result, hold the sum. A
    beat each cycle; never stalls. Results shift out from cell to cell to one normalizer, as
    those of a `MACCell` do.

    Parameters
    ----------
    columns_max : int
        Elements of the longest row: the K of the product whose operand it is.

    Members
    -------
    i : In(block_layout)
    enable, is_residual : In(1)
        As `BlockSum` has them.
    adds : In(1)
        The beat of the cycle before was its block's last one.
    distance : In(8)
        How far that block's exponent lies below the row's largest.
    first, last : In(1)
        The block begins a row; it ends the row, and the result takes the sum. Only with ``adds``.
    result_in : In(signed)
        What the result takes in every other cycle.
    result : Out(signed)
        `width` bits, in units of 2^(R - 127 - 7 - 16), R being the row's largest exponent.

    Raises
    ------
    ValueError
        If `columns_max` is not positive.
    """

    def __init__(self, *, columns_max: int):
        if columns_max < 1:
            raise ValueError(f"rows must have at least one column, not {columns_max}")
        self.columns_max, self.width = columns_max, self.width_of(columns_max)
        super().__init__({
            "i": In(block_layout()), "enable": In(1), "is_residual": In(1),
            "adds": In(1), "distance": In(FP32.exponent_bits), "first": In(1), "last": In(1),
            "result_in": In(signed(self.width)), "result": Out(signed(self.width)),
        })

    @staticmethod
    def width_of(columns_max):
        """Give the bits of the sum of so many columns."""
        blocks = -(-columns_max // BLOCK_SIZE)
        return BLOCK_SUM_WIDTH + SUM_FRACTION_BITS + (blocks - 1).bit_length()

    def elaborate(self, platform):
        m = Module()
        m.submodules.block_sum = block_sum = BlockSum()
        m.submodules.align = align = AlignedAddend(
            product_width=BLOCK_SUM_WIDTH, fraction_bits=SUM_FRACTION_BITS,
            shift_width=SHIFT_WIDTH)
        is_far = Signal()
        m.d.comb += [
            block_sum.i.eq(self.i), block_sum.enable.eq(self.enable),
            block_sum.is_residual.eq(self.is_residual),
            align.product.eq(Mux(self.adds, block_sum.d, 0)),
            is_far.eq(self.distance[SHIFT_WIDTH:].any()),
            align.shift.eq(self.distance[:SHIFT_WIDTH] | is_far.replicate(SHIFT_WIDTH)),
        ]
        accumulate(m, self, Cat(align.carry, align.addend).as_signed())
        return m
