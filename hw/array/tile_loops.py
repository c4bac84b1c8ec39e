"""The two inner loops over tiles of a GEMM: which token tile and which column tile is next.

Group of resident token tiles > column tile > token tile > K-block: see `hw.array.block_walker`,
which counts the K-blocks. Both loops here are told where in the walk a step is, each flag with the
ones before it: ``step``, a block pair is taken; ``tile_ends``, it is its output tile's last;
``pass_ends``, the group has met the column tile; ``group_ends``, the group has met all of B. A new
job may begin in the cycle in which one ends: what is counted starts anew, places go on.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.config import DIMENSION_BITS
from hw.contract.output_tile import parts_of_block
from hw.parts.ring import address_bits, following

STEPS = ("step", "tile_ends", "pass_ends", "group_ends")


class TokenTileLoop(wiring.Component):
    """Count the token tiles of a group, for every column tile again, and the groups of a job.

    Parameters
    ----------
    config : Config

    Members
    -------
    load : In(1)
        A job of ``m`` rows begins, with ``tiles`` token tiles in a group.
    step, tile_ends, pass_ends, group_ends : In(1)
    address, slot : Out
        The block of A that is used now, and its tile's slot.
    tile : Out
        Index within the group.
    rows : Out
        Rows of the tile that are of A.
    is_last, ends_group : Out(1)
        The tile is the last one of A, of its group.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "load": In(1), "m": In(DIMENSION_BITS), "tiles": In(bits_for(config.tile_slots)),
            **dict.fromkeys(STEPS, In(1)),
            "address": Out(address_bits(config.act_depth)),
            "slot": Out(range(config.tile_slots)),
            "tile": Out(address_bits(config.tile_slots)), "rows": Out(bits_for(config.rows)),
            "is_last": Out(1), "ends_group": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._walk(m)
        self._count(m)
        return m

    def _walk(self, m):
        """Move the place in the operand memory, and go back to the group's beginning."""
        config = self.config
        address, slot = self.address, self.slot
        base = Signal.like(address)
        base_slot = Signal.like(slot)
        after = Signal.like(address)
        m.d.comb += after.eq(following(address, config.act_depth))
        with m.If(self.group_ends):
            m.d.sync += [address.eq(after), base.eq(after), slot.eq(slot + 1),
                         base_slot.eq(slot + 1), self.tile.eq(0)]
        with m.Elif(self.pass_ends):
            m.d.sync += [address.eq(base), slot.eq(base_slot), self.tile.eq(0)]
        with m.Elif(self.tile_ends):
            m.d.sync += [address.eq(after), slot.eq(slot + 1), self.tile.eq(self.tile + 1)]
        with m.Elif(self.step):
            m.d.sync += address.eq(after)

    def _count(self, m):
        """Count the rows that are left, at this tile and at its group's first one."""
        rows = self.config.rows
        left, group_left = (Signal(DIMENSION_BITS, name=name, reset_less=True)
                            for name in ("rows_left", "group_rows_left"))
        last_tile = Signal.like(self.tile, reset_less=True)
        is_last = Signal(reset_less=True)  # follows rows_left
        after = Signal.like(left)
        last_is_next = Signal()
        m.d.comb += [
            after.eq(left - rows), last_is_next.eq(left <= 2 * rows),
            self.rows.eq(Mux(is_last, left, rows)), self.is_last.eq(is_last),
            self.ends_group.eq(is_last | (self.tile == last_tile)),
        ]
        with m.If(self.load):
            m.d.sync += [left.eq(self.m), group_left.eq(self.m), is_last.eq(self.m <= rows),
                         last_tile.eq(self.tiles - 1)]
        with m.Elif(self.group_ends):
            m.d.sync += [left.eq(after), group_left.eq(after), is_last.eq(last_is_next)]
        with m.Elif(self.pass_ends):
            m.d.sync += [left.eq(group_left), is_last.eq(group_left <= rows)]
        with m.Elif(self.tile_ends):
            m.d.sync += [left.eq(after), is_last.eq(last_is_next)]


class ColumnTileLoop(wiring.Component):
    """Count the column tiles, for every group of token tiles again.

    Parameters
    ----------
    config : Config

    Members
    -------
    load : In(1)
        A job of ``n`` columns begins; ``n`` stays.
    step, tile_ends, pass_ends, group_ends : In(1)
    address, slot : Out
        The block of B that is used now, and its tile's slot.
    columns : Out
        Columns of the tile that are of B.
    part : Out
        Which part of a 16-column block of results the tile is: see
        `hw.contract.result_rows.result_rows_layout`.
    is_first, is_last : Out(1)
        The tile is the first one of B, the last.
    block_ends : Out(1)
        The tile completes a block of results.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "load": In(1), "n": In(DIMENSION_BITS), **dict.fromkeys(STEPS, In(1)),
            "address": Out(address_bits(config.weight_depth)),
            "slot": Out(address_bits(config.weight_slots)),
            "columns": Out(bits_for(config.cols)),
            "part": Out(address_bits(parts_of_block(config))),
            "is_first": Out(1, init=1), "is_last": Out(1), "block_ends": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        self._walk(m)
        self._count(m)
        return m

    def _walk(self, m):
        """Move the place in the operand memory: a column tile is read for each token tile."""
        address = self.address
        base = Signal.like(address)
        after = Signal.like(address)
        m.d.comb += after.eq(following(address, self.config.weight_depth))
        with m.If(self.pass_ends):
            m.d.sync += [address.eq(after), base.eq(after), self.slot.eq(self.slot + 1)]
        with m.Elif(self.tile_ends):
            m.d.sync += address.eq(base)
        with m.Elif(self.step):
            m.d.sync += address.eq(after)

    def _count(self, m):
        """Count the columns that are left, and the parts of a block."""
        cols, parts = self.config.cols, parts_of_block(self.config)
        left = Signal(DIMENSION_BITS, name="columns_left", reset_less=True)
        is_last = Signal(reset_less=True)  # follows columns_left
        last_part = self.part == parts - 1
        m.d.comb += [
            self.columns.eq(Mux(is_last, left, cols)), self.is_last.eq(is_last),
            self.block_ends.eq(last_part | is_last),
        ]
        with m.If(self.pass_ends):
            m.d.sync += [self.is_first.eq(self.group_ends),
                         self.part.eq(Mux(self.block_ends, 0, self.part + 1))]
        with m.If(self.load | self.group_ends):
            m.d.sync += [left.eq(self.n), is_last.eq(self.n <= cols)]
        with m.Elif(self.pass_ends):
            m.d.sync += [left.eq(left - cols), is_last.eq(left <= 2 * cols)]
