"""Unpacks the weight stream into operands of the array."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import FP32
from hw.blocks.chunk_reader import ChunkReader
from hw.contract.block_bits import BASE_BLOCK_BITS, MX_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.job import job_layout, report_signature
from hw.parts.ring import address_bits, following, index_signal
from hw.streams.packet_guard import beat_layout

from .operand_store import write_signature
from .tile_space import TileSpace


def bias_write_signature(config):
    """Describe the write side of a memory of biases, seen from who writes.

    Members
    -------
    write : Out(1)
    slot : Out(slot)
        The column tile's: the word to write.
    values : Out(cols x unsigned(32), flat)
        FP32 patterns, column 0 lowest; zero for columns that the tile does not have.
    """
    return wiring.Signature({
        "write": Out(1), "slot": Out(address_bits(config.weight_slots)),
        "values": Out(FP32.width * config.cols),
    })


class WeightLoader(wiring.Component):
    """Store column tiles: one packet each, in the format of `ChunkReader`, a lane per column.

    The last column tile carries only the columns there are. The tiles come again for every group of
    resident token tiles. One beat per cycle while the memory has room for a whole tile, also from
    tile to tile and from job to job.

    Parameters
    ----------
    config : Config
    surplus : bool
        As in `ChunkReader`.

    Members
    -------
    jobs : In(stream of job_layout)
        GEMMs only.
    i : In(stream of beat_layout)
    store : Out(write_signature)
        To an `OperandStore` of one lane per array column.
    bias : Out(bias_write_signature)
        Written once for each tile of a job that has biases, before the tile is `ready`, and as soon
        as its slot is free.
    ready : Out(1)
        One more tile is complete.
    released : In(1), released_blocks : In
        The oldest tile, of so many blocks per column, is not needed any more.
    faults : Out(2)
        Length, tkeep: see `PacketGuard`.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, config, *, surplus=False):
        self.config, self.surplus = config, surplus
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.weight_bytes))),
            "store": Out(write_signature(config.cols, config.weight_depth, config.weight_slots)),
            "bias": Out(bias_write_signature(config)),
            "ready": Out(1),
            "released": In(1), "released_blocks": In(bits_for(config.k_blocks_max)),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.reader = reader = ChunkReader(
            lanes=config.cols, stream_bytes=config.weight_bytes, k_blocks_max=config.k_blocks_max,
            surplus=self.surplus)
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, wiring.flipped(self.job_faults), reader.job_faults)
        m.d.comb += self.faults.eq(reader.faults)
        self._place_tiles(m, reader.packets)
        self._store(m, reader.o)
        return m

    def _place_tiles(self, m, packets):
        """Walk a job's tiles, and start each when there is room."""
        config = self.config
        job = Signal(job_layout(config), reset_less=True)
        busy = Signal()  # a tile is still to start
        rows_left, columns_left = (Signal.like(size, name=name, reset_less=True) for name, size in (
            ("rows_left", job.m), ("columns_left", job.n)))  # this tile's included
        m.submodules.space = space = TileSpace(depth=config.weight_depth, slots=config.weight_slots,
                                               block_bits=len(job.k_blocks))
        group_rows = Signal(range(config.rows * config.tile_slots + 1))
        ends_pass = Signal()
        ends_job = Signal()
        m.d.comb += [
            group_rows.eq(job.tiles * config.rows),
            ends_pass.eq(columns_left <= config.cols),
            ends_job.eq(ends_pass & (rows_left <= group_rows)),
            space.blocks.eq(job.k_blocks), space.take.eq(packets.valid & packets.ready),
            space.released.eq(self.released), space.released_blocks.eq(self.released_blocks),
            packets.valid.eq(busy & space.fits),
            packets.p.lanes.eq(Mux(ends_pass, columns_left, config.cols)),
            packets.p.k_blocks.eq(job.k_blocks), packets.p.has_biases.eq(job.has_bias),
            packets.p.job_last.eq(ends_job),
        ]
        with m.If(space.take):
            m.d.sync += [busy.eq(~ends_job), columns_left.eq(columns_left - config.cols)]
            with m.If(ends_pass):
                m.d.sync += [columns_left.eq(job.n), rows_left.eq(rows_left - group_rows)]
        m.d.comb += self.jobs.ready.eq(~busy)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(self.jobs.p), rows_left.eq(self.jobs.p.m),
                         columns_left.eq(self.jobs.p.n)]

    def _store(self, m, chunks):
        """Write the biases, and each K-block of all columns at once; anchors with the last."""
        config, store, chunk = self.config, self.store, chunks.p
        is_block = Signal()
        tile_ends = Signal()
        address = index_signal(config.weight_depth, "address")
        slot = index_signal(config.weight_slots, "slot")
        # Of the lanes there are: what fills their beats up is not looked at.
        has_residual = [(chunk.lanes > lane) & chunk.residual.word_select(
            lane, RESIDUAL_BLOCK_BITS).any() for lane in range(config.cols)]
        m.d.comb += [
            chunks.ready.eq(1),
            is_block.eq(chunks.valid & ~chunk.is_biases), tile_ends.eq(is_block & chunk.k_last),
            self.bias.write.eq(chunks.valid & chunk.is_biases), self.bias.slot.eq(slot),
            self.bias.values.eq(chunk.base[:len(self.bias.values)]),
            store.lanes.eq(is_block.replicate(config.cols)),
            store.residual_lanes.eq((is_block & chunk.is_mx9).replicate(config.cols)),
            store.address.eq(address),
            store.keeps_flags.eq(is_block), store.flags.is_mx9.eq(chunk.is_mx9),
            store.flags.has_residual.eq(Cat(has_residual).any()),
            store.anchor_lanes.eq(tile_ends.replicate(config.cols)), store.slot.eq(slot),
        ]
        anchors = Signal.like(store.anchors, name="anchors_so_far", reset_less=True)
        for lane in range(config.cols):
            base = chunk.base.word_select(lane, BASE_BLOCK_BITS)
            residual = chunk.residual.word_select(lane, RESIDUAL_BLOCK_BITS)
            exponent = base[:8]
            rises = Signal(name=f"rises_{lane}")
            m.d.comb += [
                store.blocks.word_select(lane, MX_BLOCK_BITS).eq(Cat(base, residual)),
                rises.eq(chunk.k_first | (exponent > anchors[lane])),
                store.anchors[lane].eq(Mux(rises, exponent, anchors[lane])),
            ]
        with m.If(is_block):
            m.d.sync += [anchors.eq(store.anchors),
                         address.eq(following(address, config.weight_depth))]
        m.d.sync += self.ready.eq(tile_ends)
        with m.If(tile_ends):
            m.d.sync += slot.eq(slot + 1)
