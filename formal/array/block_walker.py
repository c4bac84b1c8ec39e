"""Proof of `hw.array.block_walker`."""

from types import SimpleNamespace

from amaranth import Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.array.block_walker as module
import hw.array.tile_loops as loops
from formal.fifo import FIFOInside
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=8, k_max=32, act_depth=6, tile_slots=4)

TOKEN_TILES, COLUMN_TILES, K_BLOCKS = 4, 3, 2
"""Most of each in a job."""

PARTS = 2
"""Column tiles of eight that fill a block."""


class BlockWalkerHarness(Harness):
    """The four loops, by number, beside the module; tiles get ready at any time.

    The numbers of a step: ``first`` of the group's token tiles, ``column``, ``token`` in the group,
    ``k``. Where its operands are follows from these by multiplication.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.BlockWalker(CONFIG)
        self.free_inputs(m, dut)
        job, new = Signal(dut.jobs.p.shape()), dut.jobs.p
        self.assume(m, ~dut.jobs.valid | self._is_small(new))
        at = self.at = Signal(data.StructLayout({
            "first": range(TOKEN_TILES), "column": range(COLUMN_TILES), "token": range(TOKEN_TILES),
            "k": range(K_BLOCKS)}))
        busy, step, load = Signal(), self.look("dut.step"), Signal()
        tiles, columns, group = (Signal(range(8), name=name)
                                 for name in ("token_tiles", "column_tiles", "group_tiles"))
        m.d.comb += [tiles.eq((job.m[:5] + CONFIG.rows - 1) // CONFIG.rows),
                     columns.eq((job.n[:6] + CONFIG.cols - 1) // CONFIG.cols),
                     group.eq(Mux(tiles - at.first < job.tiles, tiles - at.first, job.tiles))]
        ends = SimpleNamespace(
            tile=at.k == job.k_blocks - 1, tokens=at.token == group - 1,
            columns=at.column == columns - 1, groups=at.first + group == tiles)
        ends_job = ends.tile & ends.tokens & ends.columns & ends.groups
        m.d.comb += load.eq(dut.jobs.valid & dut.jobs.ready)
        self.check(m, "takes_a_job", dut.jobs.ready == (~busy | (step & ends_job)))
        m.d.sync += busy.eq(load | (busy & ~(step & ends_job)))
        with m.If(load):
            m.d.sync += job.eq(new)
        places = self._loops(m, job, step & busy, ends, group)
        self._end(m, job, busy, load, step, tiles, columns, group)
        self._tiles(m, dut, busy, step)
        self._held(m, dut, job, busy, step, ends, columns, group)
        expected = self._expected(m, job, tiles, columns, ends, places)
        self._look_inside(m, job, busy, tiles, columns, places)
        self._queue(m, dut, step, expected)

    def _is_small(self, job):
        """Tell whether a job has as few tiles as are looked at here, and its groups fit."""
        return ((job.m > 0) & (job.m <= TOKEN_TILES * CONFIG.rows)
                & (job.n > 0) & (job.n <= COLUMN_TILES * CONFIG.cols)
                & (job.k_blocks > 0) & (job.k_blocks <= K_BLOCKS)
                & (job.tiles > 0) & (job.tiles <= CONFIG.tile_slots)
                & (job.tiles * job.k_blocks <= CONFIG.act_depth))

    def _loops(self, m, job, step, ends, group):
        """Count on, and say where a group's first token tile and a column tile begin."""
        at = self.at
        places = Signal(data.StructLayout({
            "act": range(CONFIG.act_depth), "act_slot": range(CONFIG.tile_slots),
            "weight": range(CONFIG.weight_depth), "weight_slot": range(CONFIG.weight_slots)}))
        with m.If(step):
            m.d.sync += at.k.eq(at.k + 1)
            with m.If(ends.tile):
                m.d.sync += [at.k.eq(0), at.token.eq(at.token + 1)]
                with m.If(ends.tokens):
                    m.d.sync += [
                        at.token.eq(0), at.column.eq(at.column + 1),
                        places.weight_slot.eq(places.weight_slot + 1),
                        places.weight.eq(self._wrap(places.weight + job.k_blocks,
                                                    CONFIG.weight_depth))]
                    with m.If(ends.columns):
                        m.d.sync += [
                            at.column.eq(0), at.first.eq(Mux(ends.groups, 0, at.first + group)),
                            places.act_slot.eq(places.act_slot + group),
                            places.act.eq(self._wrap(places.act + group * job.k_blocks,
                                                     CONFIG.act_depth))]
        return places

    def _wrap(self, value, depth):
        return Mux(value >= depth, value - depth, value)

    def _end(self, m, job, busy, load, step, tiles, columns, group):
        """Count the steps: there are as many as the job has block pairs."""
        at, k_blocks = self.at, job.k_blocks
        left, pairs = Signal(6), Signal(6)
        steps = Signal(6)
        m.d.comb += [
            pairs.eq(tiles * columns * k_blocks),
            left.eq(Mux(busy, (k_blocks - at.k) + k_blocks * (group - 1 - at.token)
                        + k_blocks * group * (columns - 1 - at.column)
                        + k_blocks * columns * (tiles - at.first - group), 0))]
        m.d.sync += steps.eq(Mux(load, 0, steps + (step & busy)))
        self.cover(m, "several_groups", busy & (at.first != 0) & (at.column != 0))
        self.check(m, "steps", ~step | busy)
        self.check(m, "falls", ~busy | (left != 0) & (steps + left == pairs))

    def _tiles(self, m, dut, busy, step):
        """Let tiles get ready; a step that begins one finds it so."""
        at = self.at
        for name, slots, begins in (
                ("act", CONFIG.tile_slots, (at.k == 0) & (at.column == 0)),
                ("weight", CONFIG.weight_slots, (at.k == 0) & (at.token == 0))):
            there = Signal(range(slots + 1), name=f"{name}_tiles")
            ready, waits = getattr(dut, f"{name}_ready"), getattr(dut, f"waits_for_{name}")
            m.d.sync += there.eq(there + ready - (step & begins))
            self.assume(m, ~ready | (there < slots))
            self.check(m, f"{name}_is_there", ~(step & begins) | (there != 0))
            self.check(m, f"waits_for_{name}", waits == (busy & begins & (there == 0)))
            self.check(m, f"{name}_ahead", self.look(f"dut.{name}_tiles_ahead",
                                                     len(there)) == there)

    def _held(self, m, dut, job, busy, step, ends, columns, group):
        """Say what is held of the stores; where a tile is waited for, the rest has room for it."""
        at = self.at
        acts, weights = Signal(range(TOKEN_TILES + 1)), Signal(2)
        release_act = step & ends.tile & ends.columns
        release_weight = step & ends.tile & ends.tokens
        m.d.sync += [
            acts.eq(acts + (step & (at.k == 0) & (at.column == 0)) - release_act),
            weights.eq(weights + (step & (at.k == 0) & (at.token == 0)) - release_weight)]
        begun = at.k != 0
        held = Mux(at.column == 0, Mux(ends.columns, begun, at.token + begun),
                   Mux(ends.columns, group - at.token, group))
        self.check(m, "holds_acts", acts == Mux(busy, held, 0))
        self.check(m, "holds_weights", weights == (busy & ((at.token != 0) | begun)))
        self.check(m, "room_for_an_act", ~dut.waits_for_act | (acts < CONFIG.tile_slots)
                   & ((acts + 1) * job.k_blocks <= CONFIG.act_depth))
        self.check(m, "room_for_a_weight", ~dut.waits_for_weight | (weights == 0))

    def _expected(self, m, job, tiles, columns, ends, places):
        """Say what a step must hand on."""
        at = self.at
        pair = Signal(module.block_pair_layout(CONFIG))
        rows_left, columns_left = Signal(5), Signal(6)
        m.d.comb += [
            rows_left.eq(job.m - (at.first + at.token) * CONFIG.rows),
            columns_left.eq(job.n - at.column * CONFIG.cols),
            pair.act_address.eq(self._wrap(places.act + at.token * job.k_blocks + at.k,
                                           CONFIG.act_depth)),
            pair.weight_address.eq(self._wrap(places.weight + at.k, CONFIG.weight_depth)),
            pair.act_slot.eq(places.act_slot + at.token),
            pair.weight_slot.eq(places.weight_slot),
            pair.first.eq(at.k == 0), pair.last.eq(ends.tile),
            pair.tile.rows.eq(Mux(rows_left < CONFIG.rows, rows_left, CONFIG.rows)),
            pair.tile.cols.eq(Mux(columns_left < CONFIG.cols, columns_left, CONFIG.cols)),
            pair.tile.output.eq(job.output), pair.tile.has_bias.eq(job.has_bias),
            pair.tile.k_blocks.eq(job.k_blocks), pair.tile.token_tile.eq(at.token),
            pair.tile.part.eq(at.column % PARTS),
            pair.tile.block_ends.eq((at.column % PARTS == PARTS - 1) | ends.columns),
            pair.tile.releases_act.eq(ends.columns), pair.tile.releases_weight.eq(ends.tokens),
            pair.tile.job_last.eq(ends.columns & ends.tokens & ends.groups),
        ]
        self.act_at, self.weight_at = pair.act_address, pair.weight_address
        self.rows_left, self.columns_left = rows_left, columns_left
        return pair

    def _look_inside(self, m, job, busy, tiles, columns, places):
        """State what the registers of the loops mean."""
        at, look, tokens = self.at, self.look, "dut.tokens"
        self.check(m, "numbers", Mux(
            busy, (at.first < tiles) & (at.column < columns) & (at.k < job.k_blocks)
            & (at.token < Mux(tiles - at.first < job.tiles, tiles - at.first, job.tiles)),
            Value.cast(at) == 0))
        self.check(m, "job", ~busy | (look("dut.job", len(Value.cast(job))) == Value.cast(job)))
        self.check(m, "job_is_small", ~busy | self._is_small(job))
        self.check(m, "busy", look("dut.busy") == busy)
        self.check(m, "within", (places.act < CONFIG.act_depth)
                   & (places.weight < CONFIG.weight_depth))
        self.check(m, "k", (look("dut.k_block", 1) == at.k)
                   & (~busy | (look("dut.last_k_block", 1) == job.k_blocks - 1)))
        self.check(m, "tokens", (look(f"{tokens}.tile", 2) == at.token)
                   & (look(f"{tokens}.address", 3) == Mux(busy, self.act_at, places.act))
                   & (look(f"{tokens}.base", 3) == places.act)
                   & (look(f"{tokens}.base_slot", 2) == places.act_slot)
                   & (look(f"{tokens}.slot", 2) == (places.act_slot + at.token)[:2]))
        left, group_left = (look(f"{tokens}.{name}", 32) for name in
                            ("rows_left", "group_rows_left"))
        self.check(m, "rows", ~busy | (left == self.rows_left)
                   & (group_left == job.m - at.first * CONFIG.rows)
                   & (look(f"{tokens}.last_tile", 2) == job.tiles - 1)
                   & (look(f"{tokens}.is_last") == (at.first + at.token == tiles - 1)))
        self.check(m, "columns", (look("dut.columns.address", 2)
                                  == Mux(busy, self.weight_at, places.weight))
                   & (look("dut.columns.base", 2) == places.weight)
                   & (look("dut.columns.slot", 2) == places.weight_slot)
                   & (look("dut.columns.is_first") == (at.column == 0))
                   & (look("dut.columns.part", 1) == at.column % PARTS))
        self.check(m, "columns_left", ~busy
                   | (look("dut.columns.columns_left", 32) == self.columns_left)
                   & (look("dut.columns.is_last") == (at.column == columns - 1)))

    def _queue(self, m, dut, step, expected):
        """Follow one step's pair through the queue, and its flags, which come a cycle later."""
        depth, width = module.QUEUE_DEPTH, len(Value.cast(dut.o.p))
        pair_bits = len(Value.cast(expected))
        fifo = FIFOInside(self, m, "dut.queue", width=width, depth=depth)
        arriving, is_next, followed = Signal(), Signal(), Signal()
        pair, whole = Signal(pair_bits), Signal(width)
        ahead = Signal(range(depth + 1))
        leaves, marks = Signal(), Signal()
        m.d.comb += [leaves.eq(dut.o.valid & dut.o.ready),
                     marks.eq(step & ~is_next & ~followed & self.free(1, "marks"))]
        arrives = followed & leaves & (ahead == 0)
        m.d.sync += [arriving.eq(step), is_next.eq(marks), pair.eq(Value.cast(expected))]
        with m.If(is_next):
            m.d.sync += [followed.eq(1), ahead.eq(fifo.level - leaves),
                         whole.eq(Cat(pair, dut.act_flags, dut.weight_flags))]
        with m.Elif(followed & leaves):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(~arrives)]
        self.cover(m, "arrives", arrives)
        self.check(m, "order_and_content", ~arrives | (Value.cast(dut.o.p) == whole))
        self.check(m, "pair", ~arriving | (self.look("dut.pair", pair_bits) == pair))
        self.check(m, "arriving", self.look("dut.arriving") == arriving)
        self.check(m, "room", fifo.level + arriving <= depth)
        self.check(m, "room_in_the_memory", ~arriving | self.look("dut.queue.w_rdy"))
        self.check(m, "goes_on", step | ~self.look("dut.busy") | dut.waits_for_act
                   | dut.waits_for_weight | (fifo.level + arriving == depth))
        self.check(m, "offers", dut.o.valid == fifo.is_offered)
        self.check(m, "stored_is_offered", fifo.is_offered | (fifo.level <= 1))
        self.check(m, "follows", ~followed | (ahead < fifo.level)
                   & (fifo.word(ahead, "at") == whole))
        self.check(m, "follows_once", ~(followed & is_next) & (~is_next | arriving))


