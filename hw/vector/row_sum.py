"""The sum of a quantized row, anchored at its largest exponent: what a softmax is divided by."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32, MX9
from golden.vector.formats import BLOCK_SUM_WIDTH, SUM_FRACTION_BITS
from hw.array.mac_cell import AlignedAddend, accumulate
from hw.contract.operand_block import block_layout
from hw.results.normalizer import PRODUCT_BINADES, Normalizer

from .block_sum import BlockSum

SHIFT_WIDTH = (BLOCK_SUM_WIDTH + SUM_FRACTION_BITS).bit_length()
"""Bits of a shift, saturated where all of a block is rounded away."""

EXPONENT_OFFSET = FP32.bias + PRODUCT_BINADES - MX9.mantissa_bits
"""What a row's largest exponent lacks to the sum of two that a `Normalizer` takes.

The sum counts units of 2^(R - 127 - 7 - 16), a `Normalizer`'s accumulator those of
2^(exponent_sum - 2*127 - 8 - 16).
"""


def sum_normalizer(width):
    """Return what rounds the sums of rows to FP32; its ``exponent_sum`` is R + `EXPONENT_OFFSET`.

    Parameters
    ----------
    width : int
        As `RowSum` has it.
    """
    return Normalizer(acc_width=width, fraction_bits=SUM_FRACTION_BITS)


class RowSum(wiring.Component):
    """Add up the blocks of a row: floor(D * 2^16 / 2^distance + 1/2) of each, exactly.

    Cycle 0: a beat at ``i``. Cycle 1: the sum of its block meets ``adds`` and all below it, unless
    a second beat follows. Cycle 2: the accumulator, and after ``last`` the result, hold the sum. A
    beat each cycle; never stalls. Results shift out from cell to cell to one `sum_normalizer`, as
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
        blocks = -(-columns_max // BLOCK_SIZE)
        self.columns_max = columns_max
        self.width = BLOCK_SUM_WIDTH + SUM_FRACTION_BITS + (blocks - 1).bit_length()
        super().__init__({
            "i": In(block_layout()), "enable": In(1), "is_residual": In(1),
            "adds": In(1), "distance": In(FP32.exponent_bits), "first": In(1), "last": In(1),
            "result_in": In(signed(self.width)), "result": Out(signed(self.width)),
        })

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
