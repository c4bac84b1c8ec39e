"""Proof of `hw.results.block_assembler`."""

from amaranth import Signal, Value

import hw.results.block_assembler as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.result_block import result_block_layout
from hw.contract.result_rows import result_rows_layout

CONFIG = Config.sized(rows=2, cols=4, k_max=16, drain_lanes=8, tile_slots=2)


class BlockAssemblerHarness(Harness):
    """What gathers the blocks is cut off: it hands out anything, and is ready at any time.

    That it makes blocks of the rows is the proof of `part_joiner`, and of `tile_turner`.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.BlockAssembler(CONFIG)
        self.free_inputs(m, dut)
        rows, blocks = result_rows_layout(CONFIG), result_block_layout(CONFIG)
        given = Signal(rows)
        ready = self.cut("dut.gatherer.i__ready")
        m.d.comb += Value.cast(given).eq(self.look("dut.gatherer.i__payload", rows.size))
        self.check(m, "gives", (self.look("dut.gatherer.i__valid") == dut.i.valid)
                   & (dut.i.ready == ready))
        for name in rows.members:
            if name != "results":
                self.check(m, f"same_{name}", given[name] == dut.i.p[name])
        for row in range(CONFIG.drain_rows):
            for col in range(CONFIG.cols):
                lane = row * CONFIG.cols + col
                self.check(m, f"result_{lane}", given.results[lane] == (
                    dut.i.p.results[lane] & (col < dut.i.p.cols).replicate(32)))

        comes, block = (self.cut(f"dut.gatherer.o__{name}", width)
                        for name, width in (("valid", 1), ("payload", blocks.size)))
        is_taken = self.look("dut.gatherer.o__ready")
        busy, held = Signal(), Signal(blocks.size)
        with m.If(is_taken):
            m.d.sync += [busy.eq(comes), held.eq(block)]
        self.cover(m, "stalled", busy & comes & ~is_taken)
        self.check(m, "takes", is_taken == (~busy | dut.o.ready))
        self.check(m, "offers", dut.o.valid == busy)
        self.check(m, "block", ~busy | (Value.cast(dut.o.p) == held))


PROOFS = (Proof(
    name="block_assembler", make=BlockAssemblerHarness, depth=1, steps=4,
    says="Rows go to what gathers blocks as they are, but zero beyond their columns, one for one; "
         "its blocks leave as they are, in order, each once, a cycle later; it waits for `o` "
         "alone.",
    bounds="Two rows of four columns in a group. `PartJoiner` is cut off and hands out anything.",
    mutants=(Mutant(module.__name__, "lane % config.cols < self.i.p.cols", "lane < self.i.p.cols"),
             Mutant(module.__name__, "gatherer.i.valid.eq(self.i.valid)",
                    "gatherer.i.valid.eq(self.i.valid & self.i.ready)"),
             Mutant("hw.streams.register_slice", "i.ready.eq(~is_held | o.ready)",
                    "i.ready.eq(1)"))),)
