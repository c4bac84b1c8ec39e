"""Proof of `hw.operands.weight_loader`."""

from amaranth import Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.operands.weight_loader as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.blocks.chunk_reader import chunk_layout, packet_layout
from hw.contract.config import Config

CONFIG = Config.sized(rows=2, cols=2, k_max=32, tile_slots=4)

ROWS, COLUMNS, GROUPS = 12, 6, 6
"""Most of a job."""

BASE_BITS = 96


class WeightLoaderHarness(Harness):
    """Jobs of any sizes; what the reader hands out is anything.

    That it hands out what a packet brings is the proof of `chunk_reader`.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.WeightLoader(CONFIG)
        self.free_inputs(m, dut)
        new, job, busy = dut.jobs.p, Signal(dut.jobs.p.shape()), Signal()
        self.assume(m, ~dut.jobs.valid | self._is_small(new))
        packet = data.View(packet_layout(CONFIG.cols, CONFIG.k_blocks_max), self.look(
            "dut.reader.packets__payload", packet_layout(CONFIG.cols, CONFIG.k_blocks_max).size))
        starts = Signal()
        m.d.comb += starts.eq(self.look("dut.reader.packets__valid")
                              & self.cut("dut.reader.packets__ready"))
        group, column, begun = Signal(3), Signal(2), Signal(5)
        groups, columns, rows = Signal(3), Signal(2), Signal(5)  # `rows` of a group
        m.d.comb += [rows.eq(job.tiles * CONFIG.rows),
                     groups.eq(sum(job.m > each * rows for each in range(GROUPS))),
                     columns.eq(sum(job.n > each * CONFIG.cols for each in range(3)))]
        ends_pass = column == columns - 1
        ends_job = ends_pass & (group == groups - 1)
        load = dut.jobs.valid & dut.jobs.ready
        with m.If(load):
            m.d.sync += [busy.eq(1), job.eq(new)]
        with m.If(starts):
            m.d.sync += [column.eq(Mux(ends_pass, 0, column + 1)), busy.eq(~ends_job)]
            with m.If(ends_pass):
                m.d.sync += group.eq(Mux(ends_job, 0, group + 1))
        m.d.sync += begun.eq(Mux(load, 0, begun + starts))
        columns_left = Signal(4)
        m.d.comb += columns_left.eq(job.n - column * CONFIG.cols)
        self.check(m, "takes_a_job", dut.jobs.ready == ~busy)
        self.check(m, "falls", ~busy | (begun == group * columns + column)
                   & (begun < groups * columns))
        self.check(m, "numbers", Mux(busy, (group < groups) & (column < columns),
                                     (group == 0) & (column == 0)))
        self.check(m, "packet", ~starts | (packet.k_blocks == job.k_blocks)
                   & (packet.has_biases == job.has_bias) & (packet.job_last == ends_job)
                   & (packet.lanes == Mux(ends_pass, columns_left, CONFIG.cols)))
        self.check(m, "only_of_a_job", ~starts | busy)
        self.check(m, "job", (self.look("dut.busy") == busy) & (~busy | self._is_small(job) & (
            self.look("dut.job", len(Value.cast(job))) == Value.cast(job))))
        self.check(m, "left", ~busy | (self.look("dut.rows_left", 32) == job.m - group * rows)
                   & (self.look("dut.columns_left", 32) == columns_left))
        self._room(m, dut, job, busy, starts)
        self._store(m, dut)

    def _is_small(self, job):
        return ((job.m > 0) & (job.m <= ROWS) & (job.n > 0) & (job.n <= COLUMNS)
                & (job.k_blocks > 0) & (job.k_blocks <= 2) & (job.tiles > 0)
                & (job.tiles <= CONFIG.tile_slots))

    def _room(self, m, dut, job, busy, starts):
        """Never begin a packet without room; begin one whenever there is."""
        depth, slots = CONFIG.weight_depth, CONFIG.weight_slots
        tiles, blocks = Signal(range(slots + 2)), Signal(range(2 * depth + 2))
        given = Mux(dut.released, dut.released_blocks, 0)
        m.d.sync += [tiles.eq(tiles + starts - dut.released),
                     blocks.eq(blocks + Mux(starts, job.k_blocks, 0) - given)]
        self.assume(m, ~dut.released | (tiles != 0))
        self.assume(m, (given <= blocks) & (~dut.released | (tiles != 1) | (given == blocks)))
        self.cover(m, "full", tiles == slots)
        self.check(m, "room_is_kept", (blocks <= depth) & (tiles <= slots))
        self.check(m, "nothing_without_tiles", (tiles != 0) | (blocks == 0))
        self.check(m, "begins_with_room", self.look("dut.reader.packets__valid") == (
            busy & (blocks + job.k_blocks <= depth) & (tiles < slots)))
        self.check(m, "free", (self.look("dut.space.free_blocks", 3) == depth - blocks)
                   & (self.look("dut.space.free_slots", 3) == slots - tiles))

    def _store(self, m, dut):
        """Compare what is written with the chunks that are handed out."""
        layout = chunk_layout(CONFIG.cols)
        chunk = Signal(layout)
        m.d.comb += Value.cast(chunk).eq(self.cut("dut.reader.o__payload", layout.size))
        comes = self.cut("dut.reader.o__valid")
        block = comes & ~chunk.is_biases
        ends = block & chunk.k_last
        address, slot, was_end = Signal(2), Signal(2), Signal()
        begun = Signal()  # a tile, whose first K-block has come
        largest = Signal(8)
        lane = self.free_constant(m, 1, "lane")
        base = chunk.base.word_select(lane, BASE_BITS)
        exponent, store = base[:8], dut.store
        largest_now = Mux(chunk.k_first | (exponent > largest), exponent, largest)
        self.assume(m, ~block | begun | chunk.k_first)
        m.d.sync += [address.eq(address + block), slot.eq(slot + ends), was_end.eq(ends)]
        with m.If(block):
            m.d.sync += [begun.eq(~chunk.k_last), largest.eq(largest_now)]
        mx_block = store.blocks.word_select(lane, BASE_BITS + 48)
        # Of the lanes that there are; a chunk of more has all.
        has_residual = Cat(
            (chunk.lanes == lanes if lanes < CONFIG.cols else chunk.lanes >= lanes)
            & chunk.residual[: 48 * lanes].any() for lanes in range(1, CONFIG.cols + 1)).any()
        self.check(m, "block", ~block | (store.address == address) & store.lanes.all()
                   & (mx_block[:BASE_BITS] == base) & store.keeps_flags
                   & (mx_block[BASE_BITS:] == chunk.residual.word_select(lane, 48))
                   & (store.residual_lanes == chunk.is_mx9.replicate(CONFIG.cols))
                   & (store.flags.is_mx9 == chunk.is_mx9)
                   & (store.flags.has_residual == has_residual))
        self.check(m, "nothing_else", block | ~Cat(
            store.lanes, store.residual_lanes, store.keeps_flags, store.anchor_lanes).any())
        self.check(m, "anchor", ~block | (store.anchor_lanes == ends.replicate(CONFIG.cols)) & (
            ~ends | (store.slot == slot) & (store.anchors[lane] == largest_now)))
        self.check(m, "bias", (dut.bias.write == (comes & chunk.is_biases)) & (
            ~dut.bias.write | (dut.bias.slot == slot) & (dut.bias.values == chunk.base[:64])))
        self.check(m, "ready", dut.ready == was_end)
        so_far = self.look("dut.anchors_so_far", 8 * CONFIG.cols)
        self.check(m, "kept", (self.look("dut.address", 2) == address)
                   & (self.look("dut.slot", 2) == slot)
                   & (~begun | (so_far.word_select(lane, 8) == largest)))


PROOFS = (Proof(
    name="weight_loader", make=WeightLoaderHarness, depth=1, steps=8,
    says="A job has just one packet for each column tile and group of token tiles, in order; each "
         "begins when, and only when, a slot and room for its blocks are free. Each K-block is "
         "written once, at the next address, a tile's largest exponents with its last, biases "
         "into its slot; then the tile is ready.",
    assumes="The oldest tile gives back what it took; a packet's first K-block is marked.",
    bounds=f"A 2x2 machine of K_MAX 32, up to {ROWS} rows and {COLUMNS} columns. `ChunkReader` is "
           "cut off and hands out anything.",
    mutants=(Mutant(module.__name__, "packets.valid.eq(busy & space.fits)",
                    "packets.valid.eq(busy)"),
             Mutant(module.__name__, "rows_left <= group_rows", "rows_left < group_rows"),
             Mutant(module.__name__, "(chunk.lanes > lane) & ", ""),
             Mutant(module.__name__, "columns_left.eq(job.n), rows_left", "rows_left"),
             Mutant(module.__name__, "chunk.k_first | (exponent > anchors[lane])",
                    "exponent > anchors[lane]"))),)
