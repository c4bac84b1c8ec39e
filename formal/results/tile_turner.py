"""Proof of `hw.results.tile_turner`."""

from amaranth import Array, Cat, Mux, Signal
from amaranth.lib import data

import hw.results.tile_turner as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output

CONFIG = Config.sized(rows=3, cols=32, k_max=16, drain_lanes=64)

GROUPS, DRAIN_ROWS, BLOCKS = CONFIG.drain_cycles, CONFIG.drain_rows, 2

FACTS = data.StructLayout({"rows": 2, "blocks": 2, "job_last": 1, "is_mx9": 1})


class TileTurnerHarness(Harness):
    """Tiles of any rows and columns; the memory's output is anything, by which nothing is told."""

    def prove(self, m):
        m.submodules.dut = dut = module.TileTurner(CONFIG)
        self.free_inputs(m, dut)
        rows, o = dut.i.p, dut.o
        taken = Signal()
        m.d.comb += taken.eq(dut.i.valid & dut.i.ready)
        group, filling, emptying, complete = Signal(1), Signal(), Signal(), Signal(2)
        tiles = Array(Signal(FACTS, name=f"tile_{half}") for half in range(2))
        self.assume(m, ~dut.i.valid | (rows.rows > 0) & (rows.rows <= DRAIN_ROWS)
                    & (rows.cols > 0) & (rows.cols <= CONFIG.cols)
                    & (rows.tile_last | (group < GROUPS - 1))
                    & (group * DRAIN_ROWS + rows.rows <= CONFIG.rows))
        fills = taken & rows.tile_last
        with m.If(taken):
            m.d.sync += group.eq(Mux(rows.tile_last, 0, group + 1))
        with m.If(fills):
            m.d.sync += [
                tiles[filling].rows.eq(group * DRAIN_ROWS + rows.rows),
                tiles[filling].blocks.eq(1 + (rows.cols > BLOCK_SIZE)),
                tiles[filling].job_last.eq(rows.job_last),
                tiles[filling].is_mx9.eq(rows.output == Output.MX9)]

        # Reading: the first block of every row, then the second.
        tile, reads = tiles[emptying], Signal()
        row, block, leaves_tile = Signal(2), Signal(1), Signal()
        row_last, block_last = row == tile.rows - 1, block == tile.blocks - 1
        m.d.comb += [reads.eq((complete != 0) & (~o.valid | o.ready)),
                     leaves_tile.eq(reads & row_last & block_last)]
        with m.If(reads):
            m.d.sync += row.eq(Mux(row_last, 0, row + 1))
            with m.If(row_last):
                m.d.sync += block.eq(Mux(block_last, 0, block + 1))
        m.d.sync += [filling.eq(filling ^ fills), emptying.eq(emptying ^ leaves_tile),
                     complete.eq(complete + fills - leaves_tile)]
        offered, at = Signal(), Signal(data.StructLayout({
            "row": 2, "block": 1, "row_last": 1, "job_last": 1, "is_mx9": 1}))
        m.d.sync += offered.eq(reads | (offered & ~o.ready))
        with m.If(reads):
            m.d.sync += [at.row.eq(row), at.block.eq(block), at.row_last.eq(row_last),
                         at.job_last.eq(row_last & block_last & tile.job_last),
                         at.is_mx9.eq(tile.is_mx9)]
        look = self.look
        write_en, read_en = look("dut.words.write_en"), look("dut.words.read_en")
        write_at, read_at = look("dut.words.write_addr", 2), look("dut.words.read_addr", 2)
        self.cover(m, "turned", offered & at.job_last & (at.block == 1) & (at.row == 2))
        self.check(m, "takes", dut.i.ready == (complete != 2))
        self.check(m, "writes", (write_en == taken) & (
            ~taken | (write_at == filling * GROUPS + group)))
        self.check(m, "reads", (read_en == reads) & (
            ~reads | (read_at == emptying * GROUPS + row // DRAIN_ROWS)))
        self.check(m, "never_both_in_a_word", ~(taken & reads) | (write_at != read_at))
        self.check(m, "never_over_a_tile", ~taken | (complete == 0) | (filling != emptying))
        self.check(m, "offers", o.valid == offered)
        self.check(m, "facts", ~offered | (o.p.row == at.row) & (o.p.row_last == at.row_last)
                   & (o.p.job_last == at.job_last) & (o.p.is_mx9 == at.is_mx9))
        word = look("dut.words.read_data", 32 * CONFIG.drain_lanes)
        place = (at.row % DRAIN_ROWS) * BLOCKS + at.block
        element = self.free_constant(m, 4, "element")
        self.check(m, "block", ~offered | (o.p.elements[element] == word.word_select(
            place * BLOCK_SIZE + element, 32)))
        self._look_inside(m, tiles, (row, block, group), (filling, emptying, complete), at, offered)

    def _look_inside(self, m, tiles, at, state, shown, offered):
        """State what the registers mean."""
        look, (row, block, group), (filling, emptying, complete) = self.look, at, state
        self.check(m, "state", (look("dut.complete", 2) == complete) & (complete <= 2)
                   & (look("dut.filling") == filling) & (look("dut.emptying") == emptying)
                   & ((filling == emptying) == ((complete == 0) | (complete == 2))))
        self.check(m, "places", (look("dut.row", 2) == row) & (look("dut.block", 1) == block)
                   & (look("dut.group", 1) == group) & (~offered | (
                       look("dut.lane", 1) == shown.row % DRAIN_ROWS)
                       & (look("dut.column", 1) == shown.block)))
        for half, tile in enumerate(tiles):
            is_there = (complete == 2) | (complete == 1) & (emptying == half)
            kept = look(f"dut.tile_{half}", 5)  # last row, last block, job_last, is_mx9
            self.check(m, f"tile_{half}", ~is_there | (tile.rows > 0) & (tile.rows <= CONFIG.rows)
                       & (tile.blocks > 0) & (tile.blocks <= BLOCKS) & (kept == Cat(
                           (tile.rows - 1)[:2], (tile.blocks - 1)[:1], tile.job_last,
                           tile.is_mx9)))
        tile = tiles[emptying]
        self.check(m, "within", Mux(complete == 0, (row == 0) & (block == 0),
                                    (row < tile.rows) & (block < tile.blocks)))


PROOFS = (Proof(
    name="tile_turner", make=TileTurnerHarness, depth=1, steps=14,
    says="Of each tile the first block of every row leaves, then the second, each once and from "
         "where it was stored; a tile is written over no other, and what is written is not read; "
         "one block a cycle while `o` takes them.",
    assumes="Groups have rows of the array, and a tile as many of them as the array at most.",
    bounds="Three rows of 32 columns, two rows in a group.",
    mutants=(Mutant(module.__name__, "self.i.ready.eq(complete != 2), taken",
                    "self.i.ready.eq(1), taken"),
             Mutant(module.__name__, "with m.If(reads & ends_column):", "with m.If(reads):"),
             Mutant(module.__name__, "(row >> rows_log2)", "row[:1]"),
             Mutant(module.__name__, "column.eq(block), self", "column.eq(0), self"))),)
