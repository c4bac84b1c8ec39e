"""Proof of `hw.activations.reorder`: of its two halves, and of the blocks that need neither."""

from amaranth import Array, Mux, Signal, Value

import hw.activations.reorder as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.activations.scatter import segment_layout
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=2, k_max=32, float_formats=("fp16",), act_bytes=2)


class ReorderHarness(Harness):
    """Segments end on either side at any time; that they end rightly is `scatter` and `gather`."""

    def prove(self, m):
        m.submodules.dut = dut = module.Reorder(CONFIG)
        self.free_inputs(m, dut)
        look, layout = self.look, segment_layout(CONFIG)
        can_write, can_read = look("dut.scatter.can_write"), look("dut.gather.can_read")
        stored, fetched = self.cut("dut.scatter.done"), self.cut("dut.gather.done")
        segment = self.cut("dut.scatter.segment", layout.size)
        self.assume(m, ~stored | can_write)
        self.assume(m, ~fetched | can_read)
        full, writes_to, reads_from = Signal(2), Signal(), Signal()
        kept = Array(Signal(layout.size, name=f"kept_{half}") for half in range(2))
        m.d.sync += [full.eq(full + stored - fetched), writes_to.eq(writes_to ^ stored),
                     reads_from.eq(reads_from ^ fetched)]
        with m.If(stored):
            m.d.sync += kept[writes_to].eq(segment)
        self.cover(m, "both_full", full == 2)
        self.check(m, "writes_with_room", can_write == (full != 2))
        self.check(m, "reads_what_is_whole", can_read == (full != 0))
        self.check(m, "oldest_segment", ~can_read | (
            look("dut.gather.segment", layout.size) == kept[reads_from]))
        self.check(m, "halves", (full <= 2)
                   & ((writes_to == reads_from) == ((full == 0) | (full == 2))))
        for half in range(2):
            is_whole = (full == 2) | (full == 1) & (reads_from == half)
            self.check(m, f"half_{half}", (look("dut.is_full", 2)[half] == is_whole) & (
                ~is_whole | (look(f"dut.segment_{half}", layout.size) == kept[half])))
        self.check(m, "turns", (look("dut.write_half") == writes_to)
                   & (look("dut.read_half") == reads_from))
        write_en, read_en = look("dut.bank_3.write_en"), look("dut.bank_3.read_en")
        write_at, read_at = look("dut.bank_3.write_addr", 5), look("dut.bank_3.read_addr", 5)
        self.check(m, "never_both_in_a_half", ~(write_en & read_en) | (write_at[0] != read_at[0]))

        needs = dut.i.p.job.reorder | dut.i.p.job.transposed
        scatters, gathers = look("dut.scatter.is_busy"), look("dut.gather.is_busy")
        empty = ~scatters & ~gathers & (full == 0)
        moves = dut.i.valid & dut.i.ready
        passes = moves & ~needs
        self.cover(m, "passes", passes)
        self.check(m, "passes_when_all_have_left", ~passes | empty & dut.o.valid & dut.o.ready
                   & (Value.cast(dut.o.p) == Value.cast(dut.i.p)))
        self.check(m, "offers", dut.o.valid == Mux(
            empty, dut.i.valid & ~needs, look("dut.gather.o__valid")))
        self.check(m, "goes_to_the_banks", look("dut.scatter.i__valid") == (dut.i.valid & needs))
        self.check(m, "waits", ~(dut.i.valid & ~needs & ~empty) | ~dut.i.ready)


PROOFS = (Proof(
    name="reorder", make=ReorderHarness, depth=1, steps=4,
    says="A segment is written only into a half that is free and read only from one that is whole, "
         "oldest first, with what was said of it; never both in one half. A block that needs no "
         "bank passes as it is, when all before it have left.",
    assumes="Segments end as `scatter` and `gather` prove it: with a write, with a read.",
    bounds="A 2x2 machine of K_MAX 32, FP16. When segments end is anything.",
    mutants=(Mutant(module.__name__, "~(scatter.is_busy | is_full.any() | gather.is_busy)",
                    "~(scatter.is_busy | is_full.any())"),
             Mutant(module.__name__, "read_half.eq(read_half ^ gather.done)",
                    "read_half.eq(read_half ^ scatter.done)"),
             Mutant(module.__name__, "bank.read_addr.eq(Cat(read_half,",
                    "bank.read_addr.eq(Cat(write_half,"))),)
