"""Stores the blocks of token tiles as operands of the array."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.job import is_untagged, job_layout
from hw.contract.operand_block import FLAGS
from hw.contract.tile_block import tile_block_layout
from hw.parts.ring import following, index_signal

from .operand_store import write_signature
from .tile_space import TileSpace


class TileWriter(wiring.Component):
    """Write token tiles into the operand memory, and the flags and anchors that they add up to.

    A tile starts when the memory has room for all of it; from then on it takes one block per cycle,
    and the next tile may follow at its heels. A K-block's flags are kept with its last row, a row's
    anchor with its last K-block. Rows that a tile does not have keep what the memory held. An
    untagged job's tiles come row by row, and none of their blocks has a residual.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
        Taken with the job's last block.
    i : In(stream of tile_block_layout)
    store : Out(write_signature)
        To an `OperandStore` of one lane per array row; in the cycle in which a block is taken.
    ready : Out(1)
        One more tile is complete: the cycle after its last block, when all of it may be read.
    released : In(1), released_blocks : In
        The oldest tile, of so many blocks per row, is not needed any more.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(tile_block_layout(config))),
            "store": Out(write_signature(config.rows, config.act_depth, config.tile_slots)),
            "ready": Out(1),
            "released": In(1), "released_blocks": In(bits_for(config.k_blocks_max)),
        })

    def elaborate(self, platform):
        m = Module()
        config, block = self.config, self.i.p
        m.submodules.space = space = TileSpace(depth=config.act_depth, slots=config.tile_slots,
                                               block_bits=len(self.released_blocks))
        in_tile = Signal()
        take = Signal()
        tile_ends = Signal()
        m.d.comb += [
            space.blocks.eq(self.jobs.p.k_blocks),
            space.released.eq(self.released), space.released_blocks.eq(self.released_blocks),
            self.i.ready.eq(in_tile | (self.jobs.valid & space.fits)),
            take.eq(self.i.valid & self.i.ready),
            tile_ends.eq(take & block.row_last & block.k_last),
            space.take.eq(take & ~in_tile),
            self.jobs.ready.eq(tile_ends & block.job_last),
        ]
        with m.If(take):
            m.d.sync += in_tile.eq(~tile_ends)
        m.d.sync += self.ready.eq(tile_ends)

        # K-block after K-block, tile after tile: the address goes on to the next word. But each row
        # of an untagged tile begins where the tile did.
        address, tile_at = (index_signal(config.act_depth, name) for name in ("address", "tile_at"))
        slot = index_signal(config.tile_slots, "slot")
        next_address = following(address, config.act_depth)
        untagged = is_untagged(self.jobs.p)
        with m.If(take & (block.row_last | untagged)):
            m.d.sync += address.eq(Mux(block.k_last & ~block.row_last, tile_at, next_address))
        with m.If(tile_ends):
            m.d.sync += [slot.eq(slot + 1), tile_at.eq(next_address)]
        self._store(m, take, address, slot)
        return m

    def _store(self, m, take, address, slot):
        """Write a block to its lane, with its share of the flags and of the anchor."""
        block, rounded = self.i.p, self.i.p.rounded
        rows, store = self.config.rows, self.store
        lane = Signal(rows)
        flags = Signal(FLAGS)
        residual_above = Signal()  # in a row above
        anchors = Signal(data.ArrayLayout(8, rows), reset_less=True)
        anchor = Signal(8)
        anchor_so_far = Signal(8)
        m.d.comb += [
            lane.eq(take << block.row),
            flags.is_mx9.eq(rounded.is_mx9),
            flags.has_residual.eq(residual_above | rounded.has_residual),
            # A NaN block's exponent, 255, is the largest there is.
            anchor_so_far.eq(Array(anchors)[block.row]),
            anchor.eq(Mux(~block.k_first & (anchor_so_far > rounded.block.exponent),
                          anchor_so_far, rounded.block.exponent)),
            store.address.eq(address), store.slot.eq(slot),
            store.lanes.eq(lane), store.residual_lanes.eq(lane),
            store.blocks.eq(rounded.block.as_value().replicate(rows)),
            store.keeps_flags.eq(take & block.row_last), store.flags.eq(flags),
            store.anchor_lanes.eq(Mux(block.k_last, lane, 0)),
            store.anchors.eq(anchor.replicate(rows)),
        ]
        with m.If(take):
            m.d.sync += residual_above.eq(flags.has_residual & ~block.row_last)
        for row in range(rows):
            with m.If(lane[row]):
                m.d.sync += anchors[row].eq(anchor)
