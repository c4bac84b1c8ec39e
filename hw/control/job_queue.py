"""Hands every job to the engines that work on its kind, each at its own pace."""

from amaranth import Array, Cat, Module, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import JOBS_UNDER_WAY
from hw.contract.job import job_layout
from hw.parts.ring import index_signal


class JobQueue(wiring.Component):
    """Keep the jobs under way once, and let each engine read them in order.

    An engine that is done with a job goes on to the next one while others still work on it. Jobs of
    a kind that an engine does not know are skipped for it, a cycle each.

    Parameters
    ----------
    config : Config
    engines : sequence of set of JobKind or of AnyKind, or of callable
        For each engine, the kinds that it takes; or what tells of a job whether it takes it, as an
        expression.

    Members
    -------
    i : In(stream of job_layout)
        Always ready: who sends has at most `JOBS_UNDER_WAY` jobs under way, so that the place which
        a new job takes belongs to one that has ended.
    o : Out(engines x stream of job_layout)
    """

    def __init__(self, config, engines):
        self.engines = engines
        self.layout = job_layout(config)
        self.codes = 1 << Shape.cast(self.layout["kind"].shape).width  # that kinds have here
        signature = stream.Signature(self.layout)
        super().__init__({"i": In(signature), "o": Out(signature).array(len(self.engines))})

    def elaborate(self, platform):
        m = Module()
        jobs = Array(Signal(self.layout, name=f"job_{index}", reset_less=True)
                     for index in range(JOBS_UNDER_WAY))
        end = index_signal(JOBS_UNDER_WAY, "end")
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid):
            m.d.sync += [jobs[end].eq(self.i.p), end.eq(end + 1)]
        for index, (takes, output) in enumerate(zip(self.engines, self.o, strict=True)):
            # A register for the engine's job: much follows from it in the same cycle.
            head = Signal(self.layout, name=f"head_{index}", reset_less=True)
            behind = Signal(range(JOBS_UNDER_WAY), init=1, name=f"behind_{index}")
            left = Signal(range(JOBS_UNDER_WAY + 1), name=f"left_{index}")
            wanted = Signal(name=f"wanted_{index}")
            passes = Signal(name=f"passes_{index}")
            m.d.comb += [
                output.p.eq(head),
                wanted.eq(takes(output.p) if callable(takes) else self._is_of(output.p, takes)),
                output.valid.eq((left != 0) & wanted),
                passes.eq((left != 0) & (output.ready | ~wanted)),
            ]
            m.d.sync += [behind.eq(behind + passes), left.eq(left + self.i.valid - passes)]
            with m.If(left == passes):  # no other job waits
                m.d.sync += head.eq(self.i.p)
            with m.Elif(passes):
                m.d.sync += head.eq(jobs[behind])
        return m

    def _is_of(self, job, kinds):
        """Tell whether a job is of one of some kinds, as far as this machine has them."""
        return Cat(job.kind == kind for kind in sorted(kinds, key=lambda kind: kind.value)
                   if kind.value < self.codes).any()
