"""All that brings one kind of operands: works that wait, their pieces, the pieces' beats."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.streams.memory_fifo import MemoryFIFO

from .aligner import aligned_layout
from .axi4 import segment_layout
from .beat_splitter import BeatSplitter
from .operand_reader import OperandReader
from .read_channel import word_layout
from .work import COUNT_BITS


class OperandPath(wiring.Component):
    """Read the operands of works, one after the other.

    Parameters
    ----------
    loop : RowReader, TileReader or BesideReader
        That walks through a work's pieces.
    works : int
        That wait.
    beat_bytes : int
        Of a beat, a word of the bus or a part of one.
    address_bits, length_bits, data_bytes, unit_bytes, ahead : int
        As in `OperandReader`.

    Members
    -------
    work : In(stream of what the loop works on)
    completed : In(32)
        Commands that have ended.
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    o : Out(stream of aligned_layout)
    """

    def __init__(self, loop, *, works, beat_bytes, address_bits, length_bits, data_bytes,
                 unit_bytes, ahead):
        self.loop, self.works = loop, works
        self.beat_bytes, self.data_bytes = beat_bytes, data_bytes
        inside = {"address_bits": address_bits, "length_bits": length_bits}
        self.reader = OperandReader(data_bytes=data_bytes, unit_bytes=unit_bytes, ahead=ahead,
                                    **inside)
        super().__init__({
            "work": loop.signature.members["work"],
            "completed": In(COUNT_BITS),
            "segments": Out(stream.Signature(segment_layout(**inside))),
            "words": In(stream.Signature(word_layout(data_bytes))),
            "o": Out(stream.Signature(aligned_layout(beat_bytes)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.loop = loop = self.loop
        m.submodules.reader = reader = self.reader
        m.submodules.queue = queue = MemoryFIFO(loop.work.p.shape(), depth=self.works)
        wiring.connect(m, wiring.flipped(self.work), queue.i)
        wiring.connect(m, queue.o, loop.work)
        wiring.connect(m, loop.o, reader.pieces)
        wiring.connect(m, reader.segments, wiring.flipped(self.segments))
        wiring.connect(m, wiring.flipped(self.words), reader.words)
        beats = reader.o
        if self.beat_bytes != self.data_bytes:
            m.submodules.splitter = splitter = BeatSplitter(
                aligned_layout, wide_bytes=self.data_bytes, narrow_bytes=self.beat_bytes)
            wiring.connect(m, beats, splitter.i)
            beats = splitter.o
        wiring.connect(m, beats, wiring.flipped(self.o))
        m.d.comb += loop.completed.eq(self.completed)
        return m
