"""Proof of an input port: `hw.streams.stream_gate` and, behind it, `hw.streams.packet_guard`."""

from amaranth import ClockDomain, ClockSignal, DomainRenamer, Mux, Signal
from amaranth.lib import wiring

import hw.streams.packet_guard as guards
import hw.streams.stream_buffer as buffers
import hw.streams.stream_gate as gates
from formal.harness import Harness
from formal.proof import Mutant, Proof

PASS, FILL, DROP = range(3)
"""States of the guard, in the order of the source."""

BITS = 10
"""Of a beat of one byte: data, keep, last."""


class InputPortHarness(Harness):
    """Packets, a consumer that counts, and an abort at any time, of any length.

    The lowest bit of each byte says that the beat is the first of its packet. Beats are copied and
    not looked at, so at the other end it tells what arrived there.
    """

    def prove(self, m):
        engines = m.domains.engines = ClockDomain()
        drain, in_reset = self.free(1, "drain"), Signal(init=1)
        m.d.sync += in_reset.eq(drain)
        m.d.comb += [engines.clk.eq(ClockSignal("sync")), engines.rst.eq(in_reset)]
        # As `Accelerator` and `Engines` connect them.
        m.submodules.gate = gate = gates.InputGate(1)
        buffer, guard = buffers.StreamBuffer(gate.o.p.shape()), guards.PacketGuard(stream_bytes=1)
        m.submodules.buffer = DomainRenamer("engines")(buffer)
        m.submodules.guard = DomainRenamer("engines")(guard)
        wiring.connect(m, buffer.o, guard.i)
        m.d.comb += [
            gate.drain.eq(drain), buffer.i.valid.eq(gate.o.valid), buffer.i.p.eq(gate.o.p),
            gate.o.ready.eq(buffer.i.ready & ~in_reset)]

        port = gate.i
        self.free_inputs(m, gate, but=("o__ready", "drain"))
        self.offers_stay(m, port, "port")
        begins = Signal(init=1)  # the next beat at the port begins a packet
        with m.If(port.valid & port.ready):
            m.d.sync += begins.eq(port.p.last)
        self.assume(m, ~port.valid | (port.p.data[0] == begins))
        is_final, length_left = Signal(), Signal(2)
        enters, leaves = Signal(), Signal()
        # In the first cycle of its reset an engine still does what it did, which nobody counts.
        m.d.comb += [
            is_final.eq(length_left == 0), guard.is_final.eq(is_final),
            guard.o.ready.eq(self.free(1, "takes")), guard.keep.eq(self.free(1, "keep")),
            enters.eq(guard.i.valid & guard.i.ready & ~in_reset),
            leaves.eq(guard.o.valid & guard.o.ready & ~in_reset)]
        with m.If(leaves):
            m.d.engines += length_left.eq(
                Mux(is_final, self.free(2, "next_length"), length_left - 1))
        begins_in, begins_out = Signal(init=1), Signal(init=1)  # of the guard, since the reset
        with m.If(enters):
            m.d.engines += begins_in.eq(guard.i.p.last)
        with m.If(leaves):
            m.d.engines += begins_out.eq(is_final)

        was_cut = Signal()  # an abort fell into a packet
        m.d.sync += was_cut.eq(was_cut | (drain & ~begins))
        self.cover(m, "after_an_abort", was_cut & leaves & enters & begins_out)
        self.check(m, "drain_takes_all", ~drain | port.ready)
        self.check(m, "a_packet_begins_with_its_first_beat",
                   ~(leaves & enters) | (guard.o.p[0] == begins_out))
        self.check(m, "whole_packets_enter", ~enters | (guard.i.p.data[0] == begins_in))
        self.check(m, "filled_with_zeros", ~(leaves & ~enters) | (guard.o.p == 0))
        self._look_inside(m, begins, begins_in, begins_out, in_reset, drain)

    def _look_inside(self, m, begins, begins_in, begins_out, in_reset, drain):
        """State what is known of the beats in the buffer, and of the gate."""
        is_offered, is_behind = self.look("buffer.is_offered"), self.look("buffer.is_behind")
        offered, behind = (self.look(f"buffer.{name}", BITS) for name in ("offered", "behind"))
        state, drops = self.look("guard.fsm_state", 2), self.look("gate.drops_rest")
        next_begins = Signal()  # the beat that the gate passes next must begin a packet
        m.d.comb += next_begins.eq(
            Mux(is_behind, behind[-1], Mux(is_offered, offered[-1], begins_in)))
        self.check(m, "in_order", in_reset | ~is_behind | is_offered)
        self.check(m, "offered_first", in_reset | ~is_offered | (offered[0] == begins_in))
        self.check(m, "behind_first", in_reset | ~is_behind | (behind[0] == offered[-1]))
        self.check(m, "in_step", in_reset | drops | (next_begins == begins))
        self.check(m, "rest", ~drops | ~begins & (in_reset | next_begins))
        self.check(m, "dropped_in_a_drain", ~in_reset | begins | drops)
        self.check(m, "inside", self.look("gate.is_inside") == ~begins)
        self.check(m, "states", in_reset | (state <= DROP)
                   & ((state == PASS) == (begins_in == begins_out))
                   & ((state == FILL) == (begins_in & ~begins_out)))


PROOFS = (Proof(
    name="input_port", make=InputPortHarness, depth=2, steps=12,
    says="Through aborts and resumes at any time: the consumer's packet begins with the first beat "
         "of one of the host's, and takes no beat of another; a beat of the middle never begins "
         "one; while the machine is drained every beat is taken.",
    assumes="What the host offers stays until it is taken. The reset of the engines follows the "
            "drain a cycle later, as in `Accelerator`.",
    bounds="One byte; the gate, the engines' buffer and the guard, connected as in the machine; "
           "the consumer's packets have one to four beats.",
    mutants=(Mutant(gates.__name__, "drops_rest.eq(drops & stays_inside)", "drops_rest.eq(0)"),
             Mutant(gates.__name__, "self.i.ready.eq(self.o.ready | drops)",
                    "self.i.ready.eq(self.o.ready)"),
             Mutant(gates.__name__, "drops.eq(self.drain | drops_rest)", "drops.eq(drops_rest)"),
             Mutant(guards.__name__, 'm.next = "DROP"', 'm.next = "PASS"'))),)
