"""Unpacks the weight stream into operands of the array."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .config import BASE_BLOCK_BITS, MX_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from .job import job_layout, report_signature
from .operand_store import write_signature
from .packet_guard import PacketGuard, beat_layout, gather_faults
from .ring import following, index_signal
from .tile_space import TileSpace


class WeightLoader(wiring.Component):
    """Store column tiles: one packet each, K-block by K-block, all columns side by side.

    A packet is, for K-block 0, 1, …: before every ``8 * weight_bytes``-th K-block one beat of
    precision bits (bit j for the j-th K-block from here); the base blocks of the tile's columns,
    12 bytes each, filled up to whole beats; and, where the precision bit is set, their residuals,
    6 bytes each, filled up to whole beats. The last column tile carries only the columns there are.
    The tiles come again for every group of resident token tiles.

    One beat per cycle while the memory has room for a whole tile; one idle cycle between tiles.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    i : In(stream of beat_layout)
    store : Out(write_signature)
        To an `OperandStore` of one lane per array column.
    ready : Out(1)
        One more tile is complete.
    released : In(1), released_blocks : In
        The oldest tile, of so many blocks per column, is not needed any more.
    faults : Out(2)
        Length, tkeep: see `PacketGuard`.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.weight_bytes))),
            "store": Out(write_signature(config.cols, config.weight_depth, config.weight_slots)),
            "ready": Out(1),
            "released": In(1), "released_blocks": In(bits_for(config.k_blocks_max)),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.guard = guard = PacketGuard(stream_bytes=config.weight_bytes)
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        m.d.comb += [self.faults.eq(Cat(guard.bad_length, guard.bad_keep)),
                     guard.keep.eq(Const(1, 1).replicate(config.weight_bytes))]

        job = Signal(job_layout(config))
        in_tile = Signal()
        columns = Signal(range(config.cols + 1))    # of this tile
        k_block = index_signal(config.k_blocks_max, "k_block")
        address = index_signal(config.weight_depth, "address")
        last_k_block = Signal()
        m.d.comb += last_k_block.eq(k_block == job.k_blocks - 1)

        # One K-block: precision bits if they are due, then base beats, then residual beats.
        tags = Signal(8 * config.weight_bytes)
        tags_left = Signal(range(8 * config.weight_bytes + 1))
        beat = Signal(range(self._beats(BASE_BLOCK_BITS, config.cols) + 1))
        in_residual = Signal()
        take = Signal()
        takes_tags, chunk_ends, block_ends = Signal(), Signal(), Signal()
        m.d.comb += [
            guard.o.ready.eq(in_tile), take.eq(in_tile & guard.o.valid),
            takes_tags.eq(tags_left == 0),
            chunk_ends.eq(~takes_tags & (beat == Mux(
                in_residual, self._last_beat(RESIDUAL_BLOCK_BITS, columns),
                self._last_beat(BASE_BLOCK_BITS, columns)))),
            block_ends.eq(chunk_ends & (in_residual | ~tags[0])),
            guard.is_final.eq(block_ends & last_k_block),
        ]
        with m.If(take):
            with m.If(takes_tags):
                m.d.sync += [tags.eq(guard.o.p), tags_left.eq(8 * config.weight_bytes)]
            with m.Else():
                m.d.sync += beat.eq(Mux(chunk_ends, 0, beat + 1))
            with m.If(chunk_ends):
                m.d.sync += in_residual.eq(~block_ends)
            with m.If(block_ends):
                m.d.sync += [
                    tags.eq(tags >> 1), tags_left.eq(Mux(last_k_block, 0, tags_left - 1)),
                    k_block.eq(Mux(last_k_block, 0, k_block + 1)),
                    address.eq(following(address, config.weight_depth)),
                ]
        tile_ends = take & block_ends & last_k_block
        self._place_tiles(m, job, in_tile, tile_ends, columns)
        self._store(m, guard.o.p, take & ~takes_tags, beat, address, {
            "chunk_ends": take & chunk_ends, "in_residual": in_residual,
            "block_ends": take & block_ends, "is_mx9": tags[0],
            "first": k_block == 0, "tile_ends": tile_ends})
        return m

    def _beats(self, block_bits, columns):
        """Beats that the blocks of so many columns take."""
        return -(-block_bits * columns // (8 * self.config.weight_bytes))

    def _last_beat(self, block_bits, columns):
        """Number of the last beat of a chunk, looked up by the tile's columns."""
        return Array(max(0, self._beats(block_bits, count) - 1)
                     for count in range(self.config.cols + 1))[columns]

    def _place_tiles(self, m, job, in_tile, tile_ends, columns):
        """Walk a job's tiles, and start each when there is room."""
        config = self.config
        busy = Signal()
        rows_left, columns_left = Signal.like(job.m), Signal.like(job.n)
        m.submodules.space = space = TileSpace(depth=config.weight_depth, slots=config.weight_slots,
                                               block_bits=len(job.k_blocks))
        m.d.comb += [
            space.blocks.eq(job.k_blocks), space.take.eq(busy & ~in_tile & space.fits),
            space.released.eq(self.released), space.released_blocks.eq(self.released_blocks),
        ]
        with m.If(space.take):
            m.d.sync += [in_tile.eq(1),
                         columns.eq(Mux(columns_left > config.cols, config.cols, columns_left))]
        group_rows = Signal(range(config.rows * config.tile_slots + 1))
        last_pass_tile = Signal()  # of a pass over B
        m.d.comb += [group_rows.eq(job.tiles * config.rows),
                     last_pass_tile.eq(columns_left <= config.cols)]
        with m.If(tile_ends):
            m.d.sync += [in_tile.eq(0), columns_left.eq(columns_left - config.cols)]
            with m.If(last_pass_tile):
                m.d.sync += [columns_left.eq(job.n), rows_left.eq(rows_left - group_rows),
                             busy.eq(rows_left > group_rows)]
        gather_faults(m, self.faults, tile_ends & last_pass_tile & (rows_left <= group_rows),
                      self.job_faults)
        m.d.comb += self.jobs.ready.eq(~busy)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(self.jobs.p), rows_left.eq(self.jobs.p.m),
                         columns_left.eq(self.jobs.p.n)]

    def _store(self, m, beat_data, take, beat, address, ends):
        """Gather a chunk; in the cycle after its last beat write all columns at once."""
        config = self.config
        beats = self._beats(BASE_BLOCK_BITS, config.cols)
        chunk = Signal(8 * config.weight_bytes * beats)
        with m.If(take):
            for index in range(beats):
                part = chunk.word_select(index, 8 * config.weight_bytes)
                with m.If(beat == index):
                    m.d.sync += part.eq(beat_data)
                with m.Elif(beat == 0):
                    m.d.sync += part.eq(0)
        layout = data.StructLayout({name: 1 for name in ends})
        due = Signal(layout)
        write_at = Signal.like(address, name="write_at")
        for name, value in ends.items():
            m.d.sync += due[name].eq(value)
        m.d.sync += write_at.eq(address)

        store = self.store
        is_base = due.chunk_ends & ~due.in_residual
        is_residual = due.chunk_ends & due.in_residual
        residuals = chunk[:RESIDUAL_BLOCK_BITS * config.cols]
        m.d.comb += [
            store.lanes.eq(is_base.replicate(config.cols)),
            store.residual_lanes.eq(is_residual.replicate(config.cols)),
            store.address.eq(write_at),
            store.keeps_flags.eq(due.block_ends), store.flags.is_mx9.eq(due.is_mx9),
            store.flags.has_residual.eq(is_residual & residuals.any()),
        ]
        anchors = Signal.like(store.anchors, name="anchors_so_far")
        slot = index_signal(config.weight_slots, "slot")
        for lane in range(config.cols):
            base = chunk.word_select(lane, BASE_BLOCK_BITS)
            residual = chunk.word_select(lane, RESIDUAL_BLOCK_BITS)
            m.d.comb += store.blocks.word_select(lane, MX_BLOCK_BITS).eq(Cat(base, residual))
            exponent = base[:8]
            rises = is_base & (due.first | (exponent > anchors[lane]))
            m.d.comb += store.anchors[lane].eq(Mux(rises, exponent, anchors[lane]))
            m.d.sync += anchors[lane].eq(store.anchors[lane])
        m.d.comb += [store.anchor_lanes.eq(due.tile_ends.replicate(config.cols)),
                     store.slot.eq(slot)]
        m.d.sync += self.ready.eq(due.tile_ends)
        with m.If(due.tile_ends):
            m.d.sync += slot.eq(slot + 1)
