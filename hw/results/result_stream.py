"""One result stream from several sources, in the order of the jobs."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.job import job_layout
from hw.contract.job_codes import JobKind, Output
from hw.contract.result_rows import packet_beat_layout
from hw.parts.bits import any_of
from hw.streams.packet_guard import beat_layout


class ResultStream(wiring.Component):
    """Let each job's packets through from the engine that makes them, until its last beat.

    The engines may be jobs ahead of each other: one that is early waits. Combinational: one beat
    per cycle, also from the last beat of a job to the first of the next; a stall at ``o`` reaches
    the job's engine.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        Every job, in order; taken with its last beat.
    floats : In(stream of packet_beat_layout)
        Packets of GEMMs whose results leave in floating point.
    blocks : In(stream of packet_beat_layout)
        Packets of GEMMs whose results leave as MX.
    conversions : In(stream of packet_beat_layout)
        Packets of jobs that convert.
    o : Out(stream of beat_layout(result_bytes))
    job_ended : Out(1)
        The job's last beat was taken at ``o`` a cycle ago.
    """

    def __init__(self, config):
        source = In(stream.Signature(packet_beat_layout(config)))
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "floats": source, "blocks": source, "conversions": source,
            "o": Out(stream.Signature(beat_layout(config.result_bytes))),
            "job_ended": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        job = self.jobs.p
        converts = Signal()
        packs = Signal()
        ends = Signal()  # if the beat is taken
        m.d.comb += [
            converts.eq(any_of(job.kind == kind for kind in JobKind if kind.converts)),
            packs.eq((job.output == Output.MX6) | (job.output == Output.MX9)),
            self.jobs.ready.eq(self.o.valid & self.o.ready & ends),
        ]
        m.d.sync += self.job_ended.eq(self.jobs.ready)

        def pass_on(source):
            m.d.comb += [
                self.o.valid.eq(source.valid & self.jobs.valid),
                source.ready.eq(self.o.ready & self.jobs.valid),
                ends.eq(source.p.last & source.p.job_last),
                *[getattr(self.o.p, name).eq(getattr(source.p, name))
                  for name in ("data", "keep", "last")],
            ]

        with m.If(converts):
            pass_on(self.conversions)
        with m.Elif(packs):
            pass_on(self.blocks)
        with m.Else():
            pass_on(self.floats)
        return m
