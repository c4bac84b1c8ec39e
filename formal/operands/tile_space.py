"""Proof of `hw.operands.tile_space`."""

from amaranth import Mux, Signal

import hw.operands.tile_space as module
from formal.harness import Harness
from formal.proof import Mutant, Proof

DEPTH, SLOTS, BITS = 6, 3, 3


class TileSpaceHarness(Harness):
    """Tiles of any sizes are stored and released; who releases gives back what the oldest took.

    The harness knows only how many tiles there are and how many blocks all of them have. Any sizes
    that add up to that are covered.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.TileSpace(depth=DEPTH, slots=SLOTS, block_bits=BITS)
        self.free_inputs(m, dut)
        tiles = Signal(range(SLOTS + 2))
        blocks = Signal(range(2 * DEPTH + 2))
        given = Signal(range(2 * DEPTH + 2))
        m.d.comb += given.eq(Mux(dut.released, dut.released_blocks, 0))
        m.d.sync += [tiles.eq(tiles + dut.take - dut.released),
                     blocks.eq(blocks + Mux(dut.take, dut.blocks, 0) - given)]
        self.assume(m, ~dut.take | dut.fits)
        self.assume(m, ~dut.released | (tiles != 0))
        self.assume(m, given <= blocks)
        self.assume(m, ~dut.released | (tiles != 1) | (given == blocks))
        self.cover(m, "full", (blocks == DEPTH) & (tiles == SLOTS))
        self.check(m, "room_is_kept", (blocks <= DEPTH) & (tiles <= SLOTS))
        self.check(m, "fits_exactly", dut.fits
                   == ((blocks + dut.blocks <= DEPTH) & (tiles < SLOTS)))
        self.check(m, "nothing_without_tiles", (tiles != 0) | (blocks == 0))
        self.check(m, "counted", (self.look("dut.free_blocks", BITS) == DEPTH - blocks)
                   & (self.look("dut.free_slots", 2) == SLOTS - tiles))


PROOFS = (Proof(
    name="tile_space", make=TileSpaceHarness, depth=1,
    says="A tile fits exactly if its blocks and a slot are free, and room is never overrun.",
    assumes="A tile is stored only where it fits; the oldest gives back what it took.",
    bounds=f"{DEPTH} blocks, {SLOTS} slots.",
    mutants=(Mutant(module.__name__, "(free_blocks >= self.blocks) & (free_slots != 0)",
                    "free_blocks >= self.blocks"),
             Mutant(module.__name__, "free_slots + self.released - self.take",
                    "free_slots - self.take"),
             Mutant(module.__name__, "free_blocks >= self.blocks",
                    "free_blocks + 1 >= self.blocks"))),)
