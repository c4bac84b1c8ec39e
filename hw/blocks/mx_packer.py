"""Packs MX blocks into packets for memory, as a later job reads them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.block_bits import BASE_BLOCK_BITS, RESIDUAL_BLOCK_BITS
from hw.contract.outlier_policy import Tag
from hw.contract.result_rows import packet_beat_layout
from hw.contract.tile_block import tile_block_layout
from hw.parts.ring import index_signal
from hw.streams.skid_buffer import SkidBuffer

from .chunk_reader import Content, chunk_layout, last_beats


class MXPacker(wiring.Component):
    """Pack blocks into the packets that `ChunkReader` reads, in units of the reader's beats.

    With tags, a packet is a whole tile. Without, it is one K-block, its bases and residuals: what
    stands between the precision bits of the packet of which it will be a part. Units are laid side
    by side, the first lowest, in beats of ``result_bytes``.

    One K-block fills up, a block per cycle, while the one before leaves, a unit per cycle, which is
    as fast as the reader takes it. So a K-block takes as many cycles as it has rows or units (one
    of precision bits included), whichever are more. Its first unit is at ``o`` three cycles after
    its last row was taken; two, if a beat is one unit.

    Parameters
    ----------
    config : Config
    lanes : int
        Most rows of a tile.
    unit_bytes : int
        Bytes per beat of the stream on which the packets will return; a power of two.
    with_tags : bool
    chooses : bool
        A packet is a whole tile, with tags, or one K-block, with or without: the blocks say it.

    Members
    -------
    i : In(stream of tile_block_layout)
        K-block by K-block, all rows of each, all of one precision.
    in_tiles : In(1), if it chooses
        Of the block at ``i``: packets are whole tiles. Else it says whether tags are due.
    tags : In(stream of Tag), with tags only
        One per K-block of each tile. They come ahead of the blocks: no block leaves before the tags
        of ``8 * unit_bytes`` K-blocks, or of all that are left in the tile.
    o : Out(stream of packet_beat_layout)
        Of the last beat, ``keep`` marks whole units; the others are zero. The job ends with the
        last K-block of its last tile.

    Raises
    ------
    ValueError
        If units do not divide a beat.
    """

    def __init__(self, config, *, lanes, unit_bytes, with_tags, chooses=False):
        if unit_bytes < 1 or config.result_bytes % unit_bytes:
            raise ValueError(f"unit_bytes must divide the {config.result_bytes} bytes of a beat, "
                             f"not {unit_bytes}")
        self.config, self.lanes, self.unit_bytes = config, lanes, unit_bytes
        self.with_tags, self.chooses = with_tags or chooses, chooses
        members = {
            "i": In(stream.Signature(tile_block_layout(config))),
            "o": Out(stream.Signature(packet_beat_layout(config))),
        }
        if self.with_tags:
            members["tags"] = In(stream.Signature(Tag))
        if chooses:
            members["in_tiles"] = In(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        unit_bits = 8 * self.unit_bytes
        chunks = stream.Signature(chunk_layout(self.lanes)).create(path=("chunks",))
        tag_units = stream.Signature(unit_bits).create(path=("tag_units",))
        m.submodules.units = units = SkidBuffer(data.StructLayout({
            "bits": unit_bits, "last": 1, "job_last": 1}))
        self._fill(m, chunks)
        if self.chooses:
            # Of the K-block that fills up, and of the one that leaves.
            self.of_tile, self.leaves_of_tile, self.tags_due = (
                Signal(name=name, reset_less=True)
                for name in ("of_tile", "leaves_of_tile", "tags_due"))
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += [self.of_tile.eq(self.in_tiles), self.tags_due.eq(self.i.p.tags_due)]
            with m.If(chunks.ready):
                m.d.sync += self.leaves_of_tile.eq(self.of_tile)
        if self.with_tags:
            self._collect_tags(m, tag_units)
        self._cut(m, chunks, tag_units, units.i)
        self._gather(m, units.o)
        return m

    def _fill(self, m, chunks):
        """Lay the rows of a K-block side by side; the rows that a tile does not have are zero."""
        filled = Signal(chunk_layout(self.lanes), name="filled", reset_less=True)
        row, block = self.i.p.row, self.i.p.rounded.block.as_value()
        m.d.comb += [self.i.ready.eq(~chunks.valid | chunks.ready), chunks.p.eq(filled)]
        with m.If(self.i.ready):
            m.d.sync += chunks.valid.eq(self.i.valid & self.i.p.row_last)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                filled.is_mx9.eq(self.i.p.rounded.is_mx9), filled.lanes.eq(row + 1),
                filled.k_first.eq(self.i.p.k_first), filled.k_last.eq(self.i.p.k_last),
                filled.job_last.eq(self.i.p.job_last),
            ]
            for lane in range(self.lanes):
                base = filled.base.word_select(lane, BASE_BLOCK_BITS)
                residual = filled.residual.word_select(lane, RESIDUAL_BLOCK_BITS)
                with m.If(row == lane):
                    m.d.sync += Cat(base, residual).eq(block)
                with m.Elif(row == 0):
                    m.d.sync += Cat(base, residual).eq(0)

    def _collect_tags(self, m, tag_units):
        """Gather the precision bits of as many K-blocks as a unit holds, or the tile has."""
        bits = Signal(8 * self.unit_bytes, name="tag_bits", reset_less=True)
        place = Signal(range(len(bits)), name="tag_place")
        m.d.comb += [self.tags.ready.eq(~tag_units.valid), tag_units.p.eq(bits)]
        with m.If(tag_units.ready):
            m.d.sync += tag_units.valid.eq(0)
        with m.If(self.tags.valid & self.tags.ready):
            m.d.sync += [
                bits.eq(Mux(place == 0, 0, bits) | self.tags.p.is_mx9 << place),
                place.eq(Mux(self.tags.p.last, 0, place + 1)),
                tag_units.valid.eq(self.tags.p.last | place.all()),
            ]

    def _cut(self, m, chunks, tag_units, units):
        """Shift a K-block out unit by unit, its precision bits first if they are due."""
        chunk = Signal(chunks.p.shape(), name="leaving", reset_less=True)
        busy = Signal()
        content = Signal(Content)
        coming = last_beats(m, chunks.p.lanes, most=self.lanes, beat_bytes=self.unit_bytes)
        last = {which: Signal.like(number, name=f"last_{which.name.lower()}", reset_less=True)
                for which, number in coming.items()}
        index = Signal.like(coming[Content.BASES], name="index")  # of the unit in its content
        bits = units.p.bits
        has_bits = Signal(init=1)
        take = Signal()
        content_ends = Signal()
        chunk_ends = Signal()
        m.d.comb += [
            units.valid.eq(busy & has_bits), take.eq(units.valid & units.ready),
            chunk_ends.eq(content_ends & (
                (content == Content.RESIDUALS) | (content == Content.BASES) & ~chunk.is_mx9)),
            units.p.last.eq(chunk_ends & self._ends_packet(chunk)),
            units.p.job_last.eq(chunk_ends & chunk.k_last & chunk.job_last),
            chunks.ready.eq(~busy | take & chunk_ends),
        ]
        with m.If(take):
            m.d.sync += index.eq(Mux(content_ends, 0, index + 1))
        with m.Switch(content):
            with m.Case(Content.TAGS):
                m.d.comb += [has_bits.eq(tag_units.valid), bits.eq(tag_units.p),
                             content_ends.eq(1), tag_units.ready.eq(take)]
                with m.If(take):
                    m.d.sync += content.eq(Content.BASES)
            with m.Case(Content.BASES):
                m.d.comb += [bits.eq(chunk.base[:len(bits)]),
                             content_ends.eq(index == last[Content.BASES])]
                with m.If(take):
                    m.d.sync += chunk.base.eq(chunk.base.shift_right(len(bits)))
                    with m.If(content_ends):
                        m.d.sync += content.eq(Content.RESIDUALS)
            with m.Case(Content.RESIDUALS):
                m.d.comb += [bits.eq(chunk.residual[:len(bits)]),
                             content_ends.eq(index == last[Content.RESIDUALS])]
                with m.If(take):
                    m.d.sync += chunk.residual.eq(chunk.residual.shift_right(len(bits)))

        tags_left = Signal(range(len(bits)))  # of those that were sent; 0: more are due
        with m.If(chunks.ready):
            m.d.sync += [busy.eq(chunks.valid), chunk.eq(chunks.p), content.eq(Content.BASES),
                         *(last[which].eq(number) for which, number in coming.items())]
            if self.with_tags:
                with m.If(self._needs_tags(chunks.p.k_first | (tags_left == 0))):
                    m.d.sync += content.eq(Content.TAGS)
        if self.with_tags:
            with m.If(chunks.valid & chunks.ready):
                m.d.sync += tags_left.eq(Mux(chunks.p.k_first, 0, tags_left) - 1)

    def _ends_packet(self, chunk):
        """Tell whether a K-block ends its packet."""
        if self.chooses:
            return chunk.k_last | ~self.leaves_of_tile
        return chunk.k_last if self.with_tags else 1

    def _needs_tags(self, are_due):
        """Tell whether precision bits come before a K-block for which they are due."""
        return Mux(self.of_tile, are_due, self.tags_due) if self.chooses else are_due

    def _gather(self, m, units):
        """Lay units side by side until a beat is full or its packet ends."""
        size, count = 8 * self.unit_bytes, self.config.result_bytes // self.unit_bytes
        if count == 1:
            m.d.comb += [
                self.o.valid.eq(units.valid), units.ready.eq(self.o.ready),
                self.o.p.data.eq(units.p.bits), self.o.p.keep.eq(-1),
                self.o.p.last.eq(units.p.last), self.o.p.job_last.eq(units.p.job_last),
            ]
            return
        beat = Signal(packet_beat_layout(self.config), name="beat", reset_less=True)
        place = index_signal(count, "place")
        take = Signal()
        beat_ends = Signal()
        m.d.comb += [
            units.ready.eq(~self.o.valid | self.o.ready), take.eq(units.valid & units.ready),
            beat_ends.eq(units.p.last | (place == count - 1)), self.o.p.eq(beat),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [self.o.valid.eq(beat_ends), place.eq(Mux(beat_ends, 0, place + 1)),
                         beat.last.eq(units.p.last), beat.job_last.eq(units.p.job_last)]
            for index in range(count):
                keep = beat.keep.word_select(index, self.unit_bytes)
                word = beat.data.word_select(index, size)
                with m.If(place == index):
                    m.d.sync += [word.eq(units.p.bits), keep.eq(-1)]
                with m.Elif(place == 0):
                    m.d.sync += [word.eq(0), keep.eq(0)]
