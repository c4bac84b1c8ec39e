"""Lets the ring run, and brings it to a halt with the bus quiet."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.registers.ring_map import FAULT_BITS


class RingControl(wiring.Component):
    """Run while the ring is enabled and nothing is wrong.

    Whoever works on commands is reset when the ring stops. What has been asked of the bus comes to
    its end first, and only then the ring stands still: nothing that comes later belongs to anybody.

    Members
    -------
    enable : In(1)
        Low: drop what is under way, and stand still without a fault.
    stops : In(1), found : In(FAULT_BITS)
        A command has a fault, and which.
    resume, skip : In(1)
        Go on with the command at which the ring stands still, or behind it.
    in_reset : In(1)
        Those who work on commands are in reset.
    quiet : In(1)
        The bus owes nothing, and nothing is on offer to it.
    runs : Out(1)
        Commands may be fetched.
    drops : Out(1), lets_in : Out(1)
        Drop what is under way; take jobs again.
    skips : Out(1)
        Count the command.
    fault : Out(FAULT_BITS)
        Why the ring stands still; 0 if it does not.
    halts : Out(1)
        It comes to stand still with a fault in this cycle.
    is_idle : Out(1)
        It stands still, and the bus is quiet.
    """

    enable: In(1)
    stops: In(1)
    found: In(FAULT_BITS)
    resume: In(1)
    skip: In(1)
    in_reset: In(1)
    quiet: In(1)
    runs: Out(1)
    drops: Out(1)
    lets_in: Out(1)
    skips: Out(1)
    fault: Out(FAULT_BITS)
    halts: Out(1)
    is_idle: Out(1)

    def elaborate(self, platform):
        m = Module()
        goes_on = Signal()
        m.d.comb += goes_on.eq(self.resume | self.skip)
        with m.FSM():
            with m.State("OFF"):
                m.d.comb += self.is_idle.eq(1)
                with m.If(self.enable):
                    m.d.comb += self.lets_in.eq(1)
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                with m.If(~self.in_reset):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.runs.eq(self.enable)
                with m.If(self.stops):
                    m.d.sync += self.fault.eq(self.found)
                with m.If(self.stops | ~self.enable):
                    m.d.comb += self.drops.eq(1)
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                with m.If(self.quiet & self.in_reset):
                    m.next = "SETTLE"
            with m.State("SETTLE"):  # what came in the last cycle has been dropped
                with m.If(~self.quiet):
                    m.next = "DRAIN"
                with m.Elif(self.fault == 0):
                    m.next = "OFF"
                with m.Else():
                    m.d.comb += self.halts.eq(1)
                    m.next = "HALT"
            with m.State("HALT"):
                m.d.comb += self.is_idle.eq(1)
                with m.If(~self.enable):
                    m.d.sync += self.fault.eq(0)
                    m.next = "OFF"
                with m.Elif(goes_on):
                    m.d.comb += self.skips.eq(self.skip)
                    m.d.sync += self.fault.eq(0)
                    m.next = "OFF"
        return m
