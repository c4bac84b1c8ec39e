"""Cuts results of the array into neighbouring numbers for the lanes."""

from amaranth import Array, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from hw.contract.result_rows import result_rows_layout
from hw.parts.ring import index_signal
from hw.streams.memory_fifo import MemoryFIFO

from .row_passes import row_numbers_layout

GROUPS = 32
"""Groups that have been cut and not put together again, at most."""


def cut_group_layout(config):
    """Describe what must be known of a group of results that is put together again."""
    rows = result_rows_layout(config).members
    return data.StructLayout({name: rows[name] for name in (
        "output", "token_tile", "part", "block_ends", "tile_last", "job_last")})


class TileRows(wiring.Component):
    """Hand out the numbers of each group, row by row.

    Each row begins with a cycle of its own. What is known of the group waits in a queue.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    i : In(stream of result_rows_layout)
    o : Out(stream of row_numbers_layout)
        As many per cycle as there are lanes.
    cut : Out(stream of cut_group_layout)
        Of each group, from its last number on.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(result_rows_layout(config))),
            "o": Out(stream.Signature(row_numbers_layout(config.vector_lanes))),
            "cut": Out(stream.Signature(cut_group_layout(config)))})

    def elaborate(self, platform):
        m = Module()
        config, group, numbers = self.config, self.i.p, self.o.p
        lanes = config.vector_lanes
        m.submodules.queue = queue = MemoryFIFO(cut_group_layout(config), depth=GROUPS)
        wiring.connect(m, queue.o, wiring.flipped(self.cut))
        row = index_signal(config.drain_rows, "row")
        place = index_signal(config.cols // lanes, "place")
        left = Signal.like(group.cols)  # columns of this row, from here on
        leaves, row_ends, ends = (Signal(name=name) for name in ("leaves", "row_ends", "ends"))
        parts = Array(Value.cast(group.results).word_select(part, lanes * FP32.width)
                      for part in range(config.drain_lanes // lanes))
        m.d.comb += [
            left.eq(group.cols - place * lanes), row_ends.eq(left <= lanes),
            ends.eq(row_ends & (row == group.rows - 1)),
            self.o.valid.eq(self.i.valid & (~ends | queue.i.ready)),
            leaves.eq(self.o.valid & self.o.ready), self.i.ready.eq(leaves & ends),
            queue.i.valid.eq(leaves & ends),
            *(queue.i.p[name].eq(group[name]) for name, _ in queue.i.p.shape()),
            numbers.numbers.as_value().eq(parts[row * (config.cols // lanes) + place]),
            numbers.count.eq(Mux(row_ends, left, lanes)), numbers.row_last.eq(row_ends),
            numbers.group_last.eq(ends), numbers.columns_end.eq(
                ends & group.tile_last & group.columns_end),
            numbers.group_ends.eq(ends & group.tile_last & group.group_ends),
            numbers.job_last.eq(ends & group.job_last),
            numbers.operands.row_factor.eq(Array(group.factors)[row])]
        with m.If(leaves):
            m.d.sync += place.eq(Mux(row_ends, 0, place + 1))
            with m.If(row_ends):
                m.d.sync += row.eq(Mux(ends, 0, row + 1))
        return m
