"""Cuts beats into shorter ones."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.ring import index_signal


class BeatSplitter(wiring.Component):
    """Send each beat as one or several shorter ones, as many as its kept bytes need.

    The bytes that are kept are the first ones. Latency 0; a short beat per cycle.

    Parameters
    ----------
    layout : callable
        Gives the layout of a beat of so many bytes: ``data``, ``keep``, ``last``, and more, which
        each short beat has as the long one had it.
    wide_bytes, narrow_bytes : int
        Of a beat that comes and of one that leaves; the second divides the first, and is less.

    Members
    -------
    i : In(stream of layout(wide_bytes))
    o : Out(stream of layout(narrow_bytes))
    """

    def __init__(self, layout, *, wide_bytes, narrow_bytes):
        self.narrow_bytes, self.parts = narrow_bytes, wide_bytes // narrow_bytes
        super().__init__({"i": In(stream.Signature(layout(wide_bytes))),
                          "o": Out(stream.Signature(layout(narrow_bytes)))})

    def elaborate(self, platform):
        m = Module()
        wide, narrow = self.i.p, self.o.p
        place = index_signal(self.parts, "place")
        is_final = Signal()
        data, keep = ([part.word_select(index, width) for index in range(self.parts)]
                      for part, width in ((wide.data, 8 * self.narrow_bytes),
                                          (wide.keep, self.narrow_bytes)))
        goes_on = Array([*(part.any() for part in keep[1:]), 0])[place]
        m.d.comb += [
            *(narrow[name].eq(wide[name]) for name, _ in narrow.shape()
              if name not in ("data", "keep", "last")),
            is_final.eq(~goes_on), narrow.last.eq(wide.last & is_final),
            narrow.data.eq(Array(data)[place]), narrow.keep.eq(Array(keep)[place]),
            self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready & is_final)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += place.eq(Mux(is_final, 0, place + 1))
        return m
