"""Proof of `hw.activations.row_unpacker`."""

from types import SimpleNamespace

from amaranth import Cat, Mux, Signal, Value

import hw.activations.row_unpacker as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import FORMAT_CODES, JobKind, Selection

CONFIG = Config.sized(rows=2, cols=3, k_max=40, float_formats=("fp32", "fp16"), act_bytes=8)

LANES = 6
"""Most rows of A, most columns of B."""


class RowUnpackerHarness(Harness):
    """Jobs of all three kinds; one arbitrary lane of each block is followed.

    The harness counts ``tile`` (of columns), ``row`` and ``element``, and all else is a formula of
    these.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.RowUnpacker(CONFIG)
        self.free_inputs(m, dut)
        new, job, busy = dut.jobs.p, Signal(dut.jobs.p.shape()), Signal()
        self.assume(m, ~dut.jobs.valid | self._is_small(new))
        take, beat = self.look("dut.take"), self.look("dut.guard.o__payload",
                                                      8 * CONFIG.act_bytes)
        at = SimpleNamespace(tile=Signal(2), row=Signal(6), element=Signal(6))
        is_wide, transposed = Signal(), Signal()
        length, rows, tiles, step = (Signal(range(64), name=name) for name in
                                     ("length", "rows", "tiles", "per_beat"))
        m.d.comb += [
            is_wide.eq(job.float_format == FORMAT_CODES["fp32"]),
            transposed.eq(job.kind == JobKind.CONVERT_TRANSPOSED),
            step.eq(Mux(is_wide, CONFIG.act_bytes // 4, CONFIG.act_bytes // 2)),
            rows.eq(Mux(transposed, job.k, Mux(job.kind == JobKind.CONVERT, job.n, job.m))),
            tiles.eq(Mux(transposed, (job.n[:4] + CONFIG.cols - 1) // CONFIG.cols, 1)),
            length.eq(Mux(~transposed, job.k, Mux(
                at.tile == tiles - 1, job.n - at.tile * CONFIG.cols, CONFIG.cols)))]
        ends = SimpleNamespace(row=Signal(), block=Signal(), rows=Signal(), job=Signal())
        m.d.comb += [
            ends.row.eq(at.element + step >= length),
            ends.block.eq(ends.row | (at.element[:4] + step == BLOCK_SIZE)),
            ends.rows.eq(ends.row & (at.row == rows - 1)),
            ends.job.eq(ends.rows & (at.tile == tiles - 1))]
        with m.If(take):
            m.d.sync += at.element.eq(Mux(ends.row, 0, at.element + step))
            with m.If(ends.row):
                m.d.sync += at.row.eq(Mux(ends.rows, 0, at.row + 1))
            with m.If(ends.rows):
                m.d.sync += at.tile.eq(Mux(ends.job, 0, at.tile + 1))
        with m.If(~busy | take & ends.job):
            m.d.sync += [busy.eq(dut.jobs.valid), job.eq(new)]

        look = self.look
        self.check(m, "takes_a_job", dut.jobs.ready == (~busy | take & ends.job))
        self.check(m, "only_of_a_job", ~take | busy)
        self.check(m, "ends_a_packet", ~busy | (look("dut.guard.is_final") == ends.row))
        self.check(m, "keep", ~busy | (look("dut.guard.keep", CONFIG.act_bytes) == Cat(
            at.element + Mux(is_wide, byte // 4, byte // 2) < length
            for byte in range(CONFIG.act_bytes))))
        self.check(m, "takes_beats", look("dut.guard.o__ready")
                   == (busy & (~dut.o.valid | dut.o.ready)))
        self.check(m, "reports_a_job", dut.job_faults.valid == (take & ends.job))
        self.check(m, "numbers", Mux(
            busy, (at.tile < tiles) & (at.row < rows) & (at.element < length)
            & Mux(is_wide, ~at.element[0], ~at.element[:2].any()),
            (at.tile == 0) & (at.row == 0) & (at.element == 0)))
        self._look_inside(m, job, busy, at, length, rows, tiles, step, transposed)
        self._blocks(m, dut, job, take, beat, at, ends, length, step, rows, transposed, is_wide)

    def _is_small(self, job):
        return ((job.m > 0) & (job.m <= LANES) & (job.n > 0) & (job.n <= LANES)
                & (job.k > 0) & (job.k <= CONFIG.k_max) & (job.float_format <= 1)
                & (job.kind != JobKind.GEMM_PACKED))

    def _look_inside(self, m, job, busy, at, length, rows, tiles, step, transposed):
        """State what the registers of the walk mean."""
        look = self.look
        self.check(m, "job", ~busy | self._is_small(job) & (
            look("dut.job", len(Value.cast(job))) == Value.cast(job)))
        lanes = Mux(job.kind == JobKind.CONVERT, CONFIG.cols, CONFIG.rows)
        in_tile = self.in_tile = Signal(4)
        m.d.comb += in_tile.eq(Mux(transposed, at.row[:4], at.row % lanes))
        self.check(m, "walk", (look("dut.busy") == busy) & (look("dut.row", 4) == in_tile)
                   | ~busy & ~look("dut.busy") & (look("dut.row", 4) == 0))
        self.check(m, "left", ~busy | (look("dut.rows_left", 32) == rows - at.row)
                   & (look("dut.last_row") == (at.row == rows - 1))
                   & (look("dut.elements_left", 6) == length - at.element)
                   & (look("dut.is_first") == ((at.row == 0) & (at.tile == 0))))
        self.check(m, "columns_left", ~busy | ~transposed
                   | (look("dut.columns_left", 32) == job.n - at.tile * CONFIG.cols)
                   & (look("dut.last_columns") == (at.tile == tiles - 1)))
        self.check(m, "place", (look("dut.place", 4) == Mux(
            step == 2, at.element[1:4], at.element[2:4])) & (look("dut.k_block", 2)
                                                             == at.element[4:]))

    def _blocks(self, m, dut, job, take, beat, at, ends, length, step, rows, transposed, is_wide):
        """Compare a block with the beats that were taken for it; it waits until it is taken."""
        lane = self.free_constant(m, 4, "lane")
        brought, value = Signal(), Signal(32)
        element, inside = Signal(32), Signal(2)
        m.d.comb += [
            inside.eq(Mux(is_wide, lane[0], lane[:2])),
            element.eq(Mux(is_wide, beat.word_select(inside[0], 32),
                           beat.word_select(inside, 16)))]
        has_lane = at.element[:4] + inside == lane
        is_there = has_lane & (at.element + inside < length)
        with m.If(take):
            with m.If(has_lane | (at.element[:4] == 0)):
                m.d.sync += [brought.eq(is_there), value.eq(element)]
        offered, about, first = Signal(), Signal(dut.o.p.shape()), Signal()
        m.d.sync += offered.eq(Mux(take, ends.block, offered & ~dut.o.ready))
        tile_rows = Mux(job.kind == JobKind.CONVERT, CONFIG.cols, CONFIG.rows)
        with m.If(take):
            m.d.sync += [
                about.k_block.eq(at.element[4:]), about.row.eq(self.in_tile),
                about.row_last.eq(ends.row), first.eq((at.row == 0) & (at.tile == 0)),
                about.tile_last_row.eq((at.row == rows - 1)
                                       | ~transposed & (self.in_tile == tile_rows - 1)),
                about.count.eq(Mux(ends.row, length - at.element + at.element[:4],
                                   at.element[:4] + step)),
                about.job.transposed.eq(transposed),
                about.job.untagged.eq((job.kind == JobKind.GEMM) & ~job.policy.units[0]
                                      & (job.policy.selection == Selection.HEAD)), *(
                    about.job[name].eq(job[name]) for name in
                    ("float_format", "reorder", "measure", "table", "policy"))]
        self.cover(m, "two_blocks", offered & (about.k_block == 1) & about.row_last & brought)
        self.check(m, "offers_whole_blocks", dut.o.valid == offered)
        self.check(m, "waits", ~(offered & ~dut.o.ready) | ~take)
        bits = 32 * BLOCK_SIZE
        self.check(m, "about", ~offered | (Value.cast(dut.o.p)[bits:] == Value.cast(about)[bits:])
                   & (dut.job_first == first))
        own = Signal(32)
        m.d.comb += own.eq(dut.o.p.elements[lane])
        begun = self.look("dut.busy") & (at.element[:4] != 0)
        self.check(m, "element", ~(offered | begun) | (own == Mux(brought, value, 0)))


PROOFS = (Proof(
    name="row_unpacker", make=RowUnpackerHarness, depth=1, steps=10,
    says="A job has just its rows, each of just its elements, and ends with the last; a packet is "
         "a row. Every element leaves in the lane, block, row and tile of its place, lanes beyond "
         "the row are zero; blocks come in order, each once, and wait until they are taken.",
    assumes="Dimensions are from 1 on; the format is one that the machine reads.",
    bounds=f"A 2x3 machine of K_MAX 40, FP32 and FP16, beats of 8 bytes, M and N up to {LANES}. "
           "What `PacketGuard` hands on is what came: see its proof.",
    mutants=(Mutant(module.__name__, "last_row.eq(rows_left == 2)", "last_row.eq(rows_left <= 1)"),
             Mutant(module.__name__, "elements_left.eq(self._row_length(job, columns_after))",
                    "elements_left.eq(self._row_length(job, columns_left))"),
             Mutant(module.__name__, "Mux(present[index], element, 0)", "element"),
             Mutant(module.__name__, "with m.Elif(place == 0):", "with m.Elif(0):"))),)
