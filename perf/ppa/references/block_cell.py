"""Cells with multipliers of other widths: MX6 alone, MX9 in one beat, MX9 x MX6 in one beat."""

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import MX6, MX9
from hw.config import Config
from hw.mac_cell import MACCell

from .accumulator import AnchoredAccumulator
from .dot_product import BlockDotProduct, block_layout, largest_product


class BlockCell(wiring.Component):
    """Multiply two blocks a beat and accumulate, as `hw.mac_cell.MACCell` with other mantissas.

    The sum's unit is the machine's, 2^(Ra + Cb - 8 - F), so that what is kept of every block is the
    same; wider mantissas reach lower, and need fewer bits below their own unit. Blocks of a
    narrower format come with zeros below. A cycle without a beat brings zero magnitudes.

    Parameters
    ----------
    a_bits, b_bits : int
        Bits of the magnitudes that are multiplied in one beat.
    config : hw.config.Config
        Of the machine that this cell is compared with.
    cell_stages : int
        0 or 1: registers after the dot product.

    Members
    -------
    a, b : In(block_layout with drop)
        ``drop``: binades below the anchor, those of a low part of a mantissa included.
    first, last, result_in, result
        As in `Accumulator`.
    """

    def __init__(self, *, a_bits: int, b_bits: int, config: Config, cell_stages: int):
        self.a_bits, self.b_bits, self.cell_stages = a_bits, b_bits, cell_stages
        self.fraction_bits = config.fraction_bits - (a_bits + b_bits - 2 * MX6.mantissa_bits)
        self.acc_width = sum_width(config)
        # As in the machine: the largest drop rounds all of a product away.
        self.drop_width = config.drop_width
        drop = unsigned(self.drop_width)
        super().__init__({
            "a": In(block_layout(a_bits, drop=drop)), "b": In(block_layout(b_bits, drop=drop)),
            "first": In(1), "last": In(1), "result_in": In(signed(self.acc_width)),
            "result": Out(signed(self.acc_width)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.dot_product = dot_product = BlockDotProduct(
            a_bits=self.a_bits, b_bits=self.b_bits, stages=self.cell_stages)
        m.submodules.accumulator = accumulator = AnchoredAccumulator(
            product_width=dot_product.width, fraction_bits=self.fraction_bits,
            shift_width=self.drop_width, width=self.acc_width)
        for port, operand in ((dot_product.a, self.a), (dot_product.b, self.b)):
            m.d.comb += [port[field].eq(operand[field])
                         for field in ("sign", "magnitude", "microexponent")]
        drops = Signal(self.drop_width + 1)
        shift = Signal(self.drop_width, name="shift")
        m.d.comb += [drops.eq(self.a.drop + self.b.drop),
                     shift.eq(drops[:-1] | drops[-1].replicate(self.drop_width))]
        if self.cell_stages:
            delayed = Signal(self.drop_width, name="shift_1", reset_less=True)
            m.d.sync += delayed.eq(shift)
            shift = delayed
        m.d.comb += [
            accumulator.product.eq(dot_product.d), accumulator.shift.eq(shift),
            accumulator.first.eq(self.first), accumulator.last.eq(self.last),
            accumulator.result_in.eq(self.result_in), self.result.eq(accumulator.result),
        ]
        return m


def sum_width(config: Config, mantissa_bits: int = MX9.mantissa_bits) -> int:
    """Return the bits that the largest sum takes, by what blocks of a format can add up to.

    Parameters
    ----------
    config : hw.config.Config
        Its unit and its k_max.
    mantissa_bits : int
        Of both operands.
    """
    below = 2 * (mantissa_bits - MX6.mantissa_bits)
    block = largest_product(mantissa_bits, mantissa_bits) << config.fraction_bits
    # Rounded half up, the beats of a block exceed it by less than one unit each.
    block = (block >> below) + 4
    return (config.k_blocks_max * block).bit_length() + 1


def mx6_cell(config: Config, cell_stages: int) -> MACCell:
    """Return the machine's cell for MX6 alone: no residuals, so fewer beats add up in a sum."""
    return MACCell(acc_width=sum_width(config, MX6.mantissa_bits),
                   fraction_bits=config.fraction_bits, drop_width=config.drop_width,
                   cell_stages=cell_stages)


def mx9_cell(config: Config, cell_stages: int) -> BlockCell:
    """Return the cell that multiplies MX9 by MX9 in one beat; MX6 blocks are widened."""
    return BlockCell(a_bits=MX9.mantissa_bits, b_bits=MX9.mantissa_bits, config=config,
                     cell_stages=cell_stages)


def mixed_cell(config: Config, cell_stages: int) -> BlockCell:
    """Return the cell that multiplies MX9 by MX6 in one beat, and MX9 by MX9 in two."""
    return BlockCell(a_bits=MX6.mantissa_bits, b_bits=MX9.mantissa_bits, config=config,
                     cell_stages=cell_stages)
