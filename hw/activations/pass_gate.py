"""Lets blocks of passes go to the vector unit, and come back from it, in the order of jobs."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.tile_block import raw_block_layout

ROWS_HELD = 2
"""Rows for which the vector unit has room before their first number leaves."""

MOST_OWED = 63
"""Most rows that are on their way back."""


class PassGate(wiring.Component):
    """Merge blocks that come with those that come back from the vector unit.

    What comes back goes first. Whatever may be behind this gate never waits for the vector unit: a
    row of a pass goes in when there is room for all of it. What belongs to a later job than a row
    that is to come back waits for it, unless it goes through the vector unit too.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    i : In(stream of raw_block_layout)
    back : In(stream of raw_block_layout)
        Blocks of passes that pack.
    row_left : In(1)
        A row has left its place in the vector unit.
    o : Out(stream of raw_block_layout)
    """

    def __init__(self, config):
        blocks = stream.Signature(raw_block_layout(config))
        super().__init__({"i": In(blocks), "back": In(blocks), "row_left": In(1),
                          "o": Out(blocks)})

    def elaborate(self, platform):
        m = Module()
        held = Signal(range(ROWS_HELD + 1))
        owed = Signal(range(MOST_OWED + 1))
        block, is_pass = self.i.p, self.i.p.job.is_pass
        in_row, may_go, enters, returns = (
            Signal(name=name) for name in ("in_row", "may_go", "enters", "returns"))
        m.d.comb += [
            may_go.eq(Mux(is_pass, in_row | (held != ROWS_HELD) & (owed != MOST_OWED), owed == 0)),
            self.o.valid.eq(self.back.valid | self.i.valid & may_go),
            self.o.p.eq(Mux(self.back.valid, self.back.p.as_value(), block.as_value())),
            self.back.ready.eq(self.o.ready),
            self.i.ready.eq(self.o.ready & ~self.back.valid & may_go),
            enters.eq(self.i.valid & self.i.ready & is_pass & ~in_row),
            returns.eq(self.back.valid & self.back.ready & self.back.p.row_last)]
        with m.If(self.i.valid & self.i.ready & is_pass):
            m.d.sync += in_row.eq(~block.row_last)
        m.d.sync += [held.eq(held + enters - self.row_left),
                     owed.eq(owed + (enters & block.job.packs) - returns)]
        return m
