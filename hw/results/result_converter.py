"""From blocks of FP32 results to MX blocks, in the order and form of a tile's other blocks."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.mx_converter import MXConverter
from hw.contract.result_block import result_block_layout
from hw.contract.tile_block import tile_block_layout
from hw.streams.register_slice import register_slice
from hw.streams.stream_buffer import StreamBuffer


class ResultConverter(wiring.Component):
    """Convert blocks of results to MX9 or MX6; their place travels beside them.

    An infinite or NaN result makes its block a NaN block. Latency `latency` (2) cycles; one block
    per cycle. ``i`` stalls when the last of its registers, a `StreamBuffer`, is full.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of result_block_layout)
    o : Out(stream of tile_block_layout)
        Every block is a tile of one K-block: a packet holds no more. ``job_last`` marks the job's
        last block only.
    """

    latency = 2

    def __init__(self, config):
        self.rounding = config.rounding
        super().__init__({
            "i": In(stream.Signature(result_block_layout(config))),
            "o": Out(stream.Signature(tile_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.converter = converter = MXConverter(rounding=self.rounding,
                                                         stages=self.latency, short_paths=True)
        block, out = self.i.p, self.o.p
        m.d.comb += [
            converter.i.p.elements.eq(block.elements), converter.i.p.is_mx9.eq(block.is_mx9),
            converter.i.valid.eq(self.i.valid), self.i.ready.eq(converter.i.ready),
            self.o.valid.eq(converter.o.valid), converter.o.ready.eq(self.o.ready),
            out.rounded.eq(converter.o.p), out.k_first.eq(1), out.k_last.eq(1),
        ]
        # The place goes through registers of the same kinds, which move with the converter's.
        names = ("row", "row_last", "job_last")
        layout = data.StructLayout({name: block[name].shape() for name in names})
        entering = stream.Signature(layout).create(path=("entering",))
        m.submodules.leaves = leaves = StreamBuffer(layout)
        register_slice(m, entering, leaves.i, entering.p)
        m.d.comb += [entering.valid.eq(self.i.valid), leaves.o.ready.eq(self.o.ready)]
        for name in names:
            m.d.comb += [entering.p[name].eq(block[name]), out[name].eq(leaves.o.p[name])]
        return m
