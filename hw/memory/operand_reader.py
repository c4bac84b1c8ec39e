"""Brings one operand: pieces of memory in, beats of the machine's stream out."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.streams.memory_fifo import MemoryFIFO

from .aligner import Aligner, aligned_layout, cut_layout
from .axi4 import segment_layout
from .read_channel import word_layout
from .work import piece_layout


class OperandReader(wiring.Component):
    """Ask for the words of pieces, and cut the pieces out of them.

    Parameters
    ----------
    address_bits, length_bits, data_bytes : int
    unit_bytes : int
        As in `Aligner`.
    ahead : int
        Pieces that are asked for and have not come.

    Members
    -------
    pieces : In(stream of piece_layout)
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    o : Out(stream of aligned_layout)
    """

    def __init__(self, *, address_bits, length_bits, data_bytes, unit_bytes, ahead):
        self.data_bytes, self.length_bits, self.ahead = data_bytes, length_bits, ahead
        self.unit_bytes = unit_bytes
        sizes = {"address_bits": address_bits, "length_bits": length_bits}
        super().__init__({
            "pieces": In(stream.Signature(piece_layout(**sizes))),
            "segments": Out(stream.Signature(segment_layout(**sizes))),
            "words": In(stream.Signature(word_layout(data_bytes))),
            "o": Out(stream.Signature(aligned_layout(data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        sizes = {"data_bytes": self.data_bytes, "length_bits": self.length_bits}
        m.submodules.cuts = cuts = MemoryFIFO(cut_layout(**sizes), depth=self.ahead)
        m.submodules.aligner = aligner = Aligner(unit_bytes=self.unit_bytes, **sizes)
        wiring.connect(m, cuts.o, aligner.cuts)
        wiring.connect(m, wiring.flipped(self.words), aligner.words)
        wiring.connect(m, aligner.o, wiring.flipped(self.o))
        piece = self.pieces.p
        m.d.comb += [
            self.segments.valid.eq(self.pieces.valid & cuts.i.ready),
            cuts.i.valid.eq(self.pieces.valid & self.segments.ready),
            self.pieces.ready.eq(cuts.i.ready & self.segments.ready),
            self.segments.p.address.eq(piece.address), self.segments.p.length.eq(piece.length),
            cuts.i.p.offset.eq(piece.address[:exact_log2(self.data_bytes)]),
            cuts.i.p.length.eq(piece.length), cuts.i.p.last.eq(piece.last),
            cuts.i.p.index.eq(piece.index),
        ]
        return m
