"""Unpacks activations that arrive as MX blocks."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.chunk_reader import ChunkReader, chunk_layout
from hw.contract.block_bits import BASE_BLOCK_BITS, NAN_EXPONENT, RESIDUAL_BLOCK_BITS
from hw.contract.job import job_layout, report_signature
from hw.contract.layouts import MXBlock
from hw.contract.tile_block import tile_block_layout
from hw.parts.ring import index_signal
from hw.streams.packet_guard import beat_layout


class PackedUnpacker(wiring.Component):
    """Cut packets of packed activations into the blocks of token tiles.

    A packet is one token tile, in the format of `ChunkReader`, a lane per row: R rows, those that
    are left in a job's last. Its rows leave one block per cycle while the next K-block is gathered:
    so a K-block takes as many cycles as it has beats or rows, whichever are more, also from packet
    to packet and from job to job. Its first row leaves two cycles after its last beat.

    Parameters
    ----------
    config : Config
    surplus : bool
        As in `ChunkReader`.

    Members
    -------
    jobs : In(stream of job_layout)
        Jobs of the kind GEMM_PACKED alone.
    i : In(stream of beat_layout)
    o : Out(stream of tile_block_layout)
        K-block by K-block, all rows of each. Nothing counts as saturated here.
    faults : Out(2)
        Length, tkeep: see `PacketGuard`.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, config, *, surplus=False):
        self.config, self.surplus = config, surplus
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "o": Out(stream.Signature(tile_block_layout(config))),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.reader = reader = ChunkReader(
            lanes=config.rows, stream_bytes=config.act_bytes, k_blocks_max=config.k_blocks_max,
            surplus=self.surplus)
        wiring.connect(m, wiring.flipped(self.i), reader.i)
        wiring.connect(m, wiring.flipped(self.job_faults), reader.job_faults)
        m.d.comb += self.faults.eq(reader.faults)
        self._walk_tiles(m, reader.packets)
        self._send_rows(m, reader.o)
        return m

    def _walk_tiles(self, m, packets):
        """Announce the packet of each of a job's token tiles."""
        config = self.config
        job = Signal(job_layout(config), reset_less=True)
        busy = Signal()  # a tile is still to start
        rows_left = Signal.like(job.m, reset_less=True)  # this tile's included
        ends_job = Signal()
        m.d.comb += [
            ends_job.eq(rows_left <= config.rows),
            packets.valid.eq(busy), packets.p.lanes.eq(Mux(ends_job, rows_left, config.rows)),
            packets.p.k_blocks.eq(job.k_blocks), packets.p.job_last.eq(ends_job),
            self.jobs.ready.eq(~busy),
        ]
        with m.If(packets.valid & packets.ready):
            m.d.sync += [busy.eq(~ends_job), rows_left.eq(rows_left - config.rows)]
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [busy.eq(1), job.eq(self.jobs.p), rows_left.eq(self.jobs.p.m)]

    def _send_rows(self, m, chunks):
        """Copy a K-block when the one before has left, and shift its rows out."""
        sent = Signal(chunk_layout(self.config.rows), reset_less=True)
        row = index_signal(self.config.rows, "row")
        row_last = Signal()
        block = Signal(MXBlock)
        out = self.o.p
        m.d.comb += [
            row_last.eq(row == sent.lanes - 1),
            chunks.ready.eq(~self.o.valid | self.o.ready & row_last),
            block.as_value().eq(Cat(sent.base[:BASE_BLOCK_BITS],
                                    sent.residual[:RESIDUAL_BLOCK_BITS])),
            out.rounded.block.eq(block), out.rounded.is_mx9.eq(sent.is_mx9),
            out.rounded.has_residual.eq(block.residual.as_value().any()),
            out.rounded.has_nan.eq(block.exponent == NAN_EXPONENT),
            out.row.eq(row), out.row_last.eq(row_last), out.k_first.eq(sent.k_first),
            out.k_last.eq(sent.k_last), out.job_last.eq(sent.job_last),
        ]
        with m.If(self.o.ready):
            m.d.sync += [row.eq(row + 1), sent.base.eq(sent.base.shift_right(BASE_BLOCK_BITS)),
                         sent.residual.eq(sent.residual.shift_right(RESIDUAL_BLOCK_BITS))]
        with m.If(chunks.ready):
            m.d.sync += [self.o.valid.eq(chunks.valid), sent.eq(chunks.p), row.eq(0)]
