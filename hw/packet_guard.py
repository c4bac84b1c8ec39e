"""Holds an AXI4-Stream to the packet lengths that a job implies."""

from amaranth import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


def beat_layout(stream_bytes):
    """Describe one beat of an AXI4-Stream.

    Parameters
    ----------
    stream_bytes : int
        Width of tdata in bytes.
    """
    return data.StructLayout({"data": 8 * stream_bytes, "keep": stream_bytes, "last": 1})


class PacketGuard(wiring.Component):
    """Pass the beats of a packet on, exactly as many as the consumer counts.

    A packet that ends early is filled up with zeros; of one that ends late the rest is dropped. So
    the consumer never loses step, and the stream is in step again after the next ``last``. Latency
    0, one beat per cycle.

    Parameters
    ----------
    stream_bytes : int
        Width of tdata in bytes.

    Members
    -------
    i : In(stream of beat_layout)
    o : Out(stream of unsigned(8 * stream_bytes))
    is_final : In(1)
        By the consumer's count, the beat now at ``o`` ends its packet. May depend on ``o``'s
        consumer only, not on ``o.valid``.
    keep : In(stream_bytes)
        What tkeep must be on the beat now at ``o``.
    bad_length, bad_keep : Out(1)
        One cycle each time a packet breaks the rule.
    """

    def __init__(self, *, stream_bytes):
        super().__init__({
            "i": In(stream.Signature(beat_layout(stream_bytes))),
            "o": Out(stream.Signature(8 * stream_bytes)),
            "is_final": In(1), "keep": In(stream_bytes),
            "bad_length": Out(1), "bad_keep": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        with m.FSM():
            with m.State("PASS"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.p.data),
                             self.i.ready.eq(self.o.ready)]
                with m.If(self.i.valid & self.o.ready):
                    m.d.comb += [self.bad_length.eq(self.i.p.last ^ self.is_final),
                                 self.bad_keep.eq(self.i.p.keep != self.keep)]
                    with m.If(self.i.p.last & ~self.is_final):
                        m.next = "FILL"
                    with m.If(~self.i.p.last & self.is_final):
                        m.next = "DROP"
            with m.State("FILL"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready & self.is_final):
                    m.next = "PASS"
            with m.State("DROP"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid & self.i.p.last):
                    m.next = "PASS"
        return m
