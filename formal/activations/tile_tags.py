"""Proof of `hw.activations.tile_tags`."""

from amaranth import Cat, Mux, Signal, Value

import hw.activations.tile_tags as module
from formal.fifo import FIFOInside
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Selection

CONFIG = Config.sized(rows=2, cols=3, k_max=32)

ROWS, TILES = 8, 4
"""Most rows of a job, most tiles."""


class TileTagsHarness(Harness):
    """Jobs of any kinds, the detector's tags, and takers that stall at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.TileTags(CONFIG)
        self.free_inputs(m, dut, but=("static_tags__is_mx9",))
        new, job, busy = dut.jobs.p, Signal(dut.jobs.p.shape()), Signal()
        size = Mux(new.kind == JobKind.GEMM, new.m, new.n)
        self.assume(m, ~dut.jobs.valid | (new.k_blocks > 0) & (new.k_blocks <= 2) & (size > 0)
                    & (size <= ROWS) & (new.kind != JobKind.GEMM_PACKED))
        take, load = Signal(), dut.jobs.valid & dut.jobs.ready
        untagged, announces, ends = Signal(), Signal(), Signal()
        converts, rows = Signal(), Signal(range(ROWS + 1))
        lanes, tiles = Signal(2), Signal(range(TILES + 1))
        tile, k_block = Signal(range(TILES)), Signal(1)
        m.d.comb += [
            untagged.eq((job.kind == JobKind.GEMM) & (job.policy.selection == Selection.HEAD)
                        & ~job.policy.units[0]),
            announces.eq(busy & untagged & self.look("dut.tiles.w_rdy")),
            take.eq(dut.i.valid & dut.i.ready), converts.eq(job.kind != JobKind.GEMM),
            rows.eq(Mux(converts, job.n, job.m)),
            lanes.eq(Mux(converts, CONFIG.cols, CONFIG.rows)),
            tiles.eq(Mux(converts, (rows + CONFIG.cols - 1) // CONFIG.cols,
                         (rows + CONFIG.rows - 1) // CONFIG.rows))]
        last_k = k_block == job.k_blocks - 1
        self.assume(m, ~(dut.i.valid & busy) | (dut.i.p.last == last_k))
        with m.If(load):
            m.d.sync += [busy.eq(1), job.eq(new)]
        with m.If(take):
            m.d.sync += k_block.eq(Mux(last_k, 0, k_block + 1))
        m.d.comb += ends.eq((take & last_k) | announces)
        with m.If(ends):
            m.d.sync += [tile.eq(Mux(tile == tiles - 1, 0, tile + 1)),
                         busy.eq(tile != tiles - 1)]
        # Of the job: what is left to be taken, or announced, and what was.
        left, tags = Signal(range(2 * TILES + 1)), Signal(range(2 * TILES + 1))
        each = Mux(untagged, 1, job.k_blocks)
        m.d.comb += left.eq(Mux(busy, (tiles - tile) * each - k_block, 0))
        m.d.sync += tags.eq(Mux(load, 0, tags + (take | announces)))
        self.cover(m, "announces_the_last_tile", announces & (tile == 2) & (tiles == 3))
        self.check(m, "takes_a_job", dut.jobs.ready == ~busy)
        self.check(m, "falls", ~busy | (left != 0) & (tags + left == tiles * each))
        self.check(m, "only_of_a_tagged_job", ~take | busy & ~untagged)
        self.check(m, "numbers", Mux(
            busy, (tile < tiles) & (k_block < job.k_blocks) & (~untagged | (k_block == 0)),
            (tile == 0) & (k_block == 0)))

        rows_left = Signal(range(ROWS + 1))
        m.d.comb += rows_left.eq(rows - tile * lanes)
        announced = Signal(dut.tiles.p.shape())
        m.d.comb += [
            announced.rows.eq(Mux(rows_left < lanes, rows_left, lanes)),
            announced.k_blocks.eq(job.k_blocks), announced.job_last.eq(tile == tiles - 1),
            announced.untagged.eq(untagged),
            announced.by_k_block.eq(job.kind == JobKind.CONVERT_TRANSPOSED)]
        starts = (take & (k_block == 0)) | announces
        fifo = self._tiles(m, dut, starts, announced)
        self._hand_out(m, dut, job, take, busy & ~untagged, k_block, converts, fifo)
        self.check(m, "busy", self.look("dut.busy") == busy)
        self.check(m, "job", ~busy | (self.look("dut.job", len(Value.cast(job)))
                                      == Value.cast(job)))
        self.check(m, "rows", ~busy | (self.look("dut.rows_left", 32) == rows_left)
                   & (self.look("dut.k_block", 1) == k_block))
        self.check(m, "idle", busy | (self.look("dut.k_block", 1) == 0))
        self.check(m, "job_is_small", ~busy | (job.k_blocks > 0) & (job.k_blocks <= 2)
                   & (rows > 0) & (Mux(converts, job.n, job.m) <= ROWS)
                   & (job.kind != JobKind.GEMM_PACKED))

    def _tiles(self, m, dut, starts, announced):
        """Follow a tile from its first tag to who reads it."""
        bits, depth = len(Value.cast(announced)), module.TILES_AHEAD
        fifo = FIFOInside(self, m, "dut.tiles", width=bits, depth=depth)
        followed, ahead, kept = Signal(), Signal(range(depth + 1)), Signal(bits)
        leaves = dut.tiles.valid & dut.tiles.ready
        arrives = followed & leaves & (ahead == 0)
        with m.If(starts & ~followed & self.free(1, "marks")):
            m.d.sync += [followed.eq(1), kept.eq(Value.cast(announced)),
                         ahead.eq(fifo.level - leaves)]
        with m.Elif(followed & leaves):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(~arrives)]
        self.cover(m, "tile_arrives", arrives & announced.job_last)
        self.check(m, "tile", ~arrives | (Value.cast(dut.tiles.p) == kept))
        self.check(m, "tile_kept", ~followed | (ahead < fifo.level)
                   & (fifo.word(ahead, "at") == kept))
        self.check(m, "room", ~starts | self.look("dut.tiles.w_rdy"))
        self.check(m, "offers", dut.tiles.valid == fifo.is_offered)
        return fifo

    def _hand_out(self, m, dut, job, take, tags, k_block, converts, fifo):
        """Compare each tag that is handed out with the one that was taken, or the table's."""
        read = self.free(1, "read")
        with m.If(dut.static_tags.en):
            m.d.sync += dut.static_tags.is_mx9.eq(read)
        selection = job.policy.selection
        waits, is_mx9, last, both = Signal(), Signal(), Signal(), Signal()
        leaves = dut.o.valid & dut.o.ready
        m.d.sync += waits.eq(take | (waits & ~leaves))
        with m.If(take):
            m.d.sync += [
                last.eq(dut.i.p.last), both.eq(converts), is_mx9.eq(
                    Mux(selection == Selection.STATIC, read,
                        Mux(selection == Selection.HEAD, job.policy.units[0], dut.i.p.is_mx9)))]
        tag = Cat(is_mx9, last)
        self.cover(m, "converted", leaves & both & is_mx9)
        self.check(m, "asks_the_table", ~take | dut.static_tags.en
                   & (dut.static_tags.table == job.table) & (dut.static_tags.k_block == k_block))
        self.check(m, "tags", ~waits | (Value.cast(dut.o.p) == tag)
                   & (Value.cast(dut.converted.p) == tag))
        self.check(m, "offered", dut.o.valid == (waits & (~both | dut.converted.ready)))
        self.check(m, "to_both", (dut.converted.valid & dut.converted.ready) == (leaves & both))
        self.check(m, "never_overrun", ~take | ~waits | leaves)
        self.check(m, "goes_on", dut.i.ready == (
            tags & (~waits | leaves) & ((k_block != 0) | self.look("dut.tiles.w_rdy"))))
        self.check(m, "settled", self.look("dut.is_settled") == waits)
        bits = self.look("dut.settled", 4)  # is_mx9, in_table, last, converts
        self.check(m, "settled_as_taken", ~waits | (bits[2] == last) & (bits[3] == both)
                   & (Mux(bits[1], dut.static_tags.is_mx9, bits[0]) == is_mx9))
        self.check(m, "room_comes", fifo.is_offered | (fifo.level <= 1))


PROOFS = (Proof(
    name="tile_tags", make=TileTagsHarness, depth=1, steps=10,
    says="A tagged job has just as many tags as its tiles have K-blocks, and ends with the last; "
         "each tag is the detector's, the table's or the job's, and is handed out once, in order, "
         "to both takers at once; each tile is announced once, with its rows, in order, none lost."
         " A job that needs no tags takes none; its tiles are announced as fast as there is room.",
    assumes="A tile of another job has as many tags as K-blocks, and the detector marks the last.",
    bounds=f"A 2x3 machine of K_MAX 32, jobs of up to {ROWS} rows.",
    mutants=(Mutant(module.__name__, "(tiles.w_rdy | ~starts_tile)", "1"),
             Mutant(module.__name__, "busy & untagged & tiles.w_rdy", "busy & untagged"),
             Mutant(module.__name__, "can_settle.eq(~is_settled | leaves)", "can_settle.eq(1)"),
             Mutant(module.__name__, "tile.job_last.eq(rows_left <= lanes)",
                    "tile.job_last.eq(rows_left < lanes)"),
             Mutant(module.__name__, "settled.converts.eq(converts)", "settled.converts.eq(0)"))),)
