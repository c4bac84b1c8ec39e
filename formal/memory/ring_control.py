"""Proof of `hw.memory.ring_control`."""

from amaranth import Mux, Signal

import hw.memory.ring_control as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

OFF, BEGIN, RUN, DRAIN, SETTLE, HALT = range(6)

MOST = 6
"""Cycles from a low `enable` and a quiet bus to a ring that stands still."""


class RingControlHarness(Harness):
    """The reset of those who work follows the ring as it does in the machine.

    They are *blank* when they have been reset, until commands may be fetched; only who is not can
    ask the bus for anything. The bus gets quiet at any time.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.RingControl()
        self.free_inputs(m, dut, but=("in_reset",))
        self.assume(m, ~dut.stops | (dut.found != 0))
        drain, in_reset, blank = Signal(), Signal(init=1), Signal(init=1)
        m.d.comb += dut.in_reset.eq(in_reset)
        m.d.sync += [drain.eq(dut.drops | drain & ~dut.lets_in), in_reset.eq(drain),
                     blank.eq(in_reset | blank & ~dut.runs)]
        has_no_reason = Signal(init=1)  # to be anything but quiet
        m.d.sync += has_no_reason.eq(dut.quiet & blank & ~dut.runs)
        self.assume(m, ~has_no_reason | dut.quiet)

        state = self.look("dut.fsm_state", 3)
        self.check(m, "idle_is_quiet", ~dut.is_idle | dut.quiet & blank & ~dut.runs)
        self.check(m, "idle", dut.is_idle == ((state == OFF) | (state == HALT)))
        self.check(m, "states", state <= HALT)
        self.check(m, "drains", Mux(
            (state == BEGIN) | (state == RUN), ~drain & ((state == BEGIN) | ~in_reset),
            Mux(state == DRAIN, drain, Mux(state == OFF, ~drain | in_reset, drain & in_reset))))
        self.check(m, "settles", (state != SETTLE) | blank)
        self.check(m, "blank", (state != BEGIN) | blank)
        self.check(m, "runs_while_enabled", ~dut.runs | dut.enable & ~in_reset)
        self._fault(m, dut, state)
        self._idle_within(m, dut, state)

    def _fault(self, m, dut, state):
        """Of a stop: what it was, and that it ends by a resume, a skip or a low enable alone."""
        stopped, why = Signal(), Signal.like(dut.found)
        halted, was_halted, halts = Signal(), Signal(), Signal()
        goes_on = halted & (~dut.enable | dut.resume | dut.skip)
        m.d.comb += halted.eq(dut.is_idle & (dut.fault != 0))
        m.d.sync += [was_halted.eq(halted), halts.eq(dut.halts)]
        takes = dut.stops & (dut.runs | dut.drops)
        with m.If(takes):
            m.d.sync += [stopped.eq(1), why.eq(dut.found)]
        with m.Elif(goes_on):
            m.d.sync += stopped.eq(0)
        self.cover(m, "skips", dut.skips & (dut.fault == 3))
        self.cover(m, "halts", dut.halts)
        self.check(m, "stopped", ~stopped | ~dut.runs & ~dut.lets_in)
        self.check(m, "stops", ~(dut.runs & dut.stops) | dut.drops)
        self.check(m, "fault", dut.fault == Mux(stopped, why, 0))
        self.check(m, "why", ~stopped | (why != 0))
        self.check(m, "halts_first", (halted & ~was_halted) == halts)
        self.check(m, "skips_once", dut.skips == (halted & dut.enable & dut.skip))
        self.check(m, "where", Mux(stopped, (state >= DRAIN), state != HALT))
        self.check(m, "was_halted", (~was_halted | (state == HALT) | (state == OFF))
                   & (~halts | (state == HALT)))

    def _idle_within(self, m, dut, state):
        """Disabled and with a quiet bus the ring stands still within a bound, from any state."""
        waits = Signal(range(MOST + 2))
        m.d.sync += waits.eq(Mux(dut.enable | ~dut.quiet | dut.is_idle, 0, waits + 1))
        self.cover(m, "waits", (waits == MOST - 1) & (state == SETTLE))
        self.check(m, "idle_within", waits <= MOST)


PROOFS = (Proof(
    name="ring_control", make=RingControlHarness, depth=8, steps=16,
    says="The ring is idle only while the bus owes nothing and nobody works. What is enabled runs "
         "until a fault; from then on nothing does, and the fault stays what it was, until a "
         "resume, a skip, or a low `enable`. A skip in a halt counts the command once, and no "
         "other does; `halts` is the cycle before a halt. With `enable` low and a quiet bus the "
         f"ring is idle {MOST} cycles later, wherever it was.",
    assumes="Who works is in reset from two cycles after `drops` until two after `lets_in`, and "
            "asks for nothing from then on until the ring runs; a fault has a number.",
    mutants=(Mutant(module.__name__, "with m.If(self.quiet & self.in_reset):",
                    "with m.If(self.quiet):"),
             Mutant(module.__name__, "with m.If(~self.quiet):", "with m.If(0):"),
             Mutant(module.__name__, 'm.next = "BEGIN"', 'm.next = "RUN"'),
             Mutant(module.__name__, "with m.If(self.stops | ~self.enable):",
                    "with m.If(~self.enable):"),
             Mutant(module.__name__, "self.skips.eq(self.skip)",
                    "self.skips.eq(self.skip | self.resume)"),
             Mutant(module.__name__, "with m.Elif(self.fault == 0):", "with m.Elif(0):"))),)
