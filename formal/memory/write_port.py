"""Proof of `hw.memory.write_port`."""

from unittest.mock import patch

from amaranth import Cat, Mux, Signal

import hw.memory.write_port as module
from formal.harness import Harness
from formal.hollow import hollow, with_hollows
from formal.proof import Mutant, Proof
from hw.memory.axi4 import INCREMENTING, OKAY, OUTSIDE, PAGE_BYTES, SLVERR, is_outside, page_of

ADDRESS_BITS, DATA_BYTES, BURST_BEATS, OUTSTANDING = 13, 2, 4, 3

INSIDE = BURST_BEATS * module.BURSTS + 3
"""Words that the former holds at most."""


class WritePortHarness(Harness):
    """The former hands out any bursts of words that it has; the bus answers what it owes.

    A word is in the former from when it was taken, and at its output as soon as it has been inside
    for three cycles and all before it have left; a burst, when that is so of all of its words. The
    window may be another one in every cycle.
    """

    def prove(self, m):
        with patch.object(module, "BurstFormer", hollow(self, module.BurstFormer, [])):
            dut = module.WritePort(
                address_bits=ADDRESS_BITS, data_bytes=DATA_BYTES, burst_beats=BURST_BEATS,
                id_bits=2, outstanding=OUTSTANDING)
        former = dut.former
        m.submodules.dut, made = with_hollows(self, dut, [(module, ("MemoryFIFO",))])
        self.free_inputs(m, dut)
        self.assume(m, dut.window.end <= (1 << ADDRESS_BITS) // PAGE_BYTES)
        run, bus = former.runs, dut.bus
        outside, takes = Signal(), Signal()
        m.d.comb += [outside.eq(is_outside(dut.window, page_of(run.p.word, DATA_BYTES))),
                     takes.eq(run.valid & run.ready)]
        dropped = outside | run.p.after & dut.spoilt
        begins, rejects = takes & ~dropped, takes & dropped
        to_send, to_drop = self._words(m, dut, former, begins, rejects)
        owed, answers, ends = self._answers(m, dut, made["MemoryFIFO"][0], run.p, begins)
        offers = self._address(m, bus, run.p, begins)
        drops = (to_drop == 1) & ~dut.holds
        dropped_ends, was_outside = Signal(), Signal()
        with m.If(takes):
            m.d.sync += [dropped_ends.eq(run.p.ends), was_outside.eq(outside)]
        resp = Mux(bus.bresp < SLVERR, 0, bus.bresp)
        can = Mux(run.p.after | outside, (owed == 0) & ~dut.holds, owed != OUTSTANDING)
        self.cover(m, "most", (owed == OUTSTANDING) & (to_send == BURST_BEATS))
        self.cover(m, "dropped", drops & dut.ended)
        self.check(m, "takes_when_it_can", takes == (
            run.valid & can & (~offers | bus.awready) & (to_drop == 0)
            & ((to_send == 0) | (to_send == 1) & bus.wready)))
        self.check(m, "most_outstanding", owed <= OUTSTANDING)
        self.check(m, "goes_after_all", ~(takes & run.p.after) | (owed == 0))
        self.check(m, "outside_goes_after_all", (to_drop == 0) | (owed == 0))
        self.check(m, "answered", dut.answered == (answers | drops))
        self.check(m, "resp", ~dut.answered | (dut.resp == Mux(
            drops, Mux(was_outside, OUTSIDE, OKAY), resp)))
        self.check(m, "ended", dut.ended == Mux(drops, dropped_ends, answers & ends))
        self.check(m, "holds", ~dut.holds | ~dut.answered & ~bus.bready)
        self.check(m, "owes", dut.owes == ((owed != 0) | (self.inside != 0)))
        self.check(m, "counted", (self.look("dut.owed", 2) == owed)
                   & (self.look("dut.inside", 5) == self.inside))
        self.check(m, "dropped_ends", (to_drop == 0)
                   | (self.look("dut.dropped_ends") == dropped_ends)
                   & (self.look("dut.is_outside_window") == was_outside))
        self.check(m, "nothing_spoilt_goes", ~begins | ~(run.p.after & dut.spoilt))

    def _words(self, m, dut, former, begins, rejects):
        """Count words inside, and those of the burst under way that are to be sent or dropped."""
        run, word, bus = former.runs, former.words, dut.bus
        inside = self.inside = Signal(range(2 * INSIDE))
        to_send, to_drop = (Signal(range(BURST_BEATS + 1), name=f"to_{name}")
                            for name in ("send", "drop"))
        enters, recent, leaves, sends = Signal(), Signal(2), Signal(), Signal()
        m.d.comb += [enters.eq(dut.i.valid & dut.i.ready), leaves.eq(word.valid & word.ready),
                     sends.eq(bus.wvalid & bus.wready)]
        m.d.sync += [inside.eq(inside + enters - leaves), recent.eq(Cat(enters, recent[0])),
                     to_send.eq(Mux(begins, run.p.beats, to_send - sends)),
                     to_drop.eq(Mux(rejects, run.p.beats, to_drop - (leaves & ~sends)))]
        there = Signal.like(inside)
        m.d.comb += there.eq(inside - recent[0] - recent[1])
        self.assume(m, ~enters | (inside < INSIDE))
        self.assume(m, word.valid == (there != 0))
        self.assume(m, ~run.valid | (run.p.beats > 0) & (run.p.beats <= BURST_BEATS)
                    & (there >= run.p.beats + to_send + to_drop))
        self.offers_stay(m, word, "word")
        self.check(m, "takes_words_of_bursts", leaves == (sends | (to_drop > 1)
                                                          | (to_drop == 1) & ~dut.holds))
        self.check(m, "takes_what_is_there", ~word.ready | word.valid)
        self.check(m, "sends_without_a_gap", bus.wvalid == (to_send != 0))
        self.check(m, "word", ~bus.wvalid | (bus.wdata == word.p.data)
                   & (bus.wstrb == word.p.strobes) & (bus.wlast == (to_send == 1)))
        self.check(m, "all_are_there", (there >= to_send + to_drop)
                   & (inside >= recent[0] + recent[1]) & (inside <= INSIDE))
        self.check(m, "sends_or_drops", (to_send == 0) | (to_drop == 0))
        self.check(m, "left", (self.look("dut.words_left", 3) == to_send)
                   & (self.look("dut.to_drop", 3) == to_drop)
                   & (to_send <= BURST_BEATS) & (to_drop <= BURST_BEATS))
        offer = Cat(bus.wdata, bus.wstrb, bus.wlast)
        stalled, before = Signal(), Signal.like(offer)
        m.d.sync += [stalled.eq(bus.wvalid & ~bus.wready), before.eq(offer)]
        self.check(m, "word_stays", ~stalled | bus.wvalid & (offer == before))
        self.to_send = to_send
        return to_send, to_drop

    def _answers(self, m, dut, marks, run, begins):
        """Queue what each burst ends; the bus answers those of which it has all, in order."""
        bus = dut.bus
        owed, queue = Signal(range(OUTSTANDING + 2)), Signal(OUTSTANDING + 1)
        answers, behind = Signal(), Signal.like(owed)
        m.d.comb += [answers.eq(bus.bvalid & bus.bready), behind.eq(owed - answers)]
        m.d.sync += [owed.eq(behind + begins),
                     queue.eq(queue >> answers & ~(1 << behind)[:OUTSTANDING + 1]
                              | (begins & run.ends) << behind)]
        self.assume(m, marks.i.ready | (owed >= OUTSTANDING))
        self.assume(m, ~marks.o.valid | (owed != 0) & (marks.o.p == queue[0]))
        whole = Signal()  # a burst whose address and words are all on the bus
        m.d.comb += whole.eq(owed > (bus.awvalid | (self.to_send != 0)))
        self.assume(m, ~bus.bvalid | whole)
        self.check(m, "marks", (marks.i.valid == begins) & (~begins | (
            marks.i.p == run.ends)) & (marks.o.ready == answers))
        self.check(m, "mark_is_taken", ~begins | marks.i.ready)
        self.check(m, "takes_an_answer", bus.bready == (marks.o.valid & ~dut.holds))
        self.check(m, "owed_while_it_goes", ~(bus.awvalid | (self.to_send != 0)) | (owed != 0))
        return owed, answers, queue[0]

    def _address(self, m, bus, run, begins):
        """An address is that of the burst that was taken last, a cycle later."""
        offers, own = Signal(), Signal.like(run)
        m.d.sync += offers.eq(begins | offers & ~bus.awready)
        with m.If(begins):
            m.d.sync += own.eq(run)
        self.cover(m, "address", bus.awvalid & (bus.awlen == BURST_BEATS - 1))
        self.check(m, "offers_a_burst", bus.awvalid == offers)
        self.check(m, "address", ~offers | (bus.awaddr == own.word * DATA_BYTES)
                   & (bus.awlen + 1 == own.beats))
        self.check(m, "in_words", (1 << bus.awsize == DATA_BYTES) & (bus.awid == 0)
                   & (bus.awburst == INCREMENTING))
        offer = Cat(bus.awaddr, bus.awlen)
        stalled, before = Signal(), Signal.like(offer)
        m.d.sync += [stalled.eq(bus.awvalid & ~bus.awready), before.eq(offer)]
        self.check(m, "offer_stays", ~stalled | bus.awvalid & (offer == before))
        return offers


PROOFS = (Proof(
    name="write_port", make=WritePortHarness, depth=1, steps=10,
    says="A burst is taken when all before it have gone out and fewer than `outstanding` are owed; "
         "its address is on offer in the next cycle and stays until it is taken; so do its words, "
         "which follow each other without a gap, each once, in order, as they are, `wlast` with "
         "the last. A burst outside of the window, or one that goes after all before it, is taken "
         "when nothing is owed; the former does not reach the bus, its words are dropped and it is "
         "answered OUTSIDE, once; so is the latter, with OKAY, where the command is spoilt. No "
         "answer is taken or given while `holds`. `ended` comes with the answer of a burst that "
         "ends a command, and with no other. `owes` is low just when no word is inside and no "
         "answer owed.",
    assumes="The former hands out bursts whose words are all there, which offer themselves when "
            "those before have left (`burst_former`, `memory_fifo`); the queue of marks is a queue "
            "(`memory_fifo`). The bus answers only bursts that it has; the window ends no higher "
            "than the bus does.",
    bounds=f"Addresses of {ADDRESS_BITS} bits, words of {DATA_BYTES} bytes, bursts of "
           f"{BURST_BEATS}, {OUTSTANDING} outstanding.",
    mutants=(Mutant(module.__name__, "owed != self.outstanding)", "1)"),
             Mutant(module.__name__, "Mux(run.p.after | outside, (owed == 0)",
                    "Mux(outside, (owed == 0)"),
             Mutant(module.__name__, "Mux(run.p.after | outside, (owed == 0)",
                    "Mux(run.p.after, (owed == 0)"),
             Mutant(module.__name__, "begins.eq(run.valid & run.ready & ~dropped)",
                    "begins.eq(run.valid & run.ready)"),
             Mutant(module.__name__, "(~bus.awvalid | bus.awready)", "1"),
             Mutant(module.__name__, "drops.eq((to_drop == 1) & ~self.holds)",
                    "drops.eq(to_drop == 1)"),
             Mutant(module.__name__, "marks.o.valid & ~self.holds", "marks.o.valid"),
             Mutant(module.__name__, "((words_left == 0) | (words_left == 1) & sends)",
                    "((words_left == 0) | (words_left == 1))"),
             Mutant(module.__name__, "bus.wlast.eq(words_left == 1)",
                    "bus.wlast.eq(words_left == run.p.beats)"),
             Mutant(module.__name__, "dropped_ends.eq(run.p.ends)", "dropped_ends.eq(1)"),
             Mutant(module.__name__, "(self.i.valid & self.i.ready) - word.ready",
                    "(self.i.valid & self.i.ready) - sends"),
             Mutant(module.__name__, "outside | run.p.after & self.spoilt", "outside"),
             Mutant(module.__name__, "answers & marks.o.p", "answers"))),)
