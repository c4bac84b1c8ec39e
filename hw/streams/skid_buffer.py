"""A place beside a stream, so that its source need not wait for the logic of whoever stalls it."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class SkidBuffer(wiring.Component):
    """Register a stream's ``ready`` and nothing else: full rate, latency 0.

    A payload that finds ``o`` stalled skids aside, and leaves before the next.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    def __init__(self, shape):
        self.shape = shape
        signature = stream.Signature(shape)
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform):
        m = Module()
        aside = Signal(self.shape, reset_less=True)
        is_aside = Signal()
        m.d.comb += [
            self.i.ready.eq(~is_aside), self.o.valid.eq(is_aside | self.i.valid),
            self.o.p.eq(Mux(is_aside, Value.cast(aside), Value.cast(self.i.p))),
        ]
        m.d.sync += is_aside.eq(self.o.valid & ~self.o.ready)
        with m.If(self.i.valid & ~is_aside):  # also if it leaves at once: a stall has one load
            m.d.sync += aside.eq(self.i.p)
        return m
