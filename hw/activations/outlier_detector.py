"""Precision tags of a tile: which of its K-blocks hold outliers."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.outlier_policy import MAGNITUDE_BITS, Tag, magnitude_layout, policy_layout

from .radix_select import RadixSelect
from .tile_maxima import TileMaxima


def detection_cycles(blocks, *, search, radix_bits=4):
    """Count the cycles from a tile's last magnitude to its last tag.

    Parameters
    ----------
    blocks : int
        K-blocks of the tile.
    search : bool
        Selection is TOP with 1 to ``blocks`` - 1 units. No units and all units need no search.
    radix_bits : int
        As in `OutlierDetector`.

    Returns
    -------
    int
        The last magnitude is taken in cycle 0 and the last tag handed over in this cycle, if no
        earlier tile is in the way and ``o`` does not stall; the other tags leave in the cycles
        just before.
    """
    passes = -(-MAGNITUDE_BITS // radix_bits) if search else 0
    return 3 + passes * (blocks + 2) + blocks


class OutlierDetector(wiring.Component):
    """Reduce a tile to one magnitude per K-block, then tag the outliers among them.

    While one tile is searched and its tags leave, the next one is loaded into the other of two
    memories. ``i`` takes a magnitude each cycle, and stalls only while both hold unfinished tiles.
    Cycles from the last magnitude to the last tag: `detection_cycles`.
    TOP and THRESHOLD are told apart in `hw.activations.radix_select`.

    Parameters
    ----------
    k_blocks_max : int
        Most K-blocks of a tile.
    radix_bits : int
        Bits per digit, 1 to 8: more makes fewer passes and 2^radix_bits - 1 counters.

    Members
    -------
    i : In(stream of magnitude_layout(k_blocks_max))
        A tile row by row, each row in K-block order; or K-block by K-block, each in row order. Any
        31-bit pattern, NaN's rank highest.
    policy : In(policy_layout(k_blocks_max))
        Taken with the first magnitude of a tile. TOP or THRESHOLD.
    o : Out(stream of Tag)
        One tag per K-block of the tile, in index order.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, k_blocks_max: int, radix_bits: int = 4):
        if k_blocks_max < 1:
            raise ValueError(f"a tile must be able to hold a K-block, not {k_blocks_max}")
        if not 1 <= radix_bits <= 8:
            raise ValueError(f"a digit has 1 to 8 bits, not {radix_bits}")
        self.k_blocks_max = k_blocks_max
        self.radix_bits = radix_bits
        super().__init__({
            "i": In(stream.Signature(magnitude_layout(k_blocks_max))),
            "policy": In(policy_layout(k_blocks_max)),
            "o": Out(stream.Signature(Tag)),
        })

    def elaborate(self, platform):
        m = Module()
        halves = [TileMaxima(k_blocks_max=self.k_blocks_max) for _ in range(2)]
        m.submodules.half_0, m.submodules.half_1 = halves
        m.submodules.search = search = RadixSelect(
            k_blocks_max=self.k_blocks_max, radix_bits=self.radix_bits
        )
        wiring.connect(m, search.o, wiring.flipped(self.o))

        # Both sides take the halves in turn, starting with half 0.
        loads = Signal()
        searches = Signal()
        with m.If(self.i.valid & self.i.ready & self.i.p.tile_last):
            m.d.sync += loads.eq(~loads)
        with m.If(search.done):
            m.d.sync += searches.eq(~searches)
        for index, half in enumerate(halves):
            m.d.comb += [
                half.policy.eq(self.policy),
                half.i.payload.eq(self.i.payload),
                half.i.valid.eq(self.i.valid & (loads == index)),
                half.read_en.eq(search.read_en & (searches == index)),
                half.read_addr.eq(search.read_addr),
                half.release.eq(search.done & (searches == index)),
            ]
        m.d.comb += [
            self.i.ready.eq(Mux(loads, halves[1].i.ready, halves[0].i.ready)),
            search.start.eq(Mux(searches, halves[1].is_full, halves[0].is_full)),
            search.blocks.eq(Mux(searches, halves[1].blocks, halves[0].blocks)),
            search.policy.eq(Mux(searches, halves[1].held_policy, halves[0].held_policy)),
            search.read_data.eq(Mux(searches, halves[1].read_data, halves[0].read_data)),
        ]
        return m
