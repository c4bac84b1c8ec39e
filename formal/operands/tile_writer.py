"""Proof of `hw.operands.tile_writer`."""

from amaranth import Cat, Mux, Signal, Value

import hw.operands.tile_writer as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Selection

CONFIG = Config.sized(rows=3, cols=2, k_max=32, tile_slots=2, act_depth=3)

K_BLOCKS = 2


class TileWriterHarness(Harness):
    """Tiles of any rows and K-blocks, of jobs of any number of tiles."""

    def prove(self, m):
        m.submodules.dut = dut = module.TileWriter(CONFIG)
        self.free_inputs(m, dut)
        block, rounded, job, store = dut.i.p, dut.i.p.rounded, dut.jobs.p, dut.store
        take = Signal()
        m.d.comb += take.eq(dut.i.valid & dut.i.ready)
        self.offers_stay(m, dut.jobs, "jobs")
        self.assume(m, ~dut.jobs.valid | (job.k_blocks > 0) & (job.k_blocks <= K_BLOCKS))
        # The tile as it comes: K-block by K-block, all rows of each; all K-blocks have as many. Of
        # an untagged job it comes row by row.
        row, k_block, rows = Signal(2), Signal(1), Signal(2)
        untagged, in_last_row = Signal(), Signal()
        m.d.comb += untagged.eq((job.kind == JobKind.GEMM) & ~job.policy.units[0]
                                & (job.policy.selection == Selection.HEAD))
        ends = block.row_last & block.k_last
        with m.If(take):
            m.d.sync += in_last_row.eq(block.row_last)
            with m.If(~untagged & block.row_last):
                m.d.sync += rows.eq(row)
            with m.If(untagged | block.row_last):
                m.d.sync += k_block.eq(Mux(block.k_last, 0, k_block + 1))
            with m.If(~untagged | block.k_last):
                m.d.sync += row.eq(Mux(block.row_last, 0, row + 1))
        inside = (row != 0) | (k_block != 0)
        self.assume(m, ~inside | dut.jobs.valid)
        self.assume(m, ~dut.i.valid | (block.row == row) & (row < CONFIG.rows)
                    & (block.row_last | (row < CONFIG.rows - 1))
                    & (block.k_first == (k_block == 0))
                    & (~dut.jobs.valid | (block.k_last == (k_block == job.k_blocks - 1)))
                    & ((k_block == 0) | (block.row_last == Mux(
                        untagged, in_last_row, row == rows)))
                    & ~(untagged & rounded.has_residual))
        self._room(m, dut, take, inside, job)
        self.check(m, "takes", dut.i.ready == (inside | (dut.jobs.valid & self.fits)))
        self.check(m, "takes_the_job_with_its_end",
                   dut.jobs.ready == (take & ends & block.job_last))
        self.check(m, "within", (rows < CONFIG.rows) & (
            ~inside | (k_block < job.k_blocks) & (row < CONFIG.rows)
            & ((k_block == 0) | untagged | (row <= rows))))
        self.check(m, "inside", self.look("dut.in_tile") == inside)
        was_end = Signal()
        m.d.sync += was_end.eq(take & ends)
        self.check(m, "ready", dut.ready == was_end)
        self.cover(m, "ends_an_untagged_tile", take & ends & untagged & (row == 2) & (k_block == 1))
        self._store(m, store, take, block, rounded, job, untagged & inside, row, k_block, rows)

    def _room(self, m, dut, take, inside, job):
        """Never begin a tile without room."""
        depth, slots = CONFIG.act_depth, CONFIG.tile_slots
        tiles, blocks, begins = Signal(range(slots + 2)), Signal(range(2 * depth + 2)), Signal()
        given = Mux(dut.released, dut.released_blocks, 0)
        m.d.comb += begins.eq(take & ~inside)
        m.d.sync += [tiles.eq(tiles + begins - dut.released),
                     blocks.eq(blocks + Mux(begins, job.k_blocks, 0) - given)]
        self.assume(m, ~dut.released | (tiles != 0))
        self.assume(m, (given <= blocks) & (~dut.released | (tiles != 1) | (given == blocks)))
        self.fits = (blocks + job.k_blocks <= depth) & (tiles < slots)
        self.cover(m, "full", (tiles == slots) & (blocks == depth))
        self.check(m, "room_is_kept", (blocks <= depth) & (tiles <= slots))
        self.check(m, "nothing_without_tiles", (tiles != 0) | (blocks == 0))
        self.check(m, "free", (self.look("dut.space.free_blocks", 2) == depth - blocks)
                   & (self.look("dut.space.free_slots", 2) == slots - tiles))

    def _store(self, m, store, take, block, rounded, job, untagged, row, k_block, rows):
        """Compare what is written with the blocks that come: K-block k is k words behind."""
        first, address, slot = Signal(2), Signal(2), Signal(1)
        m.d.comb += address.eq(self._wrap(first + k_block))
        any_residual, largest = Signal(), Signal(8)  # of the K-block so far; of the followed row
        mine = self.free_constant(m, 2, "row")
        exponent = rounded.block.exponent
        now = Mux((k_block == 0) | (exponent > largest), exponent, largest)
        has_residual = any_residual | rounded.has_residual
        with m.If(take):
            m.d.sync += any_residual.eq(~block.row_last & has_residual)
            with m.If(row == mine):
                m.d.sync += largest.eq(now)
            with m.If(block.row_last & block.k_last):
                m.d.sync += [slot.eq(slot + 1), first.eq(self._wrap(first + job.k_blocks))]
        lane = Signal(CONFIG.rows)
        m.d.comb += lane.eq(1 << row)
        own = store.blocks.word_select(row, len(Value.cast(rounded.block)))
        self.check(m, "block", ~take | (store.lanes == lane) & (store.residual_lanes == lane)
                   & (store.address == address) & (own == Value.cast(rounded.block)))
        self.check(m, "flags", store.keeps_flags == (take & block.row_last))
        self.check(m, "flags_of_all_rows", ~store.keeps_flags
                   | (store.flags.has_residual == has_residual)
                   & (store.flags.is_mx9 == rounded.is_mx9))
        self.check(m, "nothing_else", take | ~Cat(
            store.lanes, store.residual_lanes, store.anchor_lanes).any())
        self.check(m, "anchors", ~take | (store.anchor_lanes == Mux(block.k_last, lane, 0)) & (
            store.slot == slot))
        anchor = store.anchors.as_value().word_select(mine, 8)
        self.check(m, "anchor", ~(take & block.k_last & (row == mine)) | (anchor == now))
        self.check(m, "kept", (self.look("dut.address", 2) == address)
                   & (self.look("dut.tile_at", 2) == first)
                   & (self.look("dut.slot", 1) == slot) & (first < CONFIG.act_depth)
                   & (self.look("dut.residual_above") == any_residual)
                   & (~any_residual | (row != 0) & ~untagged))
        anchors = self.look("dut.anchors", 8 * CONFIG.rows)
        was_here = (k_block != 0) & Mux(untagged, row == mine, mine <= rows)
        was_here |= ~untagged & (row > mine)
        self.check(m, "kept_anchor", ~was_here | (mine >= CONFIG.rows)
                   | (anchors.word_select(mine, 8) == largest))

    def _wrap(self, address):
        return Mux(address >= CONFIG.act_depth, address - CONFIG.act_depth, address)


