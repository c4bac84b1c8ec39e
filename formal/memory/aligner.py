"""Proof of `hw.memory.aligner`."""

from amaranth import Array, Cat, Mux, Signal

import hw.memory.aligner as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

DATA_BYTES, LENGTH_BITS = 4, 6

WORDS = ((1 << LENGTH_BITS) - 1 + 2 * (DATA_BYTES - 1)) // DATA_BYTES
"""Most that a cut touches."""


class AlignerHarness(Harness):
    """Cuts of any bytes; words come and beats are taken at any time.

    The harness counts the words and beats of the cut under way. One arbitrary byte of each cut is
    followed from its word to its beat.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.Aligner(
            data_bytes=DATA_BYTES, length_bits=LENGTH_BITS, unit_bytes=1)
        self.free_inputs(m, dut)
        self.offers_stay(m, dut.words, "words")
        self.assume(m, ~dut.cuts.valid | (dut.cuts.p.length > 0))
        self._count(m, dut)
        self._beats(m, dut)
        self._follow(m, dut)
        self._answers(m, dut)

    def _count(self, m, dut):
        """A cut takes the words that it touches and gives the beats that it fills."""
        self.busy, self.cut = Signal(), Signal(dut.cuts.p.shape())
        self.taken, self.sent = (Signal(range(WORDS + 2), name=name) for name in ("taken", "sent"))
        cut = self.cut
        words = (cut.offset + cut.length - 1) // DATA_BYTES + 1
        beats = (cut.length - 1) // DATA_BYTES + 1
        begins, gets, sends = (Signal(name=name) for name in ("begins", "gets", "sends"))
        m.d.comb += [begins.eq(dut.cuts.valid & dut.cuts.ready),
                     gets.eq(dut.words.valid & dut.words.ready),
                     sends.eq(dut.o.valid & dut.o.ready)]
        self.is_last = self.sent == beats - 1
        ends = sends & self.is_last
        gets_own = gets & self.busy & (self.taken < words)
        m.d.sync += [self.taken.eq(self.taken + gets), self.sent.eq(self.sent + sends)]
        with m.If(ends):
            m.d.sync += self.busy.eq(0)
        with m.If(begins):
            m.d.sync += [self.busy.eq(1), cut.eq(dut.cuts.p), self.sent.eq(0),
                         self.taken.eq(gets & ~gets_own)]
        # Of the word that is taken: which of its cut, and where that begins and ends.
        self.gets, self.index, self.of = gets, Signal.like(self.taken), Signal(cut.shape())
        m.d.comb += [self.index.eq(Mux(gets_own, self.taken, 0)),
                     self.of.eq(Mux(gets_own, cut.as_value(), dut.cuts.p.as_value()))]

        # Of the beat that is next: the words with its first and its last byte.
        last_byte = Mux(self.is_last, cut.length, (self.sent + 1) * DATA_BYTES) - 1
        self.first_word = (cut.offset + self.sent * DATA_BYTES) // DATA_BYTES
        self.last_word = Signal(range(WORDS + 2))
        m.d.comb += self.last_word.eq((cut.offset + last_byte) // DATA_BYTES)
        holds = self.taken == self.sent + 1
        self.check(m, "takes_a_cut", dut.cuts.ready == (~self.busy | ends))
        self.check(m, "only_words_of_cuts", ~gets | gets_own | begins)
        self.check(m, "takes_all_words", ~ends | (self.taken + gets_own == words))
        self.check(m, "needs_no_more_words", ~dut.o.valid | (self.last_word < words))
        self.check(m, "takes_words", dut.words.ready == Mux(
            self.busy & (self.taken < words), sends | ~holds, begins))
        self.check(m, "offers", dut.o.valid == (self.busy & holds & (
            (self.last_word < self.taken) | dut.words.valid)))
        self.check(m, "within", ~self.busy | (self.sent < beats) & (self.taken <= words)
                   & (holds | (self.taken == self.sent)) & (cut.length > 0))
        bits = LENGTH_BITS - 1
        self.check(m, "left", Mux(
            self.busy, (self.look("dut.words_left", bits) == words - self.taken)
            & (self.look("dut.beats_left", bits) == beats - self.sent)
            & (self.look("dut.has") == holds),
            (self.look("dut.words_left", bits) == 0)
            & (self.look("dut.beats_left", bits) == 0) & ~self.look("dut.has")))
        self.check(m, "cut", ~self.busy | (self.look("dut.offset", 2) == cut.offset)
                   & (self.look("dut.tail", 2) == cut.length % DATA_BYTES)
                   & (self.look("dut.last") == cut.last))

    def _beats(self, m, dut):
        beat = dut.o.p
        keep = Cat(self.sent * DATA_BYTES + byte < self.cut.length for byte in range(DATA_BYTES))
        self.cover(m, "two_words_in_the_last", dut.o.valid & self.is_last & (self.sent == 2)
                   & (self.last_word > self.first_word) & ~beat.keep[2])
        self.cover(m, "full", dut.o.valid & self.is_last & (self.sent == 1) & beat.keep.all()
                   & (self.cut.offset == 0))
        self.check(m, "keep", ~dut.o.valid | (beat.keep == keep))
        self.check(m, "last", ~dut.o.valid | (beat.last == (self.is_last & self.cut.last)))
        stalled, before = Signal(), Signal(beat.shape())
        kept = Signal(beat.shape(), name="kept")  # bytes of the cut alone
        m.d.comb += kept.eq(beat)
        for byte in range(DATA_BYTES):
            with m.If(~beat.keep[byte]):
                m.d.comb += kept.data.word_select(byte, 8).eq(0)
        m.d.sync += [stalled.eq(dut.o.valid & ~dut.o.ready), before.eq(kept)]
        self.check(m, "offer_stays", ~stalled | dut.o.valid
                   & (kept.as_value() == before.as_value()))

    def _follow(self, m, dut):
        """The byte of this number in a cut leaves in the beat and the byte of this number."""
        byte = self.free_constant(m, LENGTH_BITS, "byte")
        own, word = Signal(8), dut.words.p
        place, new_place = byte + self.cut.offset, byte + self.of.offset  # from its first word on
        with m.If(self.gets & (self.index == new_place // DATA_BYTES)):
            m.d.sync += own.eq(word.data.word_select(new_place % DATA_BYTES, 8))
        is_in = self.busy & (byte < self.cut.length)
        was_taken = self.taken > place // DATA_BYTES
        value = Mux(was_taken, own, word.data.word_select(place % DATA_BYTES, 8))
        leaves = dut.o.valid & is_in & (self.sent == byte // DATA_BYTES)
        self.cover(m, "byte", leaves & (byte == 5) & (self.cut.offset == 3) & (own == 0x5A))
        self.check(m, "byte", ~leaves | (
            dut.o.p.data.word_select(byte % DATA_BYTES, 8) == value))
        held = self.look("dut.held", 8 * DATA_BYTES + 2)
        self.check(m, "byte_held", ~is_in | (self.taken != place // DATA_BYTES + 1)
                   | ~self.look("dut.has")
                   | (held[:8 * DATA_BYTES].word_select(place % DATA_BYTES, 8) == own))

    def _answers(self, m, dut):
        """A beat has the largest answer of the words that its bytes are from."""
        answers = Array(Signal(2, name=f"answer_{number}") for number in range(WORDS))
        with m.If(self.gets):
            m.d.sync += answers[self.index].eq(dut.words.p.resp)
        first, last = answers[self.first_word], Signal(2)
        m.d.comb += last.eq(Mux(self.last_word < self.taken, answers[self.last_word],
                                dut.words.p.resp))
        self.check(m, "answer", ~dut.o.valid | (dut.o.p.resp == Mux(last > first, last, first)))
        held = self.look("dut.held", 8 * DATA_BYTES + 2)
        self.check(m, "answer_held", ~self.look("dut.has")
                   | (held[8 * DATA_BYTES:] == answers[self.taken - 1]))


PROOFS = (Proof(
    name="aligner", make=AlignerHarness, depth=1, steps=8,
    says="Every byte of a cut leaves in its beat, at its place; a cut has as many beats as its "
         "bytes fill, and takes just the words that it touches, each once. `keep` is the bytes "
         "that are there, `last` with the last beat of a cut that has it, `resp` the largest of "
         "the words that a beat has bytes of. A beat is offered when they have come, and its bytes "
         "stay until it is taken; the next cut is taken with the last one.",
    assumes="Words on offer stay until they are taken; a cut has a byte.",
    bounds=f"Words of {DATA_BYTES} bytes, units of one, lengths of {LENGTH_BITS} bits.",
    mutants=(Mutant(module.__name__, "begins & ~needs_next", "begins"),
             Mutant(module.__name__, "Mux(ends & (tail != 0)", "Mux((tail != 0)"),
             Mutant(module.__name__, "(cut.length + cut.offset + (size - 1))",
                    "(cut.length + (size - 1))"),
             Mutant(module.__name__, "has.eq(takes_first | ~(sends & ends))", "has.eq(1)"),
             Mutant(module.__name__, "(needs_next & (word.resp > held.resp)", "(0"),
             Mutant(module.__name__, "offset[exact_log2(unit):]",
                    "tail[exact_log2(unit):]"),
             Mutant(module.__name__, "Signal.like(counted, name=name)",
                    "Signal.like(counted, name=name, reset_less=True)"))),)
