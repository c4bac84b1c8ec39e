"""Proof of `hw.activations.gather`."""

from amaranth import Array, Cat, Mux, Signal, Value

import hw.activations.gather as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=20, k_max=640, float_formats=("fp16",))

BANK_BITS = 4


class GatherHarness(Harness):
    """One arbitrary place of a memory is known, whatever the others hold.

    The segments are any; one stays until its last read.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.Gather(CONFIG)
        self.free_inputs(m, dut, but=("can_read", "segment", "read__elements"))
        segment, read, o = dut.segment, dut.read, dut.o
        is_there = Signal()
        begins = ~is_there | dut.done
        kept = Signal(len(Value.cast(segment)))
        m.d.sync += [is_there.eq(Mux(begins, self.free(1, "comes"), 1)), kept.eq(Mux(
            begins, self.free(len(kept), "next_segment"), kept))]
        m.d.comb += [dut.can_read.eq(is_there), Value.cast(segment).eq(kept)]

        # The known element, by where `Scatter` puts it: of a row, or of a slab of tokens.
        channel = self.free_constant(m, len(segment.last), "block")
        lane = self.free_constant(m, BANK_BITS, "lane")
        value = self.free_constant(m, len(read.elements[0]), "value")
        by_token = self.free_constant(m, 1, "by_token")
        place = Mux(by_token, Cat((lane + channel)[:BANK_BITS], lane, channel[BANK_BITS:]),
                    Cat(lane, channel))
        bank, word = place[:BANK_BITS], place[BANK_BITS:]
        elements = Array(self.free(len(value), f"read_{index}") for index in range(BLOCK_SIZE))
        with m.If(read.en):
            m.d.sync += [each.eq(Mux((bank == index) & (read.words[index] == word), value, own))
                         for index, (each, own) in enumerate(zip(read.elements, elements,
                                                                 strict=True))]

        number = Signal.like(segment.last)  # of the block that is read next
        m.d.sync += number.eq(Mux(dut.done, 0, number + read.en))
        self.check(m, "number", self.look("dut.number", len(number)) == number)
        self.check(m, "reads", read.en == (is_there & (~o.valid | o.ready)))
        self.check(m, "ends", dut.done == (read.en & (number == segment.last)))

        # What was read and has not left.
        waits, last, about = Signal(), Signal(), Signal.like(segment)
        block = Signal.like(number)
        with m.If(read.en):
            m.d.sync += [waits.eq(1), last.eq(dut.done), about.eq(segment), block.eq(number)]
        with m.Elif(o.ready):
            m.d.sync += waits.eq(0)
        transposed = about.job.transposed
        count = Mux(transposed | last, about.count, BLOCK_SIZE)
        its = waits & (block == channel) & (by_token == transposed) & (count > lane)
        self.cover(m, "slab", its & transposed & (lane == 3) & (channel == 2) & (value == 5))
        self.cover(m, "row", its & ~transposed & (lane == 3) & (value == 5) & last)
        self.check(m, "valid", (o.valid == waits) & (dut.is_busy == waits))
        self.check(m, "element", ~its | (o.p.elements[lane] == value))
        self.check(m, "zero_beyond", ~waits | (count > lane) | (o.p.elements[lane] == 0))
        self.check(m, "count", ~waits | (o.p.count == count))
        self.check(m, "job", ~waits | (Value.cast(o.p.job) == Value.cast(about.job)))
        bits, row_bits = len(o.p.k_block), len(o.p.row)
        self.check(m, "place", ~waits | Mux(
            transposed,
            (o.p.row == block[:row_bits]) & (o.p.k_block == about.index[:bits]),
            (o.p.row == about.index[:row_bits]) & (o.p.k_block == block[:bits])))
        self.check(m, "ends_told", ~waits | Mux(
            transposed, (o.p.tile_last_row == last) & (o.p.row_last == about.tile_last),
            (o.p.row_last == last) & (o.p.tile_last_row == about.tile_last)))
        self.check(m, "turn", ~waits | (self.look("dut.turn", BANK_BITS) == Mux(
            transposed, block[:BANK_BITS], 0)))
        self.check(m, "kept", ~its | (read.elements[bank] == value))


PROOFS = (Proof(
    name="gather", make=GatherHarness, depth=1, steps=8,
    says="The blocks of a segment leave in order, each once, and every lane has what `Scatter` put "
         "at its place, lanes beyond the count zero; none is read before it can leave; one a cycle "
         "while `o` takes them.",
    assumes="A segment stays until its last read.",
    bounds="FP16, K_MAX 640, 20 columns. Of the banks one word is known, any.",
    mutants=(Mutant(module.__name__, "token.eq(bank - number[:BANK_BITS])",
                    "token.eq(bank + number[:BANK_BITS])"),
             Mutant(module.__name__, "self.can_read & (~self.is_busy | self.o.ready)",
                    "self.can_read"),
             Mutant(module.__name__, "Mux(is_last, segment.count, BLOCK_SIZE)",
                    "segment.count"),
             Mutant(module.__name__, "elements[(lane + places) % BLOCK_SIZE]",
                    "elements[(lane - places) % BLOCK_SIZE]"))),)
