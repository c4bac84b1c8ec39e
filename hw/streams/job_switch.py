"""Gives a shared stream to whom the current job says."""

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.job import job_layout


class JobSwitch(wiring.Component):
    """Follow the jobs in order, and show the kind of the one that a stream belongs to now.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    kind : Out, of the shape of a job's
        While ``busy``.
    busy : Out(1)
        There is a job; its transfers may go on.
    ended : In(1)
        The job has ended here, with this cycle: the next one has the stream from the next cycle.
    """

    def __init__(self, config):
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "kind": Out(job_layout(config).members["kind"]), "busy": Out(1), "ended": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.jobs.ready.eq(~self.busy | self.ended)
        with m.If(self.jobs.ready):
            m.d.sync += [self.busy.eq(self.jobs.valid), self.kind.eq(self.jobs.p.kind)]
        return m


class PacketSwitch(wiring.Component):
    """Say when a job has ended on a packet stream: not before its last packet has.

    A loader ends with the last beat that it counts. If the packet goes on (it is too long), the
    rest of it still belongs to that loader.

    Members
    -------
    transfer, last : In(1)
        A beat is taken in this cycle; it ends its packet.
    loaded : In(1)
        The loader has counted all of the job's beats.
    ended : Out(1)
    """

    transfer: In(1)
    last: In(1)
    loaded: In(1)
    ended: Out(1)

    def elaborate(self, platform):
        m = Module()
        in_packet = Signal()
        waits = Signal()
        stays_in_packet = Signal()
        with m.If(self.transfer):
            m.d.comb += stays_in_packet.eq(~self.last)
        with m.Else():
            m.d.comb += stays_in_packet.eq(in_packet)
        m.d.comb += self.ended.eq((self.loaded | waits) & ~stays_in_packet)
        m.d.sync += [in_packet.eq(stays_in_packet),
                     waits.eq((self.loaded | waits) & stays_in_packet)]
        return m
