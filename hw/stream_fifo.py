"""A deep first-in, first-out queue of stream payloads in an SRAM."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from .ring import following, index_signal
from .sram import Sram


class StreamFIFO(wiring.Component):
    """Queue payloads in an `Sram`; one in and one out per cycle.

    A payload appears at ``o`` four cycles after it was taken at ``i``. A small register queue
    behind the memory hides its read latency. Holds at least `depth` payloads.

    Parameters
    ----------
    shape : ShapeLike
        Of the payload.
    depth : int
        Words of the memory.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    def __init__(self, shape, *, depth):
        self.shape, self.depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        width = len(self.i.p.as_value() if hasattr(self.i.p, "as_value") else self.i.p)
        m.submodules.words = words = Sram(width=width, depth=self.depth)
        write_at, read_at = (index_signal(self.depth, f"{name}_at") for name in ("write", "read"))
        stored = Signal(range(self.depth + 1))  # written and not yet read
        put, get = Signal(), Signal()
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

        # A read starts only when the register queue has room for all that are under way.
        m.submodules.head = head = SyncFIFOBuffered(width=width, depth=4)
        arriving = Signal()
        m.d.sync += arriving.eq(get)
        m.d.comb += [
            get.eq((stored != 0) & (head.level + arriving < 4)),
            words.read_en.eq(get), words.read_addr.eq(read_at),
            head.w_en.eq(arriving), head.w_data.eq(words.read_data),
            self.o.valid.eq(head.r_rdy), self.o.p.eq(head.r_data),
            head.r_en.eq(self.o.ready),
        ]
        return m

