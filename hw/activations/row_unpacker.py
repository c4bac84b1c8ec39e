"""Cuts rows of floating-point numbers, as they come off the stream, into blocks of sixteen."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from hw.contract.job import is_pass, is_untagged, job_layout, report_signature
from hw.contract.job_codes import FORMAT_CODES, AnyKind, JobKind
from hw.contract.tile_block import raw_block_layout
from hw.streams.packet_guard import PacketGuard, beat_layout, gather_faults


class RowUnpacker(wiring.Component):
    """Cut each row (one packet, element 0 lowest) into blocks; pad the tail with zeros.

    Rows are those of A (GEMM) or the columns of a later B (CONVERT), k elements each, in tiles of R
    or C rows. CONVERT_TRANSPOSED has, for each column tile of C columns, k rows of the columns
    there are; ``row`` then counts the sixteen rows of a slab, which a block will run across.

    Elements take the low bits of their 32-bit lanes. A block leaves the cycle after its last beat;
    one beat per cycle goes in. The next job starts in the cycle after the last beat of this one.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    i : In(stream of beat_layout)
    o : Out(stream of raw_block_layout)
        Row-major within each tile; the last tile of a job may be shorter.
    job_first : Out(1)
        The block at ``o`` belongs to the first row of its job.
    faults : Out(2)
        Length, tkeep: see `PacketGuard`.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "o": Out(stream.Signature(raw_block_layout(config))),
            "job_first": Out(1), "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.guard = guard = PacketGuard(stream_bytes=config.act_bytes)
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        m.d.comb += self.faults.eq(Cat(guard.bad_length, guard.bad_keep))

        job = Signal(job_layout(config), reset_less=True)
        busy = Signal()
        block, job_first = (Signal(shape, name=name, reset_less=True) for name, shape in (
            ("block", self.o.p.shape()), ("job_first", 1)))
        m.d.comb += [self.o.p.eq(block), self.job_first.eq(job_first)]
        row = Signal.like(block.row)
        k_block = Signal.like(block.k_block)
        # This beat included; wide enough for comparisons with a block, however short rows are.
        elements_left = Signal(bits_for(max(config.k_max, config.cols, BLOCK_SIZE)),
                               reset_less=True)
        place = Signal(range(BLOCK_SIZE))     # of this beat within its block
        row_ends = Signal()
        block_ends = Signal()
        take = Signal()
        m.d.comb += [
            guard.is_final.eq(row_ends),
            take.eq(busy & guard.o.valid & (~self.o.valid | self.o.ready)),
            guard.o.ready.eq(busy & (~self.o.valid | self.o.ready)),
        ]
        tile_last_row, job_ends, is_first_row = self._walk(m, job, busy, take & row_ends, row,
                                                           elements_left)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [
                self.o.valid.eq(block_ends), job_first.eq(is_first_row),
                block.k_block.eq(k_block), block.row.eq(row), block.row_last.eq(row_ends),
                block.tile_last_row.eq(tile_last_row),
                block.job.transposed.eq(job.kind == JobKind.CONVERT_TRANSPOSED),
                block.job.untagged.eq(is_untagged(job)),
                *(block.job[name].eq(job[name]) for name in
                  ("float_format", "reorder", "measure", "table", "policy")),
                place.eq(Mux(block_ends, 0, place + 1)),
            ]
            if config.vector_lanes:
                m.d.sync += [
                    block.job_last.eq(job_ends), block.job.is_pass.eq(is_pass(job.kind)),
                    block.job.packs.eq(job.kind == AnyKind.VECTOR_PACKED)]
        with m.If(take & block_ends):
            m.d.sync += k_block.eq(Mux(row_ends, 0, k_block + 1))
        with m.Switch(job.float_format):
            for name in config.float_formats:
                with m.Case(FORMAT_CODES[name]):
                    self._unpack(m, FLOAT_FORMATS[name].width, guard, take, place, elements_left,
                                 block, row_ends, block_ends)
        gather_faults(m, self.faults, job_ends, self.job_faults)
        return m

    def _walk(self, m, job, busy, row_ends, row, elements_left):
        """Count the rows of tiles and jobs; say what this row ends, and if it is the first."""
        config = self.config
        # Rows of the job or, transposed, of the column tile; then, from this column tile on.
        rows_left = Signal.like(job.m, reset_less=True)
        columns_left = Signal.like(job.n, reset_less=True)
        # These follow `rows_left` and `columns_left`: what ends a row has no time for comparisons.
        is_first, last_row, last_columns = (
            Signal(name=name, reset_less=True) for name in ("is_first", "last_row", "last_columns"))
        transposed, row_wraps, tile_last_row = (
            Signal(name=name) for name in ("transposed", "row_wraps", "tile_last_row"))
        m.d.comb += transposed.eq(job.kind == JobKind.CONVERT_TRANSPOSED)
        with m.Switch(job.kind):
            with m.Case(JobKind.CONVERT):
                m.d.comb += row_wraps.eq(row == config.cols - 1)
            with m.Case(JobKind.CONVERT_TRANSPOSED):
                m.d.comb += row_wraps.eq(row == BLOCK_SIZE - 1)
            with m.Default():
                m.d.comb += row_wraps.eq(row == config.rows - 1)
        m.d.comb += tile_last_row.eq((row_wraps & ~transposed) | last_row)

        job_ends = Signal()
        m.d.comb += [job_ends.eq(row_ends & last_row & (last_columns | ~transposed)),
                     self.jobs.ready.eq(~busy | job_ends)]
        columns_after = Signal.like(columns_left)
        m.d.comb += columns_after.eq(columns_left - config.cols)
        with m.If(row_ends):
            m.d.sync += [is_first.eq(0), rows_left.eq(rows_left - 1), last_row.eq(rows_left == 2),
                         row.eq(Mux(row_wraps | tile_last_row, 0, row + 1)),
                         elements_left.eq(self._row_length(job, columns_left))]
            with m.If(last_row):
                m.d.sync += [rows_left.eq(job.k), last_row.eq(job.k == 1),
                             columns_left.eq(columns_after),
                             last_columns.eq(columns_left <= 2 * config.cols),
                             elements_left.eq(self._row_length(job, columns_after))]
        with m.If(self.jobs.ready):
            m.d.sync += busy.eq(self.jobs.valid)
            with m.If(self.jobs.valid):
                new = self.jobs.p
                m.d.sync += [job.eq(new), is_first.eq(1), columns_left.eq(new.n),
                             last_columns.eq(new.n <= config.cols),
                             elements_left.eq(self._row_length(new, new.n))]
                with m.Switch(new.kind):
                    with m.Case(JobKind.CONVERT):
                        m.d.sync += [rows_left.eq(new.n), last_row.eq(new.n == 1)]
                    with m.Case(JobKind.CONVERT_TRANSPOSED):
                        m.d.sync += [rows_left.eq(new.k), last_row.eq(new.k == 1)]
                    with m.Default():
                        m.d.sync += [rows_left.eq(new.m), last_row.eq(new.m == 1)]
        return tile_last_row, job_ends, is_first

    def _row_length(self, job, columns_left):
        """Count the elements of a row of A, or of B as it is converted."""
        columns = Mux(columns_left > self.config.cols, self.config.cols, columns_left)
        return Mux(job.kind == JobKind.CONVERT_TRANSPOSED, columns, job.k)

    def _unpack(self, m, width, guard, take, place, elements_left, block, row_ends,
                block_ends):
        """Place one beat of `width`-bit elements in the block; say what ends with it."""
        per_beat = 8 * self.config.act_bytes // width
        beats = BLOCK_SIZE // per_beat
        element_bytes = width // 8
        present = [Signal(name=f"present_{width}_{index}") for index in range(per_beat)]
        for index, flag in enumerate(present):
            m.d.comb += flag.eq(elements_left > index)
        m.d.comb += [
            row_ends.eq(elements_left <= per_beat),
            block_ends.eq(row_ends | (place == beats - 1)),
            guard.keep.eq(Cat(flag.replicate(element_bytes) for flag in present)),
        ]
        with m.If(take):
            with m.If(~row_ends):
                m.d.sync += elements_left.eq(elements_left - per_beat)
            m.d.sync += block.count.eq(
                place * per_beat + Mux(row_ends, elements_left, per_beat))
            for lane in range(BLOCK_SIZE):
                index = lane % per_beat
                element = guard.o.p[index * width:(index + 1) * width]
                with m.If(place == lane // per_beat):
                    m.d.sync += block.elements[lane].eq(Mux(present[index], element, 0))
                with m.Elif(place == 0):
                    m.d.sync += block.elements[lane].eq(0)
