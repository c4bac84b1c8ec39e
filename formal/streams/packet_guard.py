"""Proof of `hw.streams.packet_guard`."""

from amaranth import Mux, Signal

import hw.streams.packet_guard as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

PASS, FILL, DROP = range(3)
"""States, in the order of the source."""


class PacketGuardHarness(Harness):
    """Packets of any lengths, and a consumer that counts any lengths."""

    def prove(self, m):
        m.submodules.dut = dut = module.PacketGuard(stream_bytes=1)
        self.free_inputs(m, dut, but=("is_final",))
        self.offers_stay(m, dut.i, "i")
        length_left = Signal(3)  # of the consumer's packet, this beat not included
        is_final, enters, leaves, passes = (Signal(name=name) for name in
                                            ("is_final", "enters", "leaves", "passes"))
        m.d.comb += [is_final.eq(length_left == 0), dut.is_final.eq(is_final),
                     enters.eq(dut.i.valid & dut.i.ready), leaves.eq(dut.o.valid & dut.o.ready),
                     passes.eq(enters & leaves)]
        with m.If(leaves):
            m.d.sync += length_left.eq(Mux(is_final, self.free(3, "next_length"), length_left - 1))
        # Whether the next beat begins a packet, on either side.
        begins_in, begins_out = Signal(init=1), Signal(init=1)
        with m.If(enters):
            m.d.sync += begins_in.eq(dut.i.p.last)
        with m.If(leaves):
            m.d.sync += begins_out.eq(is_final)
        self.check(m, "passes_in_step",
                   ~passes | ((dut.o.p == dut.i.p.data) & (begins_in == begins_out)))
        self.check(m, "fills_inside_with_zeros",
                   ~(leaves & ~enters) | ((dut.o.p == 0) & ~begins_out))
        self.check(m, "drops_inside", ~(enters & ~leaves) | ~begins_in)
        self.check(m, "goes_on", ~(dut.i.valid & dut.o.ready) | enters | leaves)
        self._flags(m, dut, passes, is_final, (begins_in, begins_out), (enters, leaves))
        state = self.look("dut.fsm_state", 2)
        self.check(m, "states", (state <= DROP)
                   & ((state == PASS) == (begins_in == begins_out))
                   & ((state == FILL) == (begins_in & ~begins_out)))

    def _flags(self, m, dut, passes, is_final, begins, moves):
        """Each packet is flagged once at most, and exactly if the lengths differ."""
        is_wrong, was_flagged, both_end = Signal(), Signal(), Signal()
        m.d.comb += [
            is_wrong.eq(passes & (dut.i.p.last ^ is_final)),
            both_end.eq(Mux(moves[0], dut.i.p.last, begins[0])
                        & Mux(moves[1], is_final, begins[1])),
        ]
        m.d.sync += was_flagged.eq(~both_end & (was_flagged | dut.bad_length))
        self.cover(m, "too_long", dut.bad_length & is_final)
        self.cover(m, "too_short", dut.bad_length & dut.i.p.last)
        self.check(m, "length_flag", dut.bad_length == is_wrong)
        self.check(m, "keep_flag", dut.bad_keep == (passes & (dut.i.p.keep != dut.keep)))
        self.check(m, "flagged_once", ~(was_flagged & dut.bad_length))
        self.check(m, "flagged_until_in_step", (begins[0] == begins[1]) == ~was_flagged)


PROOFS = (Proof(
    name="packet_guard", make=PacketGuardHarness, depth=4,
    says="The consumer gets the beats that it counts: what came, then zeros; too many are dropped. "
         "After a packet of a wrong length both sides begin the next one together. A flag rises "
         "once for each such packet, and for each wrong tkeep.",
    assumes="What i offers stays until it is taken.",
    bounds="One byte; the consumer's packets have one to eight beats.",
    mutants=(Mutant(module.__name__, 'm.next = "DROP"', 'm.next = "PASS"'),
             Mutant(module.__name__, "with m.If(self.o.ready & self.is_final):",
                    "with m.If(self.is_final):"),
             Mutant(module.__name__, "self.i.p.last ^ self.is_final", "self.is_final"))),)
