"""Lists the pieces of memory that lie beside numbers in the lanes: vectors and residuals."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.bits import least

from .axi4 import advance
from .work import COUNT_BITS, SIZE_BITS, beside_layout, holds, piece_layout

NUMBER_BYTES = 4


class BesideReader(wiring.Component):
    """Walk through the row of biases, that of column factors, and the residual.

    The residual of a pass is read row by row. That of a GEMM is read as its results drain: group of
    resident token tiles > column tile > row.

    Parameters
    ----------
    config : Config
    address_bits, length_bits : int

    Members
    -------
    work : In(stream of beside_layout)
    completed : In(32)
        Commands that have ended.
    o : Out(stream of piece_layout)
        Each a packet, but for the rows of a residual, which are one.
    """

    def __init__(self, config, *, address_bits, length_bits):
        self.config = config
        sizes = {"address_bits": address_bits, "length_bits": length_bits}
        super().__init__({
            "work": In(stream.Signature(beside_layout(**sizes))), "completed": In(COUNT_BITS),
            "o": Out(stream.Signature(piece_layout(**sizes))),
        })

    def elaborate(self, platform):
        m = Module()
        cols, work, piece = self.config.cols, self.work.p, self.o.p
        goes = Signal()
        bias_left, channel_left, at_residual, ends = (
            Signal(name=name) for name in ("bias_left", "channel_left", "at_residual", "ends"))
        # Addresses of this row, of its column tile and of its group of resident tiles.
        here, tile, group = (Signal.like(work.residual, name=name, reset_less=True)
                             for name in ("here", "tile", "next_group"))
        rows_left, group_left, columns_left = (
            Signal(SIZE_BITS, name=f"{name}_left", reset_less=True)
            for name in ("rows", "group", "columns"))
        is_first, is_shift, in_tiles = (
            Signal(name=name) for name in ("is_first", "is_shift", "in_tiles"))
        rows_end, tiles_end, all_end = (
            Signal(name=name) for name in ("rows_end", "tiles_end", "all_end"))
        of_group, columns = Signal(SIZE_BITS), Signal(range(cols + 1))
        m.d.comb += [
            at_residual.eq(~bias_left & ~channel_left), is_shift.eq(work.stride == 0),
            in_tiles.eq(work.in_tiles & ~is_shift),
            of_group.eq(Mux(in_tiles, work.group_rows, ~0)),
            rows_end.eq(group_left == 1), tiles_end.eq(~in_tiles | (columns_left <= cols)),
            all_end.eq(rows_end & tiles_end & (rows_left <= of_group)),
            columns.eq(Mux(columns_left > cols, cols, columns_left)),
            ends.eq(Mux(at_residual, all_end,
                        ~work.has_residual & (~bias_left | ~channel_left))),
            self.o.valid.eq(goes), piece.index.eq(work.index),
            piece.last.eq(~at_residual | all_end),
            piece.address.eq(Mux(bias_left, work.bias, Mux(channel_left, work.channel, here))),
            piece.length.eq(Mux(at_residual & in_tiles, columns * NUMBER_BYTES, work.length)),
            self.work.ready.eq(goes & self.o.ready & ends),
        ]
        held = ((work.has_bias | work.has_channel) & holds(work.side_fence, self.completed)
                | work.has_residual & holds(work.residual_fence, self.completed))
        rows = Mux(is_shift, 1, work.m)
        next_row = advance(here, work.stride)
        with m.If(~goes):
            m.d.sync += [
                goes.eq(self.work.valid & ~held), bias_left.eq(work.has_bias),
                channel_left.eq(work.has_channel), here.eq(work.residual), tile.eq(work.residual),
                rows_left.eq(rows), columns_left.eq(work.n), group_left.eq(least(rows, of_group)),
                is_first.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += goes.eq(~ends)
            with m.If(bias_left):
                m.d.sync += bias_left.eq(0)
            with m.Elif(channel_left):
                m.d.sync += channel_left.eq(0)
            with m.Else():
                m.d.sync += [here.eq(next_row), group_left.eq(group_left - 1)]
                with m.If(rows_end):
                    with m.If(is_first):
                        m.d.sync += group.eq(next_row)
                    with m.If(tiles_end):
                        left, after = rows_left - of_group, Mux(is_first, next_row, group)
                        m.d.sync += [
                            here.eq(after), tile.eq(after), is_first.eq(1), rows_left.eq(left),
                            columns_left.eq(work.n),
                            group_left.eq(least(left[:SIZE_BITS], of_group))]
                    with m.Else():
                        after = advance(tile, cols * NUMBER_BYTES)
                        m.d.sync += [
                            here.eq(after), tile.eq(after), is_first.eq(0),
                            columns_left.eq(columns_left - cols),
                            group_left.eq(least(rows_left, of_group))]
        return m
