"""Hands every job to every engine, each at its own pace."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from .job import job_layout

JOBS_UNDER_WAY = 4
"""Most jobs that are dispatched and have not ended."""


class JobFork(wiring.Component):
    """Queue each job for several engines, so that one that is done with it starts on the next.

    Parameters
    ----------
    config : Config
    engines : int
        Consumers.

    Members
    -------
    i : In(stream of job_layout)
        Taken when no engine's queue is full.
    o : Out(engines x stream of job_layout)
    """

    def __init__(self, config, engines):
        self.layout = job_layout(config)
        signature = stream.Signature(self.layout)
        super().__init__({"i": In(signature), "o": Out(signature).array(engines)})

    def elaborate(self, platform):
        m = Module()
        queues = []
        for index, output in enumerate(self.o):
            queue = SyncFIFOBuffered(width=self.layout.size, depth=JOBS_UNDER_WAY)
            m.submodules[f"queue_{index}"] = queue
            m.d.comb += [
                queue.w_en.eq(self.i.valid & self.i.ready), queue.w_data.eq(self.i.p),
                output.valid.eq(queue.r_rdy), output.p.eq(queue.r_data),
                queue.r_en.eq(output.ready),
            ]
            queues.append(queue)
        m.d.comb += self.i.ready.eq(1)
        for queue in queues:
            with m.If(~queue.w_rdy):
                m.d.comb += self.i.ready.eq(0)
        return m
