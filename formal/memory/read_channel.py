"""Proof of `hw.memory.read_channel`, with its `BurstSplitter`."""

from amaranth import Mux, Signal

import hw.memory.burst_splitter as splitters
import hw.memory.read_channel as module
from formal.harness import Harness
from formal.memory.burst_splitter import ADDRESS_BITS, BURST_BEATS, DATA_BYTES, LENGTH_BITS, Bursts
from formal.proof import Mutant, Proof

DEPTH = 6
"""Words of the queue: more than a burst, and less than two."""


class ReadChannelHarness(Harness):
    """Words come at any time after they were asked for, and leave at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.ReadChannel(
            address_bits=ADDRESS_BITS, length_bits=LENGTH_BITS, data_bytes=DATA_BYTES,
            burst_beats=BURST_BEATS, depth=DEPTH)
        self.free_inputs(m, dut)
        bursts = Bursts(self, m, dut.segments, dut.bursts)
        bursts.registers(self, m, "dut.splitter")

        inside, owed = (Signal(range(4 * DEPTH), name=name) for name in ("inside", "owed"))
        asked = Signal(range(8 * DEPTH))
        asks, leaves = Signal(), Signal()
        m.d.comb += [asks.eq(dut.bursts.valid & dut.bursts.ready),
                     leaves.eq(dut.o.valid & dut.o.ready), asked.eq(inside + owed)]
        m.d.sync += [
            inside.eq(inside + dut.words.valid - leaves),
            owed.eq(owed + Mux(asks, dut.bursts.p.beats, 0) - dut.words.valid)]
        self.assume(m, ~dut.words.valid | (owed != 0))
        self.cover(m, "all_is_asked_for", (asked == DEPTH) & (inside == 1))
        self.cover(m, "full", (inside == DEPTH) & bursts.waits)
        self.check(m, "room_is_kept", asked <= DEPTH)
        self.check(m, "asks_for_what_has_room", ~dut.bursts.valid
                   | (asked + dut.bursts.p.beats <= DEPTH))
        self.check(m, "a_word_is_taken", (owed == 0) | self.look("dut.queue.i__ready"))
        self.check(m, "offers_when_there_is_room", dut.bursts.valid
                   == (bursts.waits & (asked + bursts.beats <= DEPTH)))
        self.check(m, "goes_on_when_empty", ~bursts.waits | (asked != 0) | dut.bursts.valid)

        width = len(dut.o.p.as_value())
        self.check(m, "words_enter", (self.look("dut.queue.i__valid") == dut.words.valid)
                   & (self.look("dut.queue.i__payload", width)
                      == dut.words.payload.as_value()))
        self.check(m, "words_leave", (self.look("dut.queue.o__valid") == dut.o.valid)
                   & (self.look("dut.queue.o__payload", width) == dut.o.p.as_value())
                   & (self.look("dut.queue.o__ready") == dut.o.ready))
        stored = self.look("dut.queue.stored", DEPTH.bit_length())
        self.check(m, "counted", inside == stored + dut.o.valid)
        self.check(m, "room", self.look("dut.room", DEPTH.bit_length()) == DEPTH - asked)


PROOFS = (Proof(
    name="read_channel", make=ReadChannelHarness, depth=1, steps=14,
    says="The words that were asked for and have not left are never more than `depth`, so that "
         "every word that comes finds room in the queue. A burst is offered in every cycle in "
         "which all of it has room, which it has when the queue is empty and nothing is to come, "
         "and stays until it is taken; bursts cover the segments, in order.",
    assumes="A segment has a byte, and ends within the address space; a word comes only if it was "
            "asked for.",
    bounds=f"Addresses of {ADDRESS_BITS} bits, lengths of {LENGTH_BITS}, words of {DATA_BYTES} "
           f"bytes, bursts of {BURST_BEATS}, a queue of {DEPTH} words. What `MemoryFIFO` hands on "
           "is what came: see its proof.",
    mutants=(Mutant(module.__name__, "(splitter.o.p.beats <= room)", "(room != 0)"),
             Mutant(module.__name__, "splitter.o.ready.eq(self.bursts.ready & self.bursts.valid)",
                    "splitter.o.ready.eq(self.bursts.ready)"),
             Mutant(module.__name__, "room.eq(room + leaves - splitter.o.p.beats)",
                    "room.eq(room - splitter.o.p.beats)"),
             Mutant(module.__name__, "leaves.eq(queue.o.valid & queue.o.ready)",
                    "leaves.eq(self.words.valid)"),
             Mutant(splitters.__name__, "ends.eq(left <= to_boundary)", "ends.eq(1)"))),)
