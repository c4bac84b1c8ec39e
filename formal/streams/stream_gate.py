"""Proofs of `hw.streams.stream_gate`."""

from amaranth import Const, Mux, Signal, Value

import hw.streams.stream_gate as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

BITS = 10
"""Of a beat of one byte: data, keep, last."""


class InputGateHarness(Harness):
    """Beats of any packets, and a drain at any time, which resets the reader."""

    def prove(self, m):
        m.submodules.dut = dut = module.InputGate(1)
        self.free_inputs(m, dut)
        self.offers_stay(m, dut.i, "i")
        enters, leaves = Signal(), Signal()
        m.d.comb += [enters.eq(dut.i.valid & dut.i.ready), leaves.eq(dut.o.valid & dut.o.ready)]
        begins_in, begins_out = Signal(init=1), Signal(init=1)  # the next beat begins a packet
        with m.If(enters):
            m.d.sync += begins_in.eq(dut.i.p.last)
        with m.If(dut.drain):
            m.d.sync += begins_out.eq(1)
        with m.Elif(leaves):
            m.d.sync += begins_out.eq(dut.o.p.last)
        drops_rest = self.look("dut.drops_rest")
        self.cover(m, "rest_dropped", drops_rest & enters)
        self.check(m, "passes_what_came", ~leaves
                   | (enters & (Value.cast(dut.o.p) == Value.cast(dut.i.p))))
        self.check(m, "nothing_while_drained", ~(dut.drain & dut.o.valid))
        self.check(m, "drain_takes_all", ~dut.drain | dut.i.ready)
        self.check(m, "passes_in_step", ~leaves | (begins_out == begins_in))
        self.check(m, "drops_a_rest_alone", ~(enters & ~leaves)
                   | dut.drain | (begins_out & ~begins_in))
        self.check(m, "inside", begins_in == ~self.look("dut.is_inside"))
        self.check(m, "rest", (~drops_rest | (begins_out & ~begins_in))
                   & (drops_rest | (begins_out == begins_in)))


class OutputHoldHarness(Harness):
    """A source that is reset while it is drained, and a reader that stalls at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.OutputHold(1)
        self.free_inputs(m, dut)
        enters, leaves = Signal(), Signal()
        m.d.comb += [enters.eq(dut.i.valid & dut.i.ready & ~dut.drain),
                     leaves.eq(dut.o.valid & dut.o.ready)]
        stalled, offered = Signal(), Signal(BITS)
        m.d.sync += [stalled.eq(dut.o.valid & ~dut.o.ready), offered.eq(Value.cast(dut.o.p))]
        self.check(m, "offer_stays", ~stalled
                   | (dut.o.valid & (Value.cast(dut.o.p) == offered)))
        begins_out, begins_in = Signal(init=1), Signal(init=1)
        with m.If(leaves):
            m.d.sync += begins_out.eq(dut.o.p.last)
        with m.If(dut.drain):
            m.d.sync += begins_in.eq(1)
        with m.Elif(enters):
            m.d.sync += begins_in.eq(dut.i.p.last)
        self._ends(m, dut, enters, begins_in, begins_out)
        waits = Signal(range(5))
        m.d.sync += waits.eq(Mux(dut.drain & dut.o.ready & dut.pending, waits + 1, 0))
        self.check(m, "drained_in_three_cycles", waits <= 3)

    def _ends(self, m, dut, enters, begins_in, begins_out):
        """Every packet that began at ``o`` ends, and nothing runs into one that was cut."""
        is_offered, is_behind = (self.look(f"dut.buffer.{name}") for name in
                                 ("is_offered", "is_behind"))
        offered, behind = (self.look(f"dut.buffer.{name}", BITS) for name in ("offered", "behind"))
        is_ended = Signal()  # the last beat that was put into the buffer ended its packet
        m.d.comb += is_ended.eq(
            Mux(is_behind, behind[-1], Mux(is_offered, offered[-1], begins_out)))
        self.cover(m, "cut", dut.o.valid & dut.o.p.last & ~dut.o.p.keep.any())
        self.check(m, "offered_first", ~is_behind | is_offered)
        self.check(m, "pending", dut.pending == (is_offered | ~is_ended))
        self.check(m, "all_ended_when_nothing_is_pending", dut.pending | begins_out)
        self.check(m, "packets_are_kept_apart", ~enters | (begins_in == is_ended))
        self.check(m, "inside", self.look("dut.is_inside") == ~is_ended)
        self.check(m, "cut_waits", self.look("dut.cut") == (begins_in & ~is_ended))
        self.check(m, "source_inside", begins_in | ~is_ended)
        puts, put = self.look("dut.puts"), self.look("dut.buffer.i__payload", BITS)
        self.check(m, "what_enters_is_buffered",
                   ~enters | (puts & (put == Value.cast(dut.i.p))))
        self.check(m, "what_else_is_buffered_is_empty",
                   ~(puts & ~enters) | (put == Const({"last": 1}, dut.layout).as_value()))


PROOFS = (
    Proof(
        name="input_gate", make=InputGateHarness, depth=2,
        says="While it is drained nothing passes and everything is taken; then the rest of the "
             "packet under way is dropped; what passes next begins a packet. Nothing else is "
             "dropped.",
        assumes="What i offers stays until it is taken; a drain resets the reader.",
        bounds="One byte.",
        mutants=(Mutant(module.__name__, "drops_rest.eq(drops & stays_inside)",
                        "drops_rest.eq(0)"),
                 Mutant(module.__name__, "self.i.ready.eq(self.o.ready | drops)",
                        "self.i.ready.eq(self.o.ready)"))),
    Proof(
        name="output_hold", make=OutputHoldHarness, depth=4,
        says="What was offered stays until it is taken, drained or not; every packet ends, a cut "
             "one by an empty beat; nothing is lost outside of a drain; a drained hold is empty "
             "after three cycles of a ready reader.",
        assumes="A drain resets the source.",
        bounds="One byte. That its buffer keeps the order is the proof of stream_buffer.",
        mutants=(Mutant(module.__name__, "m.d.sync += cut.eq(cuts & ~puts)",
                        "m.d.sync += cut.eq(0)"),
                 Mutant(module.__name__, "self.pending.eq(buffer.holds | is_inside)",
                        "self.pending.eq(buffer.holds)"))))
