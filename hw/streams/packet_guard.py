"""Holds an AXI4-Stream to the packet lengths that a job implies."""

from amaranth import Module, Mux, Signal
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


def gather_faults(m, faults, job_ends, job_faults):
    """Collect a loader's faults over a job, and hand them over at its end.

    Parameters
    ----------
    m : Module
    faults : Value
        Flags of this cycle.
    job_ends : Value
        The job's last beat is taken in this cycle; its faults still count.
    job_faults : stream
        Receives the flags, once per job.
    """
    so_far = Signal.like(faults, name="faults_so_far")
    m.d.sync += so_far.eq(Mux(job_ends, 0, so_far | faults))
    m.d.comb += [job_faults.valid.eq(job_ends), job_faults.payload.eq(so_far | faults)]
