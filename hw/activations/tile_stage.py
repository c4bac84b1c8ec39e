"""Aligned blocks wait here for their tags, if they need any, and leave in their final precision."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.blocks.block_rounder import BlockRounding
from hw.contract.job import job_layout
from hw.contract.layouts import AlignedBlock, MXBlock
from hw.contract.outlier_policy import Tag
from hw.contract.tag_read import tag_read_signature
from hw.contract.tile_block import tile_block_layout
from hw.parts.bits import total_of
from hw.parts.ring import following, index_signal
from hw.parts.sram import Sram
from hw.streams.stream_buffer import StreamBuffer
from hw.streams.stream_fifo import StreamFIFO

from .tile_tags import TileTags


class TileStage(wiring.Component):
    """Keep tiles in a ring memory until they are tagged, then round them, block by block.

    Blocks are stored as they come. An aligned block holds all that either precision needs, in a
    third of the bits of FP32. A tile is read once its tags are there, with a stride where its
    blocks came row by row, so that it leaves K-block by K-block. An untagged tile is read as its
    blocks come. Each gives back its room when all of it has been read; later tiles are stored
    meanwhile as far as there is room.

    One block per cycle in and out, and from tile to tile if the next one's tags are there. The
    first block is at ``o`` `latency` cycles after its tag was taken, or `untagged_latency` after it
    was itself. ``o`` may stall; tags go on to ``tags_o`` even so, those of a whole tile at least.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        GEMM and VECTOR_PACKED, whose tiles have R of the m rows; CONVERT and CONVERT_TRANSPOSED: C
        of the n rows.
    i : In(stream of AlignedBlock)
        A tile row by row; in CONVERT_TRANSPOSED, K-block by K-block.
    tags : In(stream of Tag)
        One per K-block of a tile, in order; the first after the tile's last block was taken. None
        of `hw.contract.job.is_untagged` jobs.
    static_tags : Out(tag_read_signature)
        To the table that STATIC policies name.
    o : Out(stream of tile_block_layout)
    tags_o, pass_tags : Out(stream of Tag)
        Tags of CONVERT jobs, and of passes if there is a vector unit, as they were settled, each
        ahead of its K-block.
    """

    latency = 3 + StreamFIFO.latency
    """Tag settled, 1 cycle; queued; block read, 1; rounded, 1."""

    untagged_latency = 3
    """Block stored, 1 cycle; read, 1; rounded, 1."""

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(AlignedBlock)),
            "tags": In(stream.Signature(Tag)),
            "static_tags": Out(tag_read_signature(config)),
            "o": Out(stream.Signature(tile_block_layout(config))),
            "tags_o": Out(stream.Signature(Tag)),
            **({"pass_tags": Out(stream.Signature(Tag))} if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.settle = settle = TileTags(config)
        m.submodules.tags = tags = StreamFIFO(Tag, depth=config.k_blocks_max)
        m.submodules.blocks = blocks = Sram(width=AlignedBlock.as_shape().size,
                                            depth=config.stage_depth)
        m.submodules.rounding = rounding = BlockRounding(rounding=config.rounding)
        place_layout = data.StructLayout({
            name: shape for name, shape in tile_block_layout(config).members.items()
            if name != "rounded"})
        m.submodules.leaves = leaves = StreamBuffer(data.StructLayout({
            "place": place_layout, "block": MXBlock, "is_mx9": 1, "has_nan": 1,
            "is_saturated": rounding.is_saturated.shape()}))
        wiring.connect(m, wiring.flipped(self.jobs), settle.jobs)
        wiring.connect(m, wiring.flipped(self.tags), settle.i)
        wiring.connect(m, settle.static_tags, wiring.flipped(self.static_tags))
        wiring.connect(m, settle.converted, wiring.flipped(self.tags_o))
        if config.vector_lanes:
            wiring.connect(m, settle.passed, wiring.flipped(self.pass_tags))
        wiring.connect(m, settle.o, tags.i)

        # Cycle 0: a block is read. Cycle 1: it is there. Cycle 2: it is rounded, and counted up.
        # Whatever stalls `o` ends at the register in between.
        place = Signal(place_layout)
        fetched_place = Signal(place_layout, reset_less=True)
        is_fetched = Signal()
        is_mx9 = Signal(reset_less=True)
        moves = Signal()
        m.d.comb += [
            moves.eq(~is_fetched | leaves.i.ready),
            rounding.i.block.eq(blocks.read_data), rounding.i.is_mx9.eq(is_mx9),
            leaves.i.valid.eq(is_fetched), leaves.i.p.place.eq(fetched_place),
            *(leaves.i.p[name].eq(rounding.o[name]) for name in ("block", "is_mx9", "has_nan")),
            leaves.i.p.is_saturated.eq(rounding.is_saturated),
            self.o.valid.eq(leaves.o.valid), leaves.o.ready.eq(self.o.ready),
            *(self.o.p[name].eq(leaves.o.p.place[name]) for name in place_layout.members),
            *(self.o.p.rounded[name].eq(leaves.o.p[name])
              for name in ("block", "is_mx9", "has_nan")),
            self.o.p.rounded.saturated.eq(total_of(leaves.o.p.is_saturated)),
            self.o.p.rounded.has_residual.eq(leaves.o.p.block.residual.as_value().any()),
        ]
        released = self._read(m, settle.tiles, tags.o, blocks, moves, place)
        self._write(m, blocks, released)
        with m.If(moves):
            m.d.sync += is_fetched.eq(blocks.read_en)
        with m.If(blocks.read_en):
            m.d.sync += [fetched_place.eq(place),
                         is_mx9.eq(tags.o.p.is_mx9 & ~settle.tiles.p.untagged)]
        return m

    def _write(self, m, blocks, released):
        """Store blocks one after the other, while there is room."""
        depth = self.config.stage_depth
        write_at = index_signal(depth, "write_at")
        free = Signal(range(depth + 1), init=depth)
        m.d.comb += [
            self.i.ready.eq(free != 0),
            blocks.write_en.eq(self.i.valid & self.i.ready),
            blocks.write_addr.eq(write_at), blocks.write_data.eq(self.i.p),
        ]
        with m.If(blocks.write_en):
            m.d.sync += write_at.eq(following(write_at, depth))
        m.d.sync += free.eq(free - blocks.write_en + released)

    def _read(self, m, tiles, tags, blocks, moves, place):
        """Walk each tile; return how many blocks are not needed any more.

        K-block by K-block, or row by row where nobody waits for tags.
        """
        depth = self.config.stage_depth
        tile = tiles.p
        row = Signal.like(place.row)
        k_block = index_signal(self.config.k_blocks_max, "k_block")
        waiting = Signal(range(depth + 1))  # blocks that are stored and not read
        can_read = Signal()
        k_ends = Signal()
        tile_ends = Signal()
        address, k_block_at = (index_signal(depth, name) for name in ("address", "k_block_at"))
        m.d.comb += [
            can_read.eq(Mux(tile.untagged, waiting != 0, tags.valid)),
            blocks.read_en.eq(tiles.valid & can_read & moves),
            blocks.read_addr.eq(address),
            place.row.eq(row), place.row_last.eq(row == tile.rows - 1),
            place.k_first.eq(k_block == 0), place.k_last.eq(k_block == tile.k_blocks - 1),
            place.job_last.eq(tile.job_last),
            k_ends.eq(blocks.read_en & place.row_last), tile_ends.eq(k_ends & place.k_last),
            tags.ready.eq(k_ends & ~tile.untagged), tiles.ready.eq(tile_ends),
        ]
        m.d.sync += waiting.eq(waiting + blocks.write_en - blocks.read_en)

        # The next block is the following one, but in a tagged tile that came row by row it is
        # `k_blocks` away in the same K-block, and the next K-block begins where this one began,
        # plus one.
        origin = Signal.like(address)
        step = Signal.like(tile.k_blocks)
        beyond = Signal(range(2 * depth))
        next_address = Signal.like(address)
        strides = ~(tile.by_k_block | tile.untagged)
        returns = place.row_last & strides & ~place.k_last
        m.d.comb += [
            origin.eq(Mux(returns, k_block_at, address)),
            step.eq(Mux(place.row_last | ~strides, 1, tile.k_blocks)),
            beyond.eq(origin + step),
            next_address.eq(Mux(beyond >= depth, beyond - depth, beyond)),
        ]
        count = Signal(range(depth + 1))  # of the tile's blocks, with this one
        so_far = Signal.like(count)
        m.d.comb += count.eq(so_far + 1)
        with m.If(blocks.read_en):
            m.d.sync += [address.eq(next_address), so_far.eq(Mux(tile_ends, 0, count))]
            with m.If(~tile.untagged | place.k_last):
                m.d.sync += row.eq(Mux(place.row_last, 0, row + 1))
            with m.If(tile.untagged | place.row_last):
                m.d.sync += k_block.eq(Mux(place.k_last, 0, k_block + 1))
        with m.If(k_ends):
            m.d.sync += k_block_at.eq(next_address)
        return Mux(tile_ends, count, 0)
