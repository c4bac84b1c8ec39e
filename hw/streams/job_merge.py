"""Merges two streams whose jobs take turns."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.job import job_layout


class JobMerge(wiring.Component):
    """Let each job's payloads through from the stream that it says, until its last one.

    Combinational. What is early waits.

    Parameters
    ----------
    config : Config
    shape : ShapeLike
        Of the payload.
    from_second : callable
        Tells of a job whether its payloads come from the second stream, as an expression.
    passes_by : callable
        Tells of a job whether it has none.
    ends : callable
        Tells of a payload whether it is its job's last.

    Members
    -------
    jobs : In(stream of job_layout)
    first, second : In(stream of shape)
    o : Out(stream of shape)
    """

    def __init__(self, config, shape, *, from_second, passes_by, ends):
        self.from_second, self.passes_by, self.ends = from_second, passes_by, ends
        payloads = stream.Signature(shape)
        super().__init__({"jobs": In(stream.Signature(job_layout(config))),
                          "first": In(payloads), "second": In(payloads), "o": Out(payloads)})

    def elaborate(self, platform):
        m = Module()
        is_second, is_none, may_go = (
            Signal(name=name) for name in ("is_second", "is_none", "may_go"))
        m.d.comb += [
            is_second.eq(self.from_second(self.jobs.p)), is_none.eq(self.passes_by(self.jobs.p)),
            may_go.eq(self.jobs.valid & ~is_none),
            self.o.valid.eq(may_go & Mux(is_second, self.second.valid, self.first.valid)),
            self.o.p.eq(Mux(is_second, Value.cast(self.second.p), Value.cast(self.first.p))),
            self.first.ready.eq(may_go & ~is_second & self.o.ready),
            self.second.ready.eq(may_go & is_second & self.o.ready),
            self.jobs.ready.eq(is_none | self.o.valid & self.o.ready & self.ends(self.o.p))]
        return m