PROOFS = (Proof(
    name="tile_writer", make=TileWriterHarness, depth=1, steps=10,
    says="Each block of a tile is written once, to its row and its K-block's address; a K-block's "
         "flags are those of all its rows, a row's anchor is the largest exponent of its blocks; a"
         " tile begins only when a slot and room for its blocks are free, is ready when it is "
         "whole, and its job ends with its last.",
    assumes="Tiles come K-block by K-block, all rows of each, those of untagged jobs row by row "
            "and without residuals; the oldest tile gives back what it took; a job stays until it "
            "is taken.",
    bounds="A machine of three rows, three blocks for each and two slots.",
    mutants=(Mutant(module.__name__, "in_tile | (self.jobs.valid & space.fits)",
                    "in_tile | self.jobs.valid"),
             Mutant(module.__name__, "block.k_last & ~block.row_last, tile_at",
                    "block.k_last & ~block.row_last, next_address"),
             Mutant(module.__name__, "residual_above | rounded.has_residual",
                    "rounded.has_residual"),
             Mutant(module.__name__, "~block.k_first & (anchor_so_far", "(anchor_so_far"),
             Mutant(module.__name__, "m.d.sync += self.ready.eq(tile_ends)",
                    "m.d.comb += self.ready.eq(tile_ends)"))),)
