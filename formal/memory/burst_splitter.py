"""Proof of `hw.memory.burst_splitter`."""

from amaranth import Mux, Signal

import hw.memory.burst_splitter as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

ADDRESS_BITS, LENGTH_BITS, DATA_BYTES, BURST_BEATS = 8, 6, 4, 4

WORD_BITS = ADDRESS_BITS - 2
"""Of a word's address."""


class Bursts:
    """What bursts a stream of segments is owed, counted from what was taken of both.

    Parameters
    ----------
    harness : Harness
    m : Module
    segments, bursts : streams
        Of the component under proof.

    Attributes
    ----------
    waits : Signal
        A burst of the segment under way is not taken yet.
    ends : Signal
        The next burst is the last of its segment.
    beats : Signal
        Of the next burst.
    word, last_word : Signal
        Where it begins, and where its segment ends.
    """

    def __init__(self, harness, m, segments, bursts):
        segment = segments.p
        last_byte = Signal(ADDRESS_BITS + 1)
        m.d.comb += last_byte.eq(segment.address + segment.length - 1)
        harness.assume(m, ~segments.valid | (segment.length > 0) & ~last_byte[-1])
        self.waits, self.word, self.last_word = Signal(), Signal(WORD_BITS), Signal(WORD_BITS)
        takes = bursts.valid & bursts.ready
        self.beats, self.ends = Signal(range(BURST_BEATS + 1)), Signal()
        after = (self.word // BURST_BEATS + 1) * BURST_BEATS  # the next multiple
        m.d.comb += [
            self.ends.eq(self.last_word < after),
            self.beats.eq(Mux(self.ends, self.last_word + 1, after) - self.word)]
        with m.If(takes):
            m.d.sync += [self.word.eq(self.word + self.beats), self.waits.eq(~self.ends)]
        with m.If(segments.valid & segments.ready):
            m.d.sync += [self.waits.eq(1), self.word.eq(segment.address // DATA_BYTES),
                         self.last_word.eq(last_byte // DATA_BYTES)]

        burst = bursts.p
        end = burst.word + burst.beats  # the word behind it
        harness.check(m, "takes_a_segment", segments.ready == (~self.waits | takes & self.ends))
        harness.check(m, "only_of_a_segment", ~bursts.valid | self.waits)
        harness.check(m, "without_gap_or_overlap", ~bursts.valid | (burst.word == self.word))
        harness.check(m, "beats", ~bursts.valid | (burst.beats >= 1)
                      & (burst.beats <= BURST_BEATS))
        harness.check(m, "within_the_segment", ~bursts.valid | (end <= self.last_word + 1))
        harness.check(m, "crosses_nothing", ~bursts.valid
                      | (burst.word // BURST_BEATS == (end - 1) // BURST_BEATS))
        harness.check(m, "as_long_as_can_be", ~bursts.valid | (burst.beats == self.beats))
        stalled, before = Signal(), Signal(burst.shape())
        m.d.sync += [stalled.eq(bursts.valid & ~bursts.ready), before.eq(burst)]
        harness.check(m, "offer_stays", ~stalled | bursts.valid
                      & (burst.as_value() == before.as_value()))

    def registers(self, harness, m, path):
        """Add what the registers of a splitter mean, as an induction needs it."""
        harness.check(m, "goes_on", harness.look(f"{path}.o__valid") == self.waits)
        harness.check(m, "at", ~self.waits | (self.word <= self.last_word) & (
            harness.look(f"{path}.word", WORD_BITS) == self.word))
        harness.check(m, "left", ~self.waits | (
            harness.look(f"{path}.left", LENGTH_BITS) == self.last_word - self.word + 1))


class BurstSplitterHarness(Harness):
    """Segments of any bytes, one behind the other; bursts are taken at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.BurstSplitter(
            address_bits=ADDRESS_BITS, length_bits=LENGTH_BITS, data_bytes=DATA_BYTES,
            burst_beats=BURST_BEATS)
        self.free_inputs(m, dut)
        bursts = Bursts(self, m, dut.i, dut.o)
        bursts.registers(self, m, "dut")
        self.cover(m, "last_word_of_all", dut.o.valid & bursts.ends & (dut.o.p.beats == BURST_BEATS)
                   & (bursts.last_word == (1 << WORD_BITS) - 1))
        self.cover(m, "short_begin_and_end", dut.o.valid & bursts.ends & (dut.o.p.beats == 1)
                   & self._follows_a_short_one(m, dut.o))

    def _follows_a_short_one(self, m, o):
        short = Signal()
        with m.If(o.valid & o.ready):
            m.d.sync += short.eq(o.p.beats < BURST_BEATS)
        return short


PROOFS = (Proof(
    name="burst_splitter", make=BurstSplitterHarness, depth=1,
    says="Every burst lies inside its segment's words, crosses no multiple of `burst_beats` words, "
         "and is as long as that allows. Bursts follow each other without gap or overlap from a "
         "segment's first word to its last; the next segment is taken with the last one. A burst "
         "is offered in every cycle in which one is left, and stays until it is taken.",
    assumes="A segment has a byte, and ends within the address space.",
    bounds=f"Addresses of {ADDRESS_BITS} bits, lengths of {LENGTH_BITS}, words of {DATA_BYTES} "
           f"bytes, bursts of {BURST_BEATS}.",
    mutants=(Mutant(module.__name__, "ends.eq(left <= to_boundary)",
                    "ends.eq(left < to_boundary)"),
             Mutant(module.__name__, "+ offset + (self.data_bytes - 1)",
                    "+ (self.data_bytes - 1)"),
             Mutant(module.__name__, "(word & (self.burst_beats - 1))", "(word & 0)"),
             Mutant(module.__name__, "with m.If(self.o.ready):", "with m.If(1):"),
             Mutant(module.__name__, "~self.o.valid | self.o.ready & ends",
                    "~self.o.valid | ends"))),)
