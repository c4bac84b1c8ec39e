"""Proof of `hw.memory.beat_splitter`."""

from amaranth import Signal

import hw.memory.beat_splitter as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.memory.aligner import aligned_layout

WIDE, NARROW = 8, 2


class BeatSplitterHarness(Harness):
    """Beats whose first bytes are kept. One arbitrary byte of each is followed."""

    def prove(self, m):
        m.submodules.dut = dut = module.BeatSplitter(
            aligned_layout, wide_bytes=WIDE, narrow_bytes=NARROW)
        self.free_inputs(m, dut)
        wide, narrow = dut.i.p, dut.o.p
        self._stays(m, dut.i)
        kept = sum(wide.keep[byte] for byte in range(WIDE))
        self.assume(m, ~dut.i.valid | (wide.keep != 0))
        self.assume(m, ((wide.keep + 1) & wide.keep) == 0)

        sent = Signal(range(WIDE // NARROW + 1))  # of the beat that is offered
        sends, takes = dut.o.valid & dut.o.ready, dut.i.valid & dut.i.ready
        with m.If(sends):
            m.d.sync += sent.eq(sent + 1)
        with m.If(takes):
            m.d.sync += sent.eq(0)
        beats = (kept + NARROW - 1) // NARROW
        self.cover(m, "three", takes & (sent == 2))
        self.check(m, "offers", dut.o.valid == dut.i.valid)
        self.check(m, "counted", self.look("dut.place", 2) == sent)
        self.check(m, "within", (sent == 0) | dut.i.valid & (sent < beats))
        self.check(m, "as_many_as_are_needed", ~takes | sends & (sent + 1 == beats))
        self.check(m, "no_more", ~sends | (sent + 1 != beats) | takes)
        self.check(m, "last", ~dut.o.valid | (narrow.last == (wide.last & (sent + 1 == beats))))
        self.check(m, "of_all", (narrow.resp == wide.resp) & (narrow.index == wide.index))
        byte = self.free_constant(m, 3, "byte")
        leaves = dut.o.valid & (sent == byte // NARROW)
        self.check(m, "keep", ~leaves | (narrow.keep.bit_select(byte % NARROW, 1)
                                         == wide.keep.bit_select(byte, 1)))
        self.check(m, "byte", ~leaves | (narrow.data.word_select(byte % NARROW, 8)
                                         == wide.data.word_select(byte, 8)))

    def _stays(self, m, beats):
        """Assume that a beat stays until it is taken, all but the bytes that are not kept."""
        kept, before, waits = (Signal(beats.p.shape(), name="kept"),
                               Signal(beats.p.shape(), name="before"), Signal(name="waits"))
        m.d.comb += kept.eq(beats.p)
        for byte in range(WIDE):
            with m.If(~beats.p.keep[byte]):
                m.d.comb += kept.data.word_select(byte, 8).eq(0)
        m.d.sync += [waits.eq(beats.valid & ~beats.ready), before.eq(kept)]
        self.assume(m, ~waits | beats.valid & (kept.as_value() == before.as_value()))


PROOFS = (Proof(
    name="beat_splitter", make=BeatSplitterHarness, depth=1,
    says="A beat leaves as so many short ones as its kept bytes need, each byte and its `keep` at "
         "its place, `last` with the last of them, the rest with each; it is taken with that one.",
    assumes="Kept bytes of a beat stay until it is taken; they are the first, one or more.",
    bounds=f"Beats of {WIDE} bytes to beats of {NARROW}.",
    mutants=(Mutant(module.__name__, "for part in keep[1:]), 0])", "for part in keep[1:]), 1])"),
             Mutant(module.__name__, "narrow.last.eq(wide.last & is_final)",
                    "narrow.last.eq(wide.last)"),
             Mutant(module.__name__, "with m.If(self.o.valid & self.o.ready):",
                    "with m.If(self.o.valid):"))),)
