"""A deep first-in, first-out queue of stream payloads in an SRAM, at whose output one waits."""

from amaranth import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.ring import following, index_signal
from hw.parts.sram import Sram


class MemoryFIFO(wiring.Component):
    """Queue payloads in an `Sram`; one in and one out per cycle.

    A payload appears at ``o`` `latency` (2) cycles after it was taken at ``i``. There are no
    registers of payloads: what is offered is the memory's output, and taking it reads the next, so
    ``o.ready`` leads to the memory's enable. Holds `capacity` payloads: `depth` in the memory, and
    one at its output.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Words of the memory.

    Attributes
    ----------
    capacity : int

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    latency = 2
    """Written, 1 cycle; read, 1."""

    def __init__(self, shape, *, depth):
        self.shape, self.depth, self.capacity = shape, depth, depth + 1
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        width = len(Value.cast(self.i.p))
        m.submodules.words = words = Sram(width=width, depth=self.depth)
        write_at, read_at = (index_signal(self.depth, f"{name}_at") for name in ("write", "read"))
        stored = Signal(range(self.depth + 1))  # written and not yet read
        put = Signal()
        get = Signal()
        moves = Signal()
        m.d.comb += [
            self.i.ready.eq(stored != self.depth),
            put.eq(self.i.valid & self.i.ready),
            words.write_en.eq(put), words.write_addr.eq(write_at), words.write_data.eq(self.i.p),
            moves.eq(~self.o.valid | self.o.ready), get.eq((stored != 0) & moves),
            words.read_en.eq(get), words.read_addr.eq(read_at), self.o.p.eq(words.read_data),
        ]
        with m.If(put):
            m.d.sync += write_at.eq(following(write_at, self.depth))
        with m.If(get):
            m.d.sync += read_at.eq(following(read_at, self.depth))
        with m.If(moves):
            m.d.sync += self.o.valid.eq(get)
        m.d.sync += stored.eq(stored + put - get)
        return m
