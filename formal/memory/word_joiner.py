"""Proof of `hw.memory.word_joiner`."""

from amaranth import Signal

import hw.memory.word_joiner as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

ADDRESS_BITS, DATA_BYTES = 6, 4


class WordJoinerHarness(Harness):
    """Words to any address, in any parts. One arbitrary byte of memory is followed."""

    def prove(self, m):
        m.submodules.dut = dut = module.WordJoiner(address_bits=ADDRESS_BITS,
                                                   data_bytes=DATA_BYTES)
        self.free_inputs(m, dut)
        self.offers_stay(m, dut.i, "words")
        came, left = dut.i.p, dut.o.p
        comes, leaves = dut.i.valid & dut.i.ready, dut.o.valid & dut.o.ready

        place = self.free_constant(m, len(came.word), "place")
        byte = self.free_constant(m, 2, "byte")

        def of(word):
            """Give whether a word writes the byte, and what."""
            return ((word.word == place) & word.strobes.bit_select(byte, 1),
                    word.data.word_select(byte, 8))

        is_inside, value = Signal(), Signal(8)  # what came and has not left
        ends, is_after, has = Signal(), Signal(), Signal()
        (writes, new), (wrote, old) = of(came), of(left)
        with m.If(leaves):
            m.d.sync += [is_inside.eq(0), ends.eq(0), is_after.eq(0), has.eq(0)]
        with m.If(comes):
            m.d.sync += [has.eq(1), ends.eq(came.ends), is_after.eq(came.after)]
            with m.If(writes):
                m.d.sync += [is_inside.eq(1), value.eq(new)]

        self.check(m, "has", self.look("dut.has") == has)
        self.check(m, "kept", (is_inside == (has & wrote)) & (~is_inside | (old == value)))
        self.check(m, "kept_ends", ~has | (left.ends == ends) & (left.after == is_after))
        self.cover(m, "joined", leaves & wrote & left.strobes.all() & left.ends)
        self.check(m, "nothing_else", ~dut.o.valid | has)
        self.check(m, "last_leaves", ~(has & (ends | is_after)) | dut.o.valid)
        self.check(m, "waits_only_for_what_stalls",
                   ~(dut.i.valid & ~dut.i.ready) | dut.o.valid & ~dut.o.ready)
        self.check(m, "nothing_joins_what_goes_after_all", ~comes | ~has | leaves
                   | ~(came.after | is_after | ends))
        stalled, before = Signal(), Signal(left.shape())
        m.d.sync += [stalled.eq(dut.o.valid & ~dut.o.ready), before.eq(left)]
        self.check(m, "offer_stays", ~stalled | dut.o.valid
                   & (left.as_value() == before.as_value()))


PROOFS = (Proof(
    name="word_joiner", make=WordJoinerHarness, depth=1,
    says="Of each byte of memory, what was written last leaves, and nothing else; a command's end "
         "leaves once, with the word that it came with. A word that goes after all before it, or "
         "ends a command, is offered at once and joined with nothing behind it. A word waits only "
         "while another one is stalled; an offer stays until it is taken.",
    assumes="A word on offer stays until it is taken.",
    bounds=f"Words of {DATA_BYTES} bytes, addresses of {ADDRESS_BITS} bits.",
    mutants=(Mutant(module.__name__, "has & (kept.ends |", "has & ("),
             Mutant(module.__name__, "~word.after & (word", "(word"),
             Mutant(module.__name__, "kept.strobes.eq(kept.strobes | word.strobes)",
                    "kept.strobes.eq(word.strobes)"),
             Mutant(module.__name__, "word.strobes[byte], word.data", "1, word.data"))),)
