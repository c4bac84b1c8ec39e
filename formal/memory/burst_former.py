"""Proof of `hw.memory.burst_former`."""

from amaranth import Cat, Mux, Signal

import hw.memory.burst_former as module
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof

ADDRESS_BITS, DATA_BYTES, BURST_BEATS, BURSTS = 7, 2, 4, 2

WORD_BITS = ADDRESS_BITS - 1


class BurstFormerHarness(Harness):
    """Words of any addresses come at any time; both queues take what they get at any time.

    The harness counts the words that are in no burst yet. One arbitrary word is followed from
    `i` into the burst that it goes out in.
    """

    def prove(self, m):
        dut = module.BurstFormer(address_bits=ADDRESS_BITS, data_bytes=DATA_BYTES,
                                 burst_beats=BURST_BEATS, bursts=BURSTS)
        m.submodules.dut, made = with_hollows(self, dut, [(module, ("MemoryFIFO",))])
        self.free_inputs(m, dut)
        words, runs = (each.i for each in made["MemoryFIFO"])
        takes, forms = Signal(), Signal()
        m.d.comb += [takes.eq(dut.i.valid & dut.i.ready), forms.eq(runs.valid & runs.ready)]
        waiting, left = Signal(range(BURST_BEATS + 1)), Signal(range(BURST_BEATS + 2))
        joins = Signal()  # the word that is taken is in the burst that is formed
        m.d.comb += [joins.eq(takes & (runs.p.beats == waiting + 1)),
                     left.eq(waiting + takes - runs.p.beats)]
        m.d.sync += waiting.eq(Mux(forms, left, waiting + takes))
        self.cover(m, "one_and_one", forms & takes & ~joins & (waiting == BURST_BEATS - 1))
        self.check(m, "words_enter", (words.valid == takes) & (
            words.p.as_value() == Cat(dut.i.p.data, dut.i.p.strobes)) & (~takes | words.ready))
        self.check(m, "all_its_words_are_there", ~forms | (runs.p.beats != 0) & (
            runs.p.beats >= waiting) & (runs.p.beats <= waiting + takes))
        self.check(m, "none_too_long", (waiting < BURST_BEATS)
                   & (~forms | (runs.p.beats <= BURST_BEATS)))
        last = runs.p.word + runs.p.beats - 1
        self.check(m, "crosses_nothing", ~forms
                   | (runs.p.word // BURST_BEATS == last // BURST_BEATS))
        self.check(m, "counted", self.look("dut.beats", BURST_BEATS.bit_length()) == waiting)
        self._follow(m, dut, runs.p, waiting, takes, forms, joins)
        self._goes_on(m, dut, words, runs, waiting, takes)

    def _follow(self, m, dut, run, waiting, takes, forms, joins):
        """A word is in one burst, at its place, and ends it if it has to."""
        is_waiting, own, place = Signal(), Signal.like(dut.i.p), Signal(range(BURST_BEATS))
        marks = takes & ~is_waiting & self.free(1, "marks")
        with m.If(marks):
            m.d.sync += [own.eq(dut.i.p), is_waiting.eq(~(forms & joins)),
                         place.eq(Mux(forms, 0, waiting))]
        with m.Elif(forms):
            m.d.sync += is_waiting.eq(0)
        for name, is_there, word, at in (("old", is_waiting, own, place),
                                         ("new", marks & joins, dut.i.p, waiting)):
            is_last = at == run.beats - 1
            self.check(m, f"{name}_in_its_place", ~(forms & is_there) | (at < run.beats)
                       & (run.word + at == word.word))
            self.check(m, f"{name}_ends_it", ~(forms & is_there) | Mux(
                is_last, (run.ends == word.ends) & (run.after == word.after),
                ~word.ends & ~word.after))
            self.check(m, f"{name}_alone", ~(forms & is_there & word.after) | (run.beats == 1))
        self.cover(m, "followed", forms & is_waiting & (place == 1) & (run.beats == 3) & run.ends)

        first, following = (self.look(f"dut.{name}", WORD_BITS) for name in ("first", "following"))
        in_burst = Signal(range(BURST_BEATS))
        m.d.comb += in_burst.eq(first % BURST_BEATS)
        self.check(m, "forming", (waiting == 0) | (in_burst + waiting < BURST_BEATS)
                   & (following == (first + waiting)[:WORD_BITS]))
        self.check(m, "followed_forming", ~is_waiting | (place < waiting) & ~own.ends & ~own.after
                   & (own.word == first + place))

    def _goes_on(self, m, dut, words, runs, waiting, takes):
        """With room in the queues a word waits a cycle at most, a burst `PATIENCE` of them."""
        stalled, quiet = Signal(), Signal(range(module.PATIENCE + 1))
        m.d.sync += [
            stalled.eq(dut.i.valid & ~takes & words.ready & runs.ready),
            quiet.eq(Mux((waiting != 0) & ~dut.i.valid, quiet + (quiet < module.PATIENCE), 0))]
        self.check(m, "a_word_waits_a_cycle", ~(
            stalled & dut.i.valid & ~takes & words.ready & runs.ready))
        self.check(m, "patience", (quiet < module.PATIENCE - 1) | (waiting == 0) | dut.i.valid
                   | runs.valid)
        self.check(m, "waited", self.look("dut.waited", 4) == Mux(
            quiet == module.PATIENCE, module.PATIENCE - 1, quiet))
        self.check(m, "stalled", ~stalled | (waiting == 0))


PROOFS = (Proof(
    name="burst_former", make=BurstFormerHarness, depth=1, steps=8,
    says="Every word enters the queue once, in order, as it is, and is in one burst, at the place "
         "of its address. A burst is queued with its last word or later, so that all of its words "
         "are there; it crosses no multiple of `burst_beats` words. A word that ends a command is "
         "the last of its burst, which says so and no other does; one that goes after all before "
         "is a burst by itself. While the queues have room a word waits a cycle at most, and a "
         f"burst for {module.PATIENCE} cycles without a word.",
    bounds=f"Addresses of {ADDRESS_BITS} bits, words of {DATA_BYTES} bytes, bursts of "
           f"{BURST_BEATS}. What `MemoryFIFO` hands on is what came, as late for one queue as for "
           "the other: see its proof.",
    mutants=(Mutant(module.__name__, " & ~word.after)", ")"),
             Mutant(module.__name__, "word.ends | word.after\n", "word.ends\n"),
             Mutant(module.__name__, "== self.burst_beats - 1)", "== 0)"),
             Mutant(module.__name__, "(word.word == following)", "1"),
             Mutant(module.__name__, " & ~(closes & fills)", ""),
             Mutant(module.__name__, "(runs.i.ready | ~closes & ~completes)", "1"),
             Mutant(module.__name__, "runs.i.valid.eq(closes | completes & words.i.ready)",
                    "runs.i.valid.eq(closes | completes)"),
             Mutant(module.__name__, "m.d.sync += [first.eq(word.word), beats.eq(~completes)]",
                    "m.d.sync += first.eq(word.word)"),
             Mutant(module.__name__, "with m.Elif(closes & runs.i.ready):",
                    "with m.Elif(closes):"))),)
