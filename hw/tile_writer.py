"""Rounds waiting blocks to their precision and stores them as operands of the array."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .block_rounder import BlockRounder
from .job import job_layout, report_signature
from .layouts import AlignedBlock
from .operand_store import FLAGS, write_signature
from .outlier_policy import Tag
from .ring import following, index_signal
from .sram import Sram
from .tile_space import TileSpace

COUNT_BITS = 48
"""Width of a counter inside an engine."""

CONVERSION_COUNTS = data.StructLayout({
    "mx9_units": COUNT_BITS, "nan_blocks": COUNT_BITS, "saturated_elements": COUNT_BITS})
"""What a `TileWriter` counts over a job."""


class TileWriter(wiring.Component):
    """Store token tiles: tag, round, and write one block per cycle into the operand memory.

    The blocks of a tile come row-major; the tile's tags come once, in K order, and hold for all of
    its rows. A tile starts when the memory has room for all of it. `ready` follows its last block.
    After a row of `settle_cycles` blocks or fewer it rests for so many cycles.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    i : In(stream of AlignedBlock)
    tags : In(stream of Tag)
    store : Out(write_signature)
        To an `OperandStore` of one lane per array row.
    ready : Out(1)
        One more tile is complete.
    released : In(1), released_blocks : In
        The oldest tile, of so many blocks per row, is not needed any more.
    counts : Out(report_signature(CONVERSION_COUNTS))
    """

    settle_cycles = BlockRounder.latency + 1
    """A block's flags are written when it is rounded, and read the cycle before the block below it
    is taken: so the two are at least `settle_cycles` + 1 cycles apart, as they are in longer rows.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(AlignedBlock)),
            "tags": In(stream.Signature(Tag)),
            "store": Out(write_signature(config.rows, config.act_depth, config.tile_slots)),
            "ready": Out(1),
            "released": In(1), "released_blocks": In(bits_for(config.k_blocks_max)),
            "counts": Out(report_signature(CONVERSION_COUNTS)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.rounder = rounder = BlockRounder(rounding=config.rounding)
        m.submodules.tile_flags = tile_flags = Sram(width=FLAGS.size, depth=config.k_blocks_max)

        job = Signal(job_layout(config))
        busy, in_tile = Signal(), Signal()
        rows_left = Signal.like(job.m)
        row = index_signal(config.rows, "row")
        k_block = index_signal(config.k_blocks_max, "k_block")
        tile_base = index_signal(config.act_depth, "tile_base")
        address = index_signal(config.act_depth, "address")
        slot = index_signal(config.tile_slots, "slot")

        # Cycle 0: take a block, and its tag: fresh in the tile's first row, then read back.
        resting = Signal(range(self.settle_cycles + 1))  # cycles left
        first_row = Signal()
        last_row = Signal()
        row_ends = Signal()
        take = Signal()
        known = Signal(FLAGS)
        m.d.comb += [
            first_row.eq(row == 0),
            last_row.eq((row == config.rows - 1) | (rows_left == 1)),
            row_ends.eq(k_block == job.k_blocks - 1),
            take.eq(in_tile & self.i.valid & (self.tags.valid | ~first_row) & (resting == 0)),
            self.i.ready.eq(take),
            self.tags.ready.eq(take & first_row),
            known.eq(tile_flags.read_data),
            rounder.i.valid.eq(take),
            rounder.i.p.block.eq(self.i.p),
            rounder.i.p.is_mx9.eq(Mux(first_row, self.tags.p.is_outlier, known.is_mx9)),
            rounder.o.ready.eq(1),
        ]
        next_k_block = Signal.like(k_block)
        m.d.comb += [
            next_k_block.eq(Mux(take, Mux(row_ends, 0, k_block + 1), k_block)),
            tile_flags.read_en.eq(1), tile_flags.read_addr.eq(next_k_block),
        ]
        m.d.sync += k_block.eq(next_k_block)
        with m.If(take & row_ends & (job.k_blocks <= self.settle_cycles)):
            m.d.sync += resting.eq(self.settle_cycles)
        with m.Elif(resting != 0):
            m.d.sync += resting.eq(resting - 1)
        tile_ends = take & row_ends & last_row
        with m.If(take):
            m.d.sync += address.eq(following(address, config.act_depth))
        with m.If(take & row_ends):
            m.d.sync += [rows_left.eq(rows_left - 1), row.eq(Mux(last_row, 0, row + 1)),
                         address.eq(Mux(last_row, following(address, config.act_depth), tile_base))]

        self._place_tiles(m, job, busy, in_tile, tile_ends, address, tile_base, rows_left)
        stored, now = self._store(m, rounder, tile_flags, {
            "row": row, "address": address, "k_block": k_block, "slot": slot,
            "is_mx9": rounder.i.p.is_mx9, "had_residual": known.has_residual & ~first_row,
            "row_first": k_block == 0, "row_last": row_ends, "first_row": first_row,
            "last_row": last_row, "job_last": rows_left == 1,
        })
        with m.If(tile_ends):
            m.d.sync += slot.eq(slot + 1)
        self._count(m, rounder, stored, now)
        return m

    def _place_tiles(self, m, job, busy, in_tile, tile_ends, address, tile_base, rows_left):
        """Start a job when there is one, and each of its tiles when there is room."""
        config = self.config
        m.submodules.space = space = TileSpace(depth=config.act_depth, slots=config.tile_slots,
                                               block_bits=len(job.k_blocks))
        m.d.comb += [
            space.blocks.eq(job.k_blocks), space.take.eq(busy & ~in_tile & space.fits),
            space.released.eq(self.released), space.released_blocks.eq(self.released_blocks),
        ]
        with m.If(space.take):
            m.d.sync += [in_tile.eq(1), tile_base.eq(address)]
        with m.If(tile_ends):
            m.d.sync += [in_tile.eq(0), busy.eq(rows_left != 1)]
        m.d.comb += self.jobs.ready.eq(~busy)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(self.jobs.p), rows_left.eq(self.jobs.p.m)]

    def _store(self, m, rounder, tile_flags, place):
        """Write what the rounder returns, and the flags and anchors that it adds up to."""
        layout = data.StructLayout({name: len(value) for name, value in place.items()})
        entering = Signal(layout, name="place_0")
        for name, value in place.items():
            m.d.comb += entering[name].eq(value)
        now = entering
        for stage in range(rounder.latency):
            delayed = Signal(layout, name=f"place_{stage + 1}")
            m.d.sync += delayed.eq(now)
            now = delayed
        stored = rounder.o.valid
        store, block = self.store, rounder.o.p.block
        lanes = Signal(self.config.rows)
        m.d.comb += lanes.eq(stored << now.row)

        flags = Signal(FLAGS)
        anchor_so_far, anchor = Signal(8), Signal(8)
        m.d.comb += [
            flags.is_mx9.eq(now.is_mx9),
            flags.has_residual.eq(now.had_residual | rounder.o.p.has_residual),
            anchor.eq(Mux(~now.row_first & (anchor_so_far > block.exponent),
                          anchor_so_far, block.exponent)),
            tile_flags.write_en.eq(stored), tile_flags.write_addr.eq(now.k_block),
            tile_flags.write_data.eq(flags),
            store.lanes.eq(lanes), store.residual_lanes.eq(lanes), store.address.eq(now.address),
            store.keeps_flags.eq(stored & now.last_row), store.flags.eq(flags),
            store.anchor_lanes.eq(Mux(now.row_last, lanes, 0)), store.slot.eq(now.slot),
        ]
        m.d.comb += [
            store.blocks.eq(block.as_value().replicate(self.config.rows)),
            store.anchors.eq(anchor.replicate(self.config.rows)),
        ]
        with m.If(stored):
            m.d.sync += anchor_so_far.eq(anchor)
        m.d.sync += self.ready.eq(stored & now.row_last & now.last_row)
        return stored, now

    def _count(self, m, rounder, stored, now):
        """Add up a job's counters and hand them over at its end."""
        job_ends = Signal()
        m.d.comb += job_ends.eq(stored & now.row_last & now.last_row & now.job_last)
        counts = Signal(CONVERSION_COUNTS)
        total = Signal(CONVERSION_COUNTS)
        m.d.comb += [
            # Tags hold for a whole tile: count them in its first row.
            total.mx9_units.eq(counts.mx9_units + (stored & now.is_mx9 & now.first_row)),
            total.nan_blocks.eq(counts.nan_blocks + (stored & rounder.o.p.has_nan)),
            total.saturated_elements.eq(
                counts.saturated_elements + Mux(stored, rounder.o.p.saturated, 0)),
            self.counts.payload.eq(total), self.counts.valid.eq(job_ends),
        ]
        m.d.sync += counts.eq(Mux(job_ends, 0, total.as_value()))
