"""Lists the pieces of memory that the activations of a job lie in."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi4 import advance
from .tile_extent import tile_extent
from .work import COUNT_BITS, Walk, holds, piece_layout, rows_layout


class RowReader(wiring.Component):
    """Walk through rows, or packed tiles of them, one per cycle.

    Parameters
    ----------
    config : Config
    address_bits, length_bits : int

    Members
    -------
    work : In(stream of rows_layout)
    completed : In(32)
        Commands that have ended.
    o : Out(stream of piece_layout)
        Each a packet.
    """

    def __init__(self, config, *, address_bits, length_bits):
        self.config = config
        sizes = {"address_bits": address_bits, "length_bits": length_bits}
        super().__init__({
            "work": In(stream.Signature(rows_layout(**sizes))), "completed": In(COUNT_BITS),
            "o": Out(stream.Signature(piece_layout(**sizes))),
        })

    def elaborate(self, platform):
        m = Module()
        config, work, piece = self.config, self.work.p, self.o.p
        goes = Signal()
        here, first = (Signal.like(work.address, name=name, reset_less=True)
                       for name in ("here", "first"))  # of this column tile
        rows_left, cols_left = (Signal(len(work.rows), name=f"{name}_left", reset_less=True)
                                for name in ("rows", "cols"))
        in_tiles, in_columns = Signal(), Signal()
        rows_at_once = Signal(range(config.rows + 1))
        cols_here = Signal(range(config.cols + 1))
        rows_end = Signal()
        ends = Signal()
        lines = Signal.like(rows_at_once)
        m.d.comb += [
            in_tiles.eq(work.walk == Walk.TILES), in_columns.eq(work.walk == Walk.COLUMNS),
            rows_at_once.eq(Mux(in_tiles, config.rows, 1)),
            rows_end.eq(rows_left <= rows_at_once),
            lines.eq(Mux(rows_left < config.rows, rows_left, config.rows)),
            cols_here.eq(Mux(cols_left < config.cols, cols_left, config.cols)),
            ends.eq(rows_end & (~in_columns | (cols_left <= config.cols))),
            self.o.valid.eq(goes), piece.index.eq(work.index),
            piece.address.eq(here), piece.last.eq(1),
            self.work.ready.eq(goes & self.o.ready & ends),
        ]
        extent = tile_extent(m, lines, work.k_blocks, work.stride, most=config.rows,
                             beat_bytes=config.act_bytes)
        with m.Switch(work.walk):
            with m.Case(Walk.TILES):
                m.d.comb += piece.length.eq(extent)
            with m.Case(Walk.COLUMNS):
                m.d.comb += piece.length.eq(cols_here << (1 + work.is_wide))
            with m.Default():
                m.d.comb += piece.length.eq(work.length)
        with m.If(~goes):
            m.d.sync += [
                goes.eq(self.work.valid & ~holds(work.fence, self.completed)),
                here.eq(work.address), first.eq(work.address),
                rows_left.eq(work.rows), cols_left.eq(work.cols)]
        with m.Elif(self.o.ready):
            m.d.sync += [here.eq(advance(here, work.stride)),
                         rows_left.eq(rows_left - rows_at_once)]
            with m.If(rows_end):
                after = advance(first, Mux(work.is_wide, 4 * config.cols, 2 * config.cols))
                m.d.sync += [here.eq(after), first.eq(after), rows_left.eq(work.rows),
                             cols_left.eq(cols_left - config.cols)]
            with m.If(ends):
                m.d.sync += goes.eq(0)
        return m
