"""Writes the elements of arriving blocks to sixteen banks, each to the place it must go to."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE
from hw.contract.tile_block import block_job_layout, raw_block_layout
from hw.parts.bits import any_of
from hw.parts.ring import address_bits

from .calibration_tables import order_read_signature

BANK_BITS = (BLOCK_SIZE - 1).bit_length()
"""A place is a bank (low bits) and a word in it."""


def element_width(config):
    """Give the bits of the widest activation that the machine reads."""
    return 8 * config.element_bytes[1]


def scatter_lanes(config):
    """Give the elements that are written at once: as many as a beat brings, at most a block."""
    return min(BLOCK_SIZE, config.act_bytes // config.element_bytes[0])


def spread_cycles(config, elements):
    """Count the cycles of each block of so many elements that go to different banks."""
    lanes = scatter_lanes(config)
    return tuple(-(-min(BLOCK_SIZE, elements - first) // lanes)
                 for first in range(0, elements, BLOCK_SIZE))


def segment_words(config):
    """Give the words per bank that hold a segment: a row, or sixteen tokens of a column tile."""
    return max(config.k_blocks_max, BLOCK_SIZE * -(-config.cols // BLOCK_SIZE))


def segment_layout(config):
    """Describe what is written as a whole before it is read: a row, or a slab of sixteen tokens.

    Members
    -------
    last : unsigned
        Number of its last outgoing block: its K-blocks, or its channels, less one.
    count : unsigned
        A row's elements in its last block; a slab's tokens.
    index : unsigned
        The row in its tile; the slab in its tile.
    tile_last : unsigned(1)
        The last of its tile.
    job : struct
    """
    block = raw_block_layout(config).members
    width = max(len(Signal(block[name])) for name in ("row", "k_block"))
    return data.StructLayout({
        "last": address_bits(segment_words(config)), "count": block["count"], "index": width,
        "tile_last": 1, "job": block_job_layout(config),
    })


def bank_write_signature(config):
    """Describe one write to each of the banks, seen from who writes.

    Members
    -------
    en : Out(16)
    words : Out(16 x unsigned)
        Word within the segment.
    elements : Out(16 x unsigned)
    """
    return wiring.Signature({
        "en": Out(BLOCK_SIZE),
        "words": Out(data.ArrayLayout(address_bits(segment_words(config)), BLOCK_SIZE)),
        "elements": Out(data.ArrayLayout(element_width(config), BLOCK_SIZE)),
    })


class Scatter(wiring.Component):
    """Send each element of a block to its bank, several to the same bank one after another.

    A channel that the order table sends to place p goes to bank p % 16, word p // 16. Transposed,
    channel c of token t goes to bank (t + c) % 16, word 16 * (c // 16) + t, so that sixteen
    channels of a token lie in different banks, and sixteen tokens of a channel as well.

    Elements are written `scatter_lanes` at a time, which takes as many cycles as the fullest bank
    gets of these; one, if all banks differ. A block is written from the cycle after it was taken.
    A destination beyond the banks' words is dropped. Elements beyond a block's count are not
    written. The places of the next block are looked up while one is taken; only the first of a job
    with another table waits a cycle for them.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of raw_block_layout)
        Blocks of jobs that are reordered or transposed; all of a segment, then the next.
    order : Out(order_read_signature)
    order_changes : In(tables)
        Each table's bit: it is being written, so that what was looked up may be out of date.
    write : Out(bank_write_signature)
    can_write : In(1)
        The banks have room for the segment; nothing is written otherwise.
    segment : Out(segment_layout)
    done : Out(1)
        With this cycle's writes, ``segment`` is whole.
    is_busy : Out(1)
        A block is under way.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(raw_block_layout(config))),
            "order": Out(order_read_signature(config)), "order_changes": In(config.tables),
            "write": Out(bank_write_signature(config)),
            "can_write": In(1),
            "segment": Out(segment_layout(config)), "done": Out(1),
            "is_busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        lanes = scatter_lanes(self.config)
        numbered = data.StructLayout({
            "block": raw_block_layout(self.config),
            "number": address_bits(segment_words(self.config)),
        })

        # Blocks are counted here, since k_block need not be wide enough for the columns of a tile.
        number = Signal(numbered["number"].shape)
        moves = Signal()
        taken = Signal()
        self._look_up(m, number, moves, taken)

        # Cycle 0: take a block when the one before is written.
        held = Signal(numbered, reset_less=True)
        is_held = Signal()
        places = Signal(data.ArrayLayout(BANK_BITS + len(number), BLOCK_SIZE), reset_less=True)
        pending = Signal(BLOCK_SIZE)  # elements to write
        written = Signal(BLOCK_SIZE)  # this cycle
        next_places = Signal.like(places)
        next_pending = Signal.like(pending)
        block_done = Signal()
        is_last_turn = Signal()
        lanes_end = Signal()
        m.d.comb += [
            block_done.eq(self.can_write & is_last_turn),
            moves.eq(~is_held | block_done),
            self.is_busy.eq(is_held),
            next_places.eq(places), next_pending.eq(pending),
        ]
        with m.If(self.can_write):
            m.d.comb += next_pending.eq(pending & ~written)
            if lanes < BLOCK_SIZE:
                with m.If(lanes_end):  # the next elements move up
                    m.d.comb += [next_pending.eq(pending[lanes:]),
                                 next_places.eq(_from_lane(lanes, places))]
                    m.d.sync += held.block.elements.eq(_from_lane(lanes, held.block.elements))
        with m.If(moves):
            m.d.sync += is_held.eq(taken)
            token = self.i.p.row[:BANK_BITS]
            m.d.comb += next_pending.eq(Cat(self.i.p.count > lane for lane in range(BLOCK_SIZE)))
            for lane, place in enumerate(next_places):
                m.d.comb += place.eq(Mux(
                    self.i.p.job.transposed, Cat((token + lane)[:BANK_BITS], token, number),
                    self.order.destinations[lane]))
        with m.If(taken):
            m.d.sync += [held.block.eq(self.i.p), held.number.eq(number)]
        # The last turn is known a turn ahead, so that no ready waits for the banks' choices.
        next_rivals = self._rivals(m, next_places, lanes)
        next_lanes_end = Signal()
        rivals = Signal.like(next_rivals, name="rivals", reset_less=True)
        m.d.comb += next_lanes_end.eq(
            ~any_of((next_rivals[lane] & next_pending).any() & next_pending[lane]
                    for lane in range(lanes)))
        m.d.sync += [
            places.eq(next_places), pending.eq(next_pending), rivals.eq(next_rivals),
            lanes_end.eq(next_lanes_end),
            is_last_turn.eq(next_lanes_end & ~next_pending[lanes:].any()),
        ]

        # Cycle 1: each bank takes the first pending element that wants it.
        m.d.comb += [written[lane].eq(is_held & pending[lane] & ~(rivals[lane] & pending).any())
                     for lane in range(lanes)]
        self._write(m, held.block, places, written, lanes)
        slab = Signal.like(held.block.k_block)
        m.d.comb += self.done.eq(is_held & block_done & self._describe_segment(m, held, slab))
        with m.If(self.done):
            m.d.sync += slab.eq(Mux(held.block.tile_last_row, 0, slab + 1))
        return m

    def _look_up(self, m, number, moves, taken):
        """Before cycle 0: look up where the channels go of the block with this number.

        It is the next one of the row that comes or goes on. Take it once that is known.
        """
        next_number = Signal.like(number, name="next_number")
        is_looked_up = Signal()
        table = Signal.like(self.order.table, reset_less=True)
        needs_order = Signal()
        is_known = Signal()
        m.d.comb += [
            needs_order.eq(~self.i.p.job.transposed),
            is_known.eq(~needs_order | (is_looked_up & (table == self.i.p.job.table))),
            self.i.ready.eq(is_known & moves), taken.eq(self.i.valid & self.i.ready),
            next_number.eq(Mux(self.i.p.row_last, 0, number + 1)),
            self.order.en.eq(self.i.valid & needs_order & (taken | ~is_known)),
            self.order.table.eq(self.i.p.job.table),
            self.order.k_block.eq(Mux(taken, next_number, number)),
        ]
        with m.If(taken):
            m.d.sync += [number.eq(next_number), is_looked_up.eq(0)]
        next_table = Signal.like(table)
        m.d.comb += next_table.eq(Mux(self.order.en, self.order.table, table))
        m.d.sync += table.eq(next_table)
        with m.If(self.order.en):
            m.d.sync += is_looked_up.eq(1)
        with m.If((self.order_changes >> next_table)[0]):
            m.d.sync += is_looked_up.eq(0)

    @staticmethod
    def _rivals(m, places, lanes):
        """Tell for each lane which of the lanes below it want the same bank."""
        rivals = Signal(data.ArrayLayout(lanes, lanes), name="next_rivals")
        m.d.comb += [rivals[lane].eq(Cat(places[lane][:BANK_BITS] == places[other][:BANK_BITS]
                                         for other in range(lane)))
                     for lane in range(lanes)]
        return rivals

    def _write(self, m, block, places, written, lanes):
        """Give each bank the element that is written to it."""
        words, width = segment_words(self.config), element_width(self.config)
        for bank in range(BLOCK_SIZE):
            grant = Signal(BLOCK_SIZE, name=f"grant_{bank}")
            word = self.write.words[bank]
            m.d.comb += [
                grant.eq(written & Cat(place[:BANK_BITS] == bank for place in places)),
                Cat(word, self.write.elements[bank]).eq(_union([
                    Mux(grant[lane], Cat(places[lane][BANK_BITS:], block.elements[lane][:width]), 0)
                    for lane in range(lanes)])),
                self.write.en[bank].eq(
                    self.can_write & grant.any()
                    & (word < words if words < 1 << len(word) else 1)),
            ]

    def _describe_segment(self, m, held, slab):
        """Drive ``segment`` as it is if this block ends it, and tell whether it does."""
        block, segment = held.block, self.segment
        row_ends_slab = block.row[:BANK_BITS].all() | block.tile_last_row
        m.d.comb += [segment.job.eq(block.job), segment.tile_last.eq(block.tile_last_row)]
        with m.If(block.job.transposed):
            m.d.comb += [
                segment.last.eq(Cat((block.count - 1)[:BANK_BITS], held.number)),
                segment.count.eq(block.row[:BANK_BITS] + 1),
                segment.index.eq(slab),
            ]
        with m.Else():
            m.d.comb += [
                segment.last.eq(held.number), segment.count.eq(block.count),
                segment.index.eq(block.row),
            ]
        return block.row_last & (~block.job.transposed | row_ends_slab)


def _from_lane(lane, array):
    """Give the upper part of an array of one member per lane."""
    bits = array.as_value()
    return bits[len(bits) * lane // BLOCK_SIZE:]


def _union(values):
    """Or several equally wide values together, as a tree of depth log2(length)."""
    values = list(values)
    while len(values) > 1:
        values = [left | right for left, right in zip(values[::2], values[1::2], strict=True)]
    return values[0]
