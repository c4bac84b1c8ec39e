"""AXI4 from one clock to another: a queue for each channel, and a reset that both sides see."""

from amaranth import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.synchronizer import Synchronizer
from hw.streams.clock_queue import ClockQueue

from .axi4 import axi4_signature

CHANNELS = ("ar", "r", "aw", "w", "b")

LEAST_RESET = 8
"""Cycles of the slower clock that a reset of either side lasts: until the other side has seen it
and begun anew, and this side has seen that."""


class ClockCrossing(wiring.Component):
    """Let a manager in the domain `sync` work on a bus in the domain `bus`, whatever their clocks.

    Each channel has a `ClockQueue` of its own, so none waits for another, and everything that
    travels with an address or a word crosses with it. Within a channel all stay in order; between
    channels there is none: a word may be offered before its address.

    A reset of one side is one of both: each tells the other a cycle before its counts begin anew,
    and neither goes on before both are up. What was inside is dropped. A reset lasts at least
    `LEAST_RESET` cycles of the slower clock; then it does not matter which begins or ends first.

    Parameters
    ----------
    address_bits, data_bytes, id_bits : int
        As in `axi4_signature`.

    Members
    -------
    manager : In(axi4_signature)
        In `sync`.
    bus : Out(axi4_signature)
        In `bus`.
    """

    def __init__(self, **sizes):
        signature = axi4_signature(**sizes)
        super().__init__({"manager": In(signature), "bus": Out(signature)})

    def elaborate(self, platform):
        m = Module()
        self._share_resets(m)
        for channel in CHANNELS:
            names = payload_names(self.bus.signature, channel)
            queue = ClockQueue(data.StructLayout({
                name: self.bus.signature.members[name].shape for name in names}))
            valid, ready = f"{channel}valid", f"{channel}ready"
            if self.bus.signature.members[valid].flow is Out:
                source, sink, write, read = self.manager, self.bus, "near", "far"
            else:
                source, sink, write, read = self.bus, self.manager, "far", "near"
            m.submodules[channel] = DomainRenamer({"write": write, "read": read})(queue)
            m.d.comb += [
                queue.i.valid.eq(getattr(source, valid)), getattr(source, ready).eq(queue.i.ready),
                getattr(sink, valid).eq(queue.o.valid), queue.o.ready.eq(getattr(sink, ready)),
                *(queue.i.p[name].eq(getattr(source, name)) for name in names),
                *(getattr(sink, name).eq(queue.o.p[name]) for name in names)]
        return m

    def _share_resets(self, m):
        """Make the domains of the queues' ends, in reset while either side is."""
        is_up = {side: Signal(name=f"{side}_is_up") for side in ("near", "far")}
        for side, other, domain in (("near", "far", "sync"), ("far", "near", "bus")):
            synchronizer = Synchronizer(1)
            m.submodules[f"{side}_synchronizer"] = DomainRenamer(domain)(synchronizer)
            m.domains += ClockDomain(side, local=True)
            m.d[domain] += is_up[side].eq(1)
            m.d.comb += [synchronizer.i.eq(is_up[other]),
                         ClockSignal(side).eq(ClockSignal(domain)),
                         ResetSignal(side).eq(~(is_up[side] & synchronizer.o))]


def payload_names(signature, channel):
    """List what travels in a channel of `axi4_signature`."""
    return [name for name in signature.members
            if name.startswith(channel) and name not in (f"{channel}valid", f"{channel}ready")]
