"""One user of the bus's read side: its bursts, and the words that they bring."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.streams.memory_fifo import MemoryFIFO

from .axi4 import burst_layout, segment_layout
from .burst_splitter import BurstSplitter


def word_layout(data_bytes):
    """Describe a word as the bus answered it: ``data``, and ``resp`` as AXI4 codes it."""
    return data.StructLayout({"data": 8 * data_bytes, "resp": 2})


def arrival_signature(data_bytes):
    """Describe words that come from the bus, seen from it; who asked for them has room."""
    return wiring.Signature({"valid": Out(1), "payload": Out(word_layout(data_bytes))})


class ReadChannel(wiring.Component):
    """Ask for the words of segments, as far ahead as there is room for what comes.

    A burst is asked for when the queue has room for all of it: a word that comes is never refused,
    so that nobody waits on the bus for somebody who waits behind him.

    Parameters
    ----------
    address_bits, length_bits, data_bytes, burst_beats : int
        As in `BurstSplitter`.
    depth : int
        Words of the queue; at least one burst.

    Members
    -------
    segments : In(stream of segment_layout)
    bursts : Out(stream of burst_layout)
        An offer is withdrawn only by a reset.
    words : In(arrival_signature)
    o : Out(stream of word_layout)
        The words of the segments, in order.

    Raises
    ------
    ValueError
        If the queue cannot hold a burst.
    """

    def __init__(self, *, address_bits, length_bits, data_bytes, burst_beats, depth):
        if depth < burst_beats:
            raise ValueError(f"a queue of {depth} words has no room for a burst of {burst_beats}")
        self.depth = depth
        self.splitter = BurstSplitter(address_bits=address_bits, length_bits=length_bits,
                                      data_bytes=data_bytes, burst_beats=burst_beats)
        super().__init__({
            "segments": In(stream.Signature(
                segment_layout(address_bits=address_bits, length_bits=length_bits))),
            "bursts": Out(stream.Signature(burst_layout(
                address_bits=address_bits, data_bytes=data_bytes, burst_beats=burst_beats))),
            "words": In(arrival_signature(data_bytes)),
            "o": Out(stream.Signature(word_layout(data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.splitter = splitter = self.splitter
        m.submodules.queue = queue = MemoryFIFO(self.o.p.shape(), depth=self.depth)
        wiring.connect(m, wiring.flipped(self.segments), splitter.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        room = Signal(range(self.depth + 1), init=self.depth)  # words that nobody has asked for yet
        asks = Signal()
        leaves = Signal()
        m.d.comb += [
            self.bursts.p.eq(splitter.o.p),
            self.bursts.valid.eq(splitter.o.valid & (splitter.o.p.beats <= room)),
            splitter.o.ready.eq(self.bursts.ready & self.bursts.valid),
            asks.eq(self.bursts.valid & self.bursts.ready),
            queue.i.p.eq(self.words.payload), queue.i.valid.eq(self.words.valid),
            leaves.eq(queue.o.valid & queue.o.ready),
        ]
        with m.If(asks):
            m.d.sync += room.eq(room + leaves - splitter.o.p.beats)
        with m.Else():
            m.d.sync += room.eq(room + leaves)
        return m
