"""Lists the pieces of memory that lie beside the rows of a pass: biases, factors, residuals."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi4 import advance
from .work import COUNT_BITS, beside_layout, holds, piece_layout


class BesideReader(wiring.Component):
    """Walk through the row of biases, that of column factors, and the rows of the residual.

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
        Each a packet.
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
        work, piece = self.work.p, self.o.p
        goes = Signal()
        bias_left = Signal()
        channel_left = Signal()
        here = Signal.like(work.residual, reset_less=True)  # row of the residual
        rows_left = Signal(len(work.m), reset_less=True)
        ends = Signal()
        m.d.comb += [
            self.o.valid.eq(goes), piece.index.eq(work.index), piece.last.eq(1),
            piece.address.eq(Mux(bias_left, work.bias, Mux(channel_left, work.channel, here))),
            piece.length.eq(work.length),
            ends.eq(Mux(bias_left, ~channel_left & (rows_left == 0),
                        Mux(channel_left, rows_left == 0, rows_left == 1))),
            self.work.ready.eq(goes & self.o.ready & ends),
        ]
        held = ((work.has_bias | work.has_channel) & holds(work.side_fence, self.completed)
                | work.has_residual & holds(work.residual_fence, self.completed))
        with m.If(~goes):
            m.d.sync += [
                goes.eq(self.work.valid & ~held), bias_left.eq(work.has_bias),
                channel_left.eq(work.has_channel), here.eq(work.residual),
                rows_left.eq(Mux(work.has_residual, Mux(work.stride == 0, 1, work.m), 0))]
        with m.Elif(self.o.ready):
            m.d.sync += [goes.eq(~ends), bias_left.eq(0)]
            with m.If(~bias_left):
                m.d.sync += channel_left.eq(0)
                with m.If(~channel_left):
                    m.d.sync += [here.eq(advance(here, work.stride)), rows_left.eq(rows_left - 1)]
        return m
