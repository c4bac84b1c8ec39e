"""From blocks of FP32 results to MX blocks, in the order and form of a tile's other blocks."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.mx_converter import MXConverter
from hw.contract.result_block import result_block_layout
from hw.contract.tile_block import tile_block_layout


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
        self.beside = ("row", "row_last", "job_last",
                       *(("tags_due",) if config.vector_lanes else ()))
        super().__init__({
            "i": In(stream.Signature(result_block_layout(config))),
            "o": Out(stream.Signature(tile_block_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        block, out = self.i.p, self.o.p
        place = data.StructLayout({
            name: block.shape()[name].shape for name in self.beside})
        m.submodules.converter = converter = MXConverter(
            rounding=self.rounding, stages=self.latency, short_paths=True, beside=place)
        entering, leaving = converter.i.p, converter.o.p
        m.d.comb += [
            converter.i.valid.eq(self.i.valid), self.i.ready.eq(converter.i.ready),
            self.o.valid.eq(converter.o.valid), converter.o.ready.eq(self.o.ready),
            entering.elements.eq(block.elements), entering.is_mx9.eq(block.is_mx9),
            out.rounded.eq(leaving.rounded), out.k_first.eq(1), out.k_last.eq(1),
        ]
        for name, _ in place:
            m.d.comb += [entering.beside[name].eq(block[name]), out[name].eq(leaving.beside[name])]
        return m
