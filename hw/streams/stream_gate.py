"""What stands at the stream ports through an abort, in a clock domain that an abort never resets.

The engines behind lose all they hold, in the middle of packets that the outside still sends or
still reads. Here those packets are brought to an end.
"""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .packet_guard import beat_layout
from .stream_buffer import StreamBuffer


class InputGate(wiring.Component):
    """Pass beats on, or drop them: whole packets, or the rest of one.

    Combinational: latency 0, one beat per cycle. While ``drain`` is set every beat is taken and
    dropped, and afterwards the rest of the packet in progress, so that what passes next is the
    first beat of a packet.

    Parameters
    ----------
    stream_bytes : int
        Width of tdata in bytes.

    Members
    -------
    i : In(stream of beat_layout)
    o : Out(stream of beat_layout)
        When ``drain`` rises ``valid`` falls, even if its beat was not taken.
    drain : In(1)
    """

    def __init__(self, stream_bytes):
        signature = stream.Signature(beat_layout(stream_bytes))
        super().__init__({"i": In(signature), "o": Out(signature), "drain": In(1)})

    def elaborate(self, platform):
        m = Module()
        drops = Signal()
        drops_rest = Signal()
        is_inside = Signal()  # a packet, of which a beat was taken
        stays_inside = Signal()
        m.d.comb += [
            drops.eq(self.drain | drops_rest),
            self.o.valid.eq(self.i.valid & ~drops), self.o.p.eq(self.i.p),
            self.i.ready.eq(self.o.ready | drops),
            stays_inside.eq(Mux(self.i.valid & self.i.ready, ~self.i.p.last, is_inside)),
        ]
        m.d.sync += [is_inside.eq(stays_inside), drops_rest.eq(drops & stays_inside)]
        return m


class OutputHold(wiring.Component):
    """Register a stream so that a beat once offered stays, whatever becomes of its source.

    Two entries: full rate, latency 1, and neither ``valid`` nor ``ready`` depends on the other
    side in the same cycle, nor ``i.ready`` on ``drain``, whose register lies far away. While
    ``drain`` is set beats of ``i`` are dropped. A packet that this cuts short is ended by one more
    beat without data: ``last`` set, ``keep`` zero.

    Parameters
    ----------
    stream_bytes : int
        Width of tdata in bytes.

    Members
    -------
    i : In(stream of beat_layout)
        May withdraw a beat that was not taken.
    o : Out(stream of beat_layout)
    drain : In(1)
    pending : Out(1)
        Beats wait to be taken at ``o``, or a packet there has not ended.
    """

    def __init__(self, stream_bytes):
        self.layout = beat_layout(stream_bytes)
        signature = stream.Signature(self.layout)
        super().__init__({
            "i": In(signature), "o": Out(signature), "drain": In(1), "pending": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(self.layout)
        is_inside = Signal()
        cuts = Signal()
        cut = Signal()
        puts = Signal()
        m.d.comb += [
            cuts.eq(is_inside & self.drain | cut),
            self.i.ready.eq(buffer.i.ready & ~cut),
            buffer.i.valid.eq(cuts | self.i.valid & ~self.drain),
            buffer.i.p.eq(Mux(cuts, Const({"last": 1}, self.layout).as_value(),
                              self.i.p.as_value())),
            puts.eq(buffer.i.valid & buffer.i.ready),
            self.pending.eq(buffer.holds | is_inside),
        ]
        m.d.sync += cut.eq(cuts & ~puts)
        with m.If(puts):
            m.d.sync += is_inside.eq(~buffer.i.p.last)
        wiring.connect(m, buffer.o, wiring.flipped(self.o))
        return m
