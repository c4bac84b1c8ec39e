"""The sums of the rows that pass through the array: a column of it that does not multiply."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.formats import BLOCK_SIZE
from hw.contract.operand_block import block_layout, operand_layout
from hw.parts.bits import ones_below
from hw.parts.emit import instantiate

from .row_sum import RowSum

SumBeat = data.StructLayout({
    "valid": 1, "act_residual": 1, "weight_residual": 1, "pair_ends": 1, "pair_first": 1,
    "pair_last": 1, "tail": exact_log2(BLOCK_SIZE)})
"""What a beat is to the sums.

Members
-------
valid : unsigned(1)
act_residual, weight_residual : unsigned(1)
    Whose L it has. A block of A is added up when it meets H of B.
pair_ends, pair_first, pair_last : unsigned(1)
    The last beat of its pair of blocks; of the tile's first pair, of its last.
tail : unsigned(4)
    Elements of a row's last block; 0 for all sixteen.
"""


class RowSums(wiring.Component):
    """Add up the rows of A beside the cells that multiply them; hand the sums out with their rows.

    Sums are shown as `MACArray` shows results: in the same cycles, D rows at a time.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    beat : In(SumBeat)
        That enters the array.
    held_a : In(R x operand, flat)
        As in `MACArray`.
    sums : Out(D x signed(RowSum.width))
    """

    def __init__(self, config):
        self.config = config
        self.width = RowSum.width_of(config.k_max)
        super().__init__({
            "beat": In(SumBeat),
            "held_a": In(operand_layout(config.drop_width).size * config.rows),
            "sums": Out(data.ArrayLayout(signed(self.width), config.drain_rows))})

    def elaborate(self, platform):
        m = Module()
        config = self.config
        beats = [self.beat]
        held_a = self.held_a
        # The operand register is the first cycle; a cell's registers are further ones.
        for cycle in range(1 + config.cell_stages):
            delayed = Signal(SumBeat, name=f"beat_{cycle + 1}")
            m.d.sync += delayed.eq(beats[-1])
            beats.append(delayed)
        for cycle in range(config.cell_stages - 1):
            later = Signal.like(held_a, name=f"a_{cycle + 1}", reset_less=True)
            m.d.sync += later.eq(held_a)
            held_a = later
        now, before = beats[-2:]
        counted = Signal(BLOCK_SIZE)
        m.d.comb += counted.eq(~0)
        in_row = ones_below(m, now.tail, BLOCK_SIZE, name="in_row")
        with m.If(now.pair_last & (now.tail != 0)):
            m.d.comb += counted.eq(in_row)
        cells = [self._cell(m, platform, row, held_a, now, before, counted)
                 for row in range(config.rows)]
        for upper, lower in zip(cells, cells[config.drain_rows:], strict=False):
            m.d.comb += upper.result_in.eq(lower.result)
        for shown, cell in zip(self.sums, cells[:config.drain_rows], strict=False):
            m.d.comb += shown.eq(cell.result)
        return m

    def _cell(self, m, platform, row, held_a, now, before, counted):
        """Add up a row."""
        config = self.config
        layout = operand_layout(config.drop_width)
        operand = data.View(layout, held_a.word_select(row, layout.size))
        cell = instantiate(m, platform, lambda: RowSum(columns_max=config.k_max),
                           module="row_sum", name=f"sum_{row}")
        block = data.View(block_layout(), cell.i.as_value())
        distance = Signal(config.drop_width, name=f"distance_{row}", reset_less=True)
        adds = now.valid & ~now.weight_residual
        with m.If(adds & ~now.act_residual):
            m.d.sync += distance.eq(operand.drop)
        m.d.comb += [
            block.sign.eq(operand.sign), block.microexponent.eq(operand.microexponent),
            *(magnitude.eq(given & is_there.replicate(len(magnitude)))
              for magnitude, given, is_there in zip(
                  block.magnitude, operand.magnitude, counted, strict=True)),
            cell.enable.eq(adds), cell.is_residual.eq(now.act_residual),
            cell.adds.eq(before.valid & before.pair_ends), cell.distance.eq(distance),
            cell.first.eq(cell.adds & before.pair_first),
            cell.last.eq(cell.adds & before.pair_last)]
        return cell
