"""Largest magnitude of each K-block over the rows of a tile."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.outlier_policy import MAGNITUDE_BITS, magnitude_layout, policy_layout
from hw.parts.sram import Sram


class TileMaxima(wiring.Component):
    """Keep the running maximum of each K-block of one tile, whose blocks come in either order.

    Takes a magnitude each cycle, also of the same K-block again. A maximum is written the cycle
    after its magnitude was taken, and ``is_full`` follows a cycle later.

    Parameters
    ----------
    k_blocks_max : int
        Most K-blocks of a tile.

    Members
    -------
    i : In(stream of magnitude_layout(k_blocks_max))
        Ready until the tile is whole, and again after ``release``.
    policy : In(struct)
    is_full : Out(1)
        The tile is whole and ``read_*`` may be used.
    blocks : Out
        How many K-blocks it has.
    held_policy : Out(struct)
        What ``policy`` was at its first magnitude.
    release : In(1)
        The tile is not needed any longer.
    read_en, read_addr : In
    read_data : Out(31)
        What was read, one cycle later; it stays until the next read.
    """

    def __init__(self, *, k_blocks_max: int):
        self.k_blocks_max = k_blocks_max
        policy = policy_layout(k_blocks_max)
        super().__init__({
            "i": In(stream.Signature(magnitude_layout(k_blocks_max))),
            "policy": In(policy),
            "is_full": Out(1), "blocks": Out(range(k_blocks_max + 1)), "held_policy": Out(policy),
            "release": In(1),
            "read_en": In(1), "read_addr": In(range(max(2, k_blocks_max))),
            "read_data": Out(MAGNITUDE_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.largest = largest = Sram(width=MAGNITUDE_BITS, depth=self.k_blocks_max)
        m.d.comb += self.read_data.eq(largest.read_data)

        # Cycle 0: take a magnitude, read the K-block's maximum so far.
        taken = Signal()
        is_whole = Signal()
        entry = self.i.payload
        m.d.comb += [
            self.i.ready.eq(~is_whole),
            taken.eq(self.i.valid & self.i.ready),
            largest.read_en.eq(taken | self.read_en),
            largest.read_addr.eq(Mux(is_whole, self.read_addr, entry.k_block)),
        ]
        policy = Signal.like(self.policy, name="taken_policy", reset_less=True)
        blocks = Signal.like(self.blocks, name="taken_blocks", reset_less=True)
        m.d.comb += [self.held_policy.eq(policy), self.blocks.eq(blocks)]
        with m.If(taken):
            with m.If(entry.row_first & (entry.k_block == 0)):
                m.d.sync += policy.eq(self.policy)
            with m.If(entry.tile_last):
                m.d.sync += [is_whole.eq(1), blocks.eq(entry.k_block + 1)]
        with m.If(self.release):
            m.d.sync += is_whole.eq(0)

        # Cycle 1: write the larger of both. Where a K-block comes twice in a row, its maximum was
        # being written while it was read, so that one is kept aside.
        is_writing = Signal()
        stored = Signal(data.StructLayout({
            "magnitude": MAGNITUDE_BITS, "row_first": 1, "k_block": entry.k_block.shape(),
        }), reset_less=True)
        just_written = Signal(MAGNITUDE_BITS, reset_less=True)
        is_repeated = Signal()
        so_far = Signal(MAGNITUDE_BITS)
        maximum = Signal(MAGNITUDE_BITS)
        m.d.sync += [
            is_writing.eq(taken),
            stored.magnitude.eq(entry.magnitude),
            stored.row_first.eq(entry.row_first),
            stored.k_block.eq(entry.k_block),
            is_repeated.eq(is_writing & (stored.k_block == entry.k_block)),
            just_written.eq(maximum),
            # The reader starts a cycle after the last magnitude is written.
            self.is_full.eq(is_whole & ~self.release),
        ]
        m.d.comb += [
            so_far.eq(Mux(is_repeated, just_written, largest.read_data)),
            maximum.eq(Mux(stored.row_first | (stored.magnitude > so_far),
                           stored.magnitude, so_far)),
            largest.write_en.eq(is_writing),
            largest.write_addr.eq(stored.k_block),
            largest.write_data.eq(maximum),
        ]
        return m
