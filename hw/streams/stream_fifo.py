"""A deep first-in, first-out queue of stream payloads in an SRAM."""

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.ring import following, index_signal
from hw.parts.sram import Sram

from .stream_buffer import StreamBuffer


class StreamFIFO(wiring.Component):
    """Queue payloads in an `Sram`; one in and one out per cycle.

    A payload appears at ``o`` `latency` (3) cycles after it was taken at ``i``. What was read waits
    at the memory's output until the registers behind it have room. Holds at least `depth` payloads.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Words of the memory.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    latency = 3
    """Written, 1 cycle; read, 1; through the registers, 1."""

    def __init__(self, shape, *, depth):
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        width = len(Value.cast(self.i.p))
        m.submodules.words = words = Sram(width=width, depth=self.depth)
        write_at, read_at = (index_signal(self.depth, f"{name}_at") for name in ("write", "read"))
        stored = Signal(range(self.depth + 1))  # written and not yet read
        put = Signal()
        get = Signal()
        m.d.comb += [
            self.i.ready.eq(stored != self.depth),
            put.eq(self.i.valid & self.i.ready),
            words.write_en.eq(put), words.write_addr.eq(write_at), words.write_data.eq(self.i.p),
        ]
        with m.If(put):
            m.d.sync += write_at.eq(following(write_at, self.depth))
        with m.If(get):
            m.d.sync += read_at.eq(following(read_at, self.depth))
        m.d.sync += stored.eq(stored + put - get)

        m.submodules.head = head = StreamBuffer(self.shape)
        wiring.connect(m, head.o, wiring.flipped(self.o))
        moves = Signal()
        m.d.comb += [
            moves.eq(~head.i.valid | head.i.ready), get.eq((stored != 0) & moves),
            words.read_en.eq(get), words.read_addr.eq(read_at), head.i.p.eq(words.read_data),
        ]
        with m.If(moves):
            m.d.sync += head.i.valid.eq(get)
        return m

