"""Two registers between streams, so that neither side waits for the other's logic."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamBuffer(wiring.Component):
    """Register a stream in both directions: full rate, latency 1.

    Neither ``valid`` nor ``ready`` depends on the other side in the same cycle.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    holds : Out(1)
        A payload waits at ``o``.
    """

    def __init__(self, shape):
        self.shape = shape
        signature = stream.Signature(shape)
        super().__init__({"i": In(signature), "o": Out(signature), "holds": Out(1)})

    def elaborate(self, platform):
        m = Module()
        offered, behind = (Signal(self.shape, name=name, reset_less=True)
                           for name in ("offered", "behind"))
        is_offered = Signal()
        is_behind = Signal()
        m.d.comb += [
            self.i.ready.eq(~is_behind), self.o.valid.eq(is_offered), self.o.p.eq(offered),
            self.holds.eq(is_offered),
        ]
        with m.If(self.i.valid & ~is_behind):  # also if it is offered at once
            m.d.sync += behind.eq(self.i.p)
        with m.If(~is_offered | self.o.ready):
            m.d.sync += [offered.eq(Mux(is_behind, Value.cast(behind), Value.cast(self.i.p))),
                         is_offered.eq(is_behind | self.i.valid & self.i.ready), is_behind.eq(0)]
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += is_behind.eq(1)
        return m