PROOFS = (Proof(
    name="block_walker", make=BlockWalkerHarness, depth=1, steps=16,
    says="A job is walked group > column tile > token tile > K-block, in just as many steps as it "
         "has block pairs; each step gives the place of both operands, the tile's size and "
         "when they are released; none begins with a tile that is not there; it waits for tiles "
         "and room alone, and what it holds then leaves its store room for that tile. Pairs leave "
         "with their flags, in order, none lost.",
    assumes="A store's tiles that nothing has begun with are no more than its slots; a group of "
            "token tiles fits into the memory.",
    bounds=f"A 2x8 machine of K_MAX 32; up to {TOKEN_TILES} token tiles, {COLUMN_TILES} column "
           f"tiles, {K_BLOCKS} K-blocks.",
    mutants=(Mutant(module.__name__, "needs_act.eq(first & columns.is_first)",
                    "needs_act.eq(first & columns.is_last)"),
             Mutant(loops.__name__, "address.eq(base), slot.eq(base_slot), self.tile.eq(0)",
                    "address.eq(base), slot.eq(slot + 1), self.tile.eq(0)"),
             Mutant(loops.__name__, "is_last.eq(group_left <= rows)", "is_last.eq(0)"),
             Mutant(module.__name__, "queue.level + arriving < QUEUE_DEPTH",
                    "queue.level < QUEUE_DEPTH"))),)
