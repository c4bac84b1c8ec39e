"""Proof of `hw.activations.tile_stage`."""

from amaranth import Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.activations.tile_stage as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.activations.tile_tags import staged_tile_layout
from hw.contract.config import Config

CONFIG = Config.sized(rows=3, cols=2, k_max=32, stage_depth=9)

DEPTH, ROWS, K_BLOCKS = CONFIG.stage_depth, 3, 2


class TileStageHarness(Harness):
    """Tiles of any rows and K-blocks, row by row or K-block by K-block, tagged or not.

    Which tile is read, and its tags, are anything: that they are the right ones is the proof of
    `tile_tags`.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.TileStage(CONFIG)
        self.free_inputs(m, dut)
        layout = staged_tile_layout(CONFIG)
        tile = data.View(layout, self.cut("dut.settle.tiles__payload", layout.size))
        tile_waits = self.cut("dut.settle.tiles__valid")
        tag_waits, tag = self.cut("dut.tags.head.o__valid"), self.cut(
            "dut.tags.head.o__payload", 2)
        reads, writes = self.look("dut.blocks.read_en"), self.look("dut.blocks.write_en")
        read_at, write_at = self.look("dut.blocks.read_addr", 4), self.look(
            "dut.blocks.write_addr", 4)
        row, k_block, base = Signal(2), Signal(1), Signal(range(DEPTH))
        size, stored = Signal(range(ROWS * K_BLOCKS + 1)), Signal(range(2 * DEPTH))
        m.d.comb += size.eq(tile.rows * tile.k_blocks)
        row_last, k_last = row == tile.rows - 1, k_block == tile.k_blocks - 1
        ends, done = Signal(), Signal.like(size)
        m.d.comb += [ends.eq(reads & row_last & k_last), done.eq(Mux(
            tile.untagged, row * tile.k_blocks + k_block, k_block * tile.rows + row))]
        before, inside = Signal(layout.size), Signal()
        m.d.sync += [before.eq(Value.cast(tile)), inside.eq(reads & ~ends | inside & ~reads)]
        self.assume(m, ~inside | (Value.cast(tile) == before))
        self.assume(m, ~tile_waits & ~inside | (tile.rows > 0) & (tile.rows <= ROWS)
                    & (tile.k_blocks > 0) & (tile.k_blocks <= K_BLOCKS))
        self.assume(m, ~(tile_waits & tag_waits) | tile.untagged | (size <= stored))
        with m.If(reads):
            m.d.sync += base.eq(Mux(ends, self._wrap(base + size), base))
        with m.If(reads & (row_last | tile.untagged)):
            m.d.sync += k_block.eq(Mux(k_last, 0, k_block + 1))
        with m.If(reads & (k_last | ~tile.untagged)):
            m.d.sync += row.eq(Mux(row_last, 0, row + 1))
        m.d.sync += stored.eq(stored + writes - Mux(ends, size, 0))
        place = Mux(tile.by_k_block, done, row * tile.k_blocks + k_block)
        can_read = tile_waits & Mux(tile.untagged, done < stored, tag_waits)
        self.cover(m, "full", stored == DEPTH)
        for name, has in (("strided", ~tile.by_k_block & ~tile.untagged),
                          ("untagged", tile.untagged)):
            self.cover(m, f"reads_a_{name}_tile", ends & has & (size == 6) & (base > 4))
        self.cover(m, "reads_ahead", reads & (stored < size))
        self.check(m, "reads_the_block", ~reads | (read_at == self._wrap(base + place)))
        self.check(m, "writes_the_next_place", ~writes | (
            write_at == self._wrap(base + stored)))
        self.check(m, "room_is_kept", stored <= DEPTH)
        self.check(m, "takes_while_there_is_room", dut.i.ready == (stored != DEPTH))
        self.check(m, "never_both_in_a_word", ~(reads & writes) | (read_at != write_at))
        self.check(m, "tag_is_taken", self.look("dut.tags.head.o__ready") == (
            reads & row_last & ~tile.untagged))
        self.check(m, "tile_is_taken", self.look("dut.settle.tiles__ready") == ends)
        self._leave(m, dut, tile, tag, reads, can_read, row, k_block, row_last, k_last)
        self._look_inside(m, tile, inside, row, k_block, base, stored, place, done, size)

    def _wrap(self, value):
        return Mux(value >= DEPTH, value - DEPTH, value)

    def _leave(self, m, dut, tile, tag, reads, can_read, row, k_block, row_last, k_last):
        """Compare what goes to the register at the end with what was read."""
        valid, ready = self.look("dut.leaves.i__valid"), self.look("dut.leaves.i__ready")
        fetched, is_mx9, about = Signal(), Signal(), Signal(8)
        with m.If(~fetched | ready):
            m.d.sync += fetched.eq(reads)
        with m.If(reads):
            m.d.sync += [is_mx9.eq(tag[0] & ~tile.untagged), about.eq(Cat(
                row, row_last, k_block == 0, k_last, tile.job_last))]
        bits = self.look("dut.fetched_place", 6)
        self.check(m, "reads_when_it_can", reads == (can_read & (~fetched | ready)))
        self.check(m, "hands_on", valid == fetched)
        self.check(m, "place", ~fetched | (bits == about[:6])
                   & (self.look("dut.is_mx9") == is_mx9))

    def _look_inside(self, m, tile, inside, row, k_block, base, stored, place, done, size):
        """State what the registers of the walk mean."""
        look = self.look
        self.check(m, "within", Mux(
            inside, (row < tile.rows) & (k_block < tile.k_blocks)
            & ((row != 0) | (k_block != 0)) & (Mux(tile.untagged, done, size) <= stored),
            (row == 0) & (k_block == 0)))
        self.check(m, "base", base < DEPTH)
        self.check(m, "row", (look("dut.row", 2) == row)
                   & (look("dut.k_block") == k_block))
        self.check(m, "address", look("dut.address", 4) == Mux(
            inside, self._wrap(base + place), base))
        self.check(m, "count", (look("dut.so_far", 4) == Mux(inside, done, 0))
                   & (look("dut.waiting", 4) == stored - Mux(inside, done, 0)))
        self.check(m, "k_block_begins", inside & tile.untagged | (look("dut.k_block_at", 4) == Mux(
            inside, self._wrap(base + Mux(tile.by_k_block, k_block * tile.rows, k_block)), base)))
        self.check(m, "write", (look("dut.write_at", 4) == self._wrap(base + stored))
                   & (look("dut.free", 4) == DEPTH - stored))


PROOFS = (Proof(
    name="tile_stage", make=TileStageHarness, depth=1, steps=20,
    says="Of each tile every block is read once, from where it was stored: K-block by K-block, "
         "whichever way the tile came, or without tags row by row, as soon as it is stored; none "
         "is overwritten before, nor read while it is written; there is room for as many blocks as"
         " the memory has words; each goes on with its place and its tag.",
    assumes="Where a tile has tags, they come when all its blocks are stored.",
    bounds=f"Tiles of up to {ROWS} rows and {K_BLOCKS} K-blocks, {DEPTH} words. What `TileTags` "
           "hands on is anything; the rounding is the proof of conversion.",
    mutants=(Mutant(module.__name__, "self.i.ready.eq(free != 0)", "self.i.ready.eq(1)"),
             Mutant(module.__name__, "returns = place.row_last & strides & ~place.k_last",
                    "returns = place.row_last & strides"),
             Mutant(module.__name__, "Mux(tile.untagged, waiting != 0, tags.valid)",
                    "Mux(tile.untagged, 1, tags.valid)"),
             Mutant(module.__name__, "~(tile.by_k_block | tile.untagged)", "~tile.by_k_block"),
             Mutant(module.__name__, "moves.eq(~is_fetched | leaves.i.ready)", "moves.eq(1)"),
             Mutant(module.__name__, "k_block_at.eq(next_address)", "k_block_at.eq(address)"))),)
