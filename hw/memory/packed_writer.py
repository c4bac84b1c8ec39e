"""Results that are MX blocks, from the machine's packets to words of memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from golden.formats import BLOCK_SIZE
from hw.parts.bits import least, ones_below
from hw.parts.ring import index_signal
from hw.streams.packet_guard import beat_layout

from .axi4 import advance
from .work import SIZE_BITS, Form, largest_group, results_layout, store_layout

_BLOCKS_BITS = SIZE_BITS - exact_log2(BLOCK_SIZE) + 1
"""Of a number of blocks along N."""


class PackedWriter(wiring.Component):
    """Write packed tiles as they come, and put blocks of token tiles to their places.

    A packet of blocks is one K-block of the next job's tile (docs/packets.md); the beats of
    precision bits, which no packet has, are written here, before the block that they precede.

    A beat of packed activations per cycle, from packet to packet: a word of the bus, or a part of
    one.

    Parameters
    ----------
    config : Config
    address_bits, data_bytes : int

    Members
    -------
    work : In(stream of results_layout)
        WEIGHTS or BLOCKS.
    i : In(stream of beat_layout)
        Whole beats of `act_bytes`, also of packed weights. A packed tile is a packet.
    o : Out(stream of store_layout)
    overlong : Out(1)
        A beat was not written, since it lies beyond its tile's stride.
    """

    def __init__(self, config, *, address_bits, data_bytes):
        self.config, self.data_bytes = config, data_bytes
        super().__init__({
            "work": In(stream.Signature(results_layout(
                address_bits=address_bits, has_vector=bool(config.vector_lanes)))),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "o": Out(stream.Signature(
                store_layout(address_bits=address_bits, data_bytes=data_bytes))),
            "overlong": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config, work, store, size = self.config, self.work.p, self.o.p, self.config.act_bytes
        parts, shift = self.data_bytes // size, exact_log2(size)
        covered = 8 * size  # blocks of one beat of precision bits
        together = max(1, config.cols // BLOCK_SIZE)  # blocks of a column tile

        # Addresses in beats: where a tile begins, and where in it the next beat goes.
        tile, group = (Signal(len(work.address) - shift, name=name, reset_less=True)
                       for name in ("tile", "group"))
        inside, full, short, full_after, short_after = (
            Signal(len(work.stride) - shift, name=name, reset_less=True)
            for name in ("inside", "full", "short", "full_after", "short_after"))
        # Of tiles as they come `columns_left` counts the lines, be they columns or rows.
        rows_left, columns_left = (Signal.like(work.m, name=name, reset_less=True)
                                   for name in ("rows_left", "columns_left"))
        lines, tile_lines = self._lines()
        of_group = work.group_rows[:bits_for(largest_group(config))]
        lines_left = Signal.like(of_group, name="lines_left", reset_less=True)
        block, first_block = (Signal(range(covered), name=name, reset_less=True)
                              for name in ("block", "first_block"))  # of their precision bits
        done = index_signal(together, "done")  # blocks of this column tile
        goes, at_tags = Signal(), Signal()
        # Precision bits that come with their blocks are beats as any other.
        marks = at_tags & ~work.has_tags if config.vector_lanes else at_tags

        in_blocks, is_alone, fits, is_stored, moves, packet_ends = (
            Signal(name=name) for name in (
                "in_blocks", "is_alone", "fits", "is_stored", "moves", "packet_ends"))
        blocks_left = Signal(_BLOCKS_BITS)  # from the first one of this column tile on
        blocks_end, tiles_end, columns_end, all_end = (
            Signal(name=name) for name in ("blocks_end", "tiles_end", "columns_end", "all_end"))
        stride = Signal.like(inside)
        group_lines = Signal.like(of_group)
        place, split = Signal.like(tile), exact_log2(parts)  # of a beat, and bits in its word
        tags = Signal(covered)
        here = Signal(_BLOCKS_BITS)  # blocks from this one on
        marked = Signal(range(covered + 1))
        m.d.comb += [
            in_blocks.eq(work.form == Form.BLOCKS), stride.eq(work.stride >> shift),
            blocks_left.eq((columns_left + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE)),
            here.eq(blocks_left - done),
            blocks_end.eq((here == 1) | (done == together - 1)),
            tiles_end.eq(lines_left <= config.rows),
            columns_end.eq(Mux(in_blocks, blocks_left <= together, columns_left <= tile_lines)),
            all_end.eq(columns_end & (~in_blocks | blocks_end & tiles_end
                                      & (rows_left <= of_group))),
            group_lines.eq(least(rows_left, of_group)),
            marked.eq(Mux(work.is_mx9, least(here, covered), 0)),
            tags.eq(ones_below(m, marked, covered, name="marks")),

            # One tile alone takes what it needs.
            is_alone.eq(Mux(in_blocks, work.m <= config.rows, lines <= tile_lines)),
            fits.eq((inside < stride) | is_alone),
            # The last beat of a work goes even if nothing of it is written: it ends its command.
            is_stored.eq(fits | store.ends),
            self.o.valid.eq(goes & (marks | self.i.valid) & is_stored),
            moves.eq(goes & (marks | self.i.valid) & (self.o.ready | ~is_stored)),
            self.overlong.eq(moves & ~fits),
            self.i.ready.eq(moves & ~marks), packet_ends.eq(self.i.ready & self.i.p.last),
            self.work.ready.eq(packet_ends & all_end),
            place.eq(advance(tile, Mux(fits, inside, 0))), store.word.eq(place >> split),
            *(store.strobes.word_select(part, size).eq(
                (fits & (place[:split] == part)).replicate(size)) for part in range(parts)),
            store.data.eq(Mux(marks, tags, self.i.p.data).replicate(parts)),
            store.ends.eq(work.ends & all_end & ~marks & self.i.p.last),
        ]
        next_tile = advance(tile, stride)
        with m.If(~goes):
            group_size = least(work.m, of_group)
            m.d.sync += [
                goes.eq(self.work.valid), at_tags.eq(in_blocks), inside.eq(0),
                tile.eq(work.address >> shift), group.eq(work.address >> shift),
                full.eq(0), short.eq(0), block.eq(0), first_block.eq(0), done.eq(0),
                rows_left.eq(work.m), lines_left.eq(group_size), columns_left.eq(lines)]
        with m.Elif(moves):
            m.d.sync += [inside.eq(inside + 1), at_tags.eq(0)]
            with m.If(packet_ends & ~in_blocks):
                m.d.sync += [tile.eq(next_tile), inside.eq(0),
                             columns_left.eq(columns_left - tile_lines)]
            with m.If(packet_ends & in_blocks):
                m.d.sync += [block.eq(block + 1), done.eq(done + 1),
                             at_tags.eq(block == covered - 1)]
                with m.If(blocks_end):
                    m.d.sync += done.eq(0)
                    is_short = lines_left < config.rows
                    with m.If(is_short):
                        m.d.sync += short_after.eq(inside + 1)
                    with m.Else():
                        m.d.sync += full_after.eq(inside + 1)
                    with m.If(~tiles_end):  # the next tile, the same blocks
                        m.d.sync += [
                            tile.eq(next_tile), lines_left.eq(lines_left - config.rows),
                            inside.eq(Mux(lines_left < 2 * config.rows, short, full)),
                            block.eq(first_block), at_tags.eq(first_block == 0)]
                    with m.Elif(~columns_end):  # the first tile, the next blocks
                        next_full = Mux(is_short, full_after, inside + 1)
                        next_short = Mux(is_short, inside + 1, short_after)
                        m.d.sync += [
                            tile.eq(group), lines_left.eq(group_lines), first_block.eq(block + 1),
                            full.eq(next_full), short.eq(next_short),
                            inside.eq(Mux(group_lines < config.rows, next_short, next_full)),
                            columns_left.eq(columns_left - BLOCK_SIZE * together)]
                    with m.Else():  # the next group
                        left = rows_left - of_group
                        m.d.sync += [
                            tile.eq(next_tile), group.eq(next_tile), inside.eq(0),
                            full.eq(0), short.eq(0), block.eq(0), first_block.eq(0),
                            at_tags.eq(1), columns_left.eq(work.n), rows_left.eq(left),
                            lines_left.eq(least(left, of_group))]
            with m.If(packet_ends & all_end):
                m.d.sync += goes.eq(0)
        return m

    def _lines(self):
        """Give the lines of a work, and of one of its tiles; of blocks its columns."""
        config, work = self.config, self.work.p
        if not config.vector_lanes:
            return work.n, config.cols
        return (Mux(work.of_rows, work.m, work.n), Mux(work.of_rows, config.rows, config.cols))
