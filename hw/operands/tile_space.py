"""Room for tiles in an operand memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TileSpace(wiring.Component):
    """Count the free blocks per lane, and the free tile slots, of an `OperandStore`.

    Tiles take room and give it back in the same order, so counting is enough.

    Parameters
    ----------
    depth : int
        Blocks per lane.
    slots : int
        Tiles.
    block_bits : int
        Width of a number of blocks.

    Members
    -------
    blocks : In(block_bits)
        How many blocks per lane the tile that waits has.
    fits : Out(1)
        There is room for that tile.
    take : In(1)
        The tile takes its room in this cycle.
    released : In(1), released_blocks : In(block_bits)
        The oldest tile, of so many blocks, is not needed any more.
    """

    def __init__(self, *, depth, slots, block_bits):
        self.depth, self.slots = depth, slots
        super().__init__({
            "blocks": In(block_bits), "fits": Out(1), "take": In(1),
            "released": In(1), "released_blocks": In(block_bits),
        })

    def elaborate(self, platform):
        m = Module()
        free_blocks = Signal(range(self.depth + 1), init=self.depth)
        free_slots = Signal(range(self.slots + 1), init=self.slots)
        m.d.comb += self.fits.eq((free_blocks >= self.blocks) & (free_slots != 0))
        m.d.sync += [
            free_blocks.eq(free_blocks + Mux(self.released, self.released_blocks, 0)
                           - Mux(self.take, self.blocks, 0)),
            free_slots.eq(free_slots + self.released - self.take),
        ]
        return m
