"""Lists the pieces of memory that the weights of a job lie in, and their biases."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .axi4 import advance
from .tile_extent import tile_extent
from .work import COUNT_BITS, holds, largest_group, piece_layout, tiles_layout

BIAS_BYTES = 4


class TileReader(wiring.Component):
    """Walk through column tiles, the biases of each before it, as often as there are groups.

    Parameters
    ----------
    config : Config
    address_bits, length_bits : int

    Members
    -------
    work : In(stream of tiles_layout)
    completed : In(32)
        Commands that have ended.
    o : Out(stream of piece_layout)
        ``last`` with each tile.
    """

    def __init__(self, config, *, address_bits, length_bits):
        self.config = config
        super().__init__({
            "work": In(stream.Signature(tiles_layout(address_bits=address_bits))),
            "completed": In(COUNT_BITS),
            "o": Out(stream.Signature(
                piece_layout(address_bits=address_bits, length_bits=length_bits))),
        })

    def elaborate(self, platform):
        m = Module()
        config, work, piece = self.config, self.work.p, self.o.p
        goes = Signal()
        at_bias = Signal()
        tile, bias = (Signal.like(value, name=name, reset_less=True)
                      for name, value in (("tile", work.address), ("bias", work.bias)))
        rows_left, columns_left = (Signal(len(value), name=name, reset_less=True)
                                   for name, value in (("rows_left", work.m),
                                                       ("columns_left", work.n)))
        is_last = Signal()  # tile of its group
        is_last_group = Signal()
        of_group = work.group_rows[:bits_for(largest_group(config))]
        columns = Signal(range(config.cols + 1))
        extent = tile_extent(m, columns, work.k_blocks, work.stride, most=config.cols,
                             beat_bytes=config.weight_bytes)
        m.d.comb += [
            is_last.eq(columns_left <= config.cols), is_last_group.eq(rows_left <= of_group),
            self.o.valid.eq(goes), piece.index.eq(work.index),
            piece.last.eq(~at_bias),
            piece.address.eq(Mux(at_bias, bias, tile)),
            columns.eq(Mux(is_last, columns_left, config.cols)),
            piece.length.eq(Mux(at_bias, columns * BIAS_BYTES, extent)),
            self.work.ready.eq(goes & self.o.ready & ~at_bias & is_last & is_last_group),
        ]
        begins_group = [tile.eq(work.address), bias.eq(work.bias), columns_left.eq(work.n)]
        held = holds(work.fence, self.completed) | (
            work.has_bias & holds(work.side_fence, self.completed))
        with m.If(~goes):
            m.d.sync += [goes.eq(self.work.valid & ~held), at_bias.eq(work.has_bias),
                         rows_left.eq(work.m), *begins_group]
        with m.Elif(self.o.ready):
            with m.If(at_bias):
                m.d.sync += at_bias.eq(0)
            with m.Else():
                m.d.sync += [
                    at_bias.eq(work.has_bias), tile.eq(advance(tile, work.stride)),
                    bias.eq(advance(bias, config.cols * BIAS_BYTES)),
                    columns_left.eq(columns_left - config.cols)]
                with m.If(is_last):
                    m.d.sync += [*begins_group, rows_left.eq(rows_left - of_group)]
                    with m.If(is_last_group):
                        m.d.sync += goes.eq(0)
        return m
