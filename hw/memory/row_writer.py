"""Results that are numbers, from the machine's packets to words of memory."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from hw.parts.bits import least, ones_below, rotated
from hw.parts.ring import index_signal
from hw.streams.packet_guard import beat_layout

from .axi4 import advance
from .work import largest_group, results_layout, row_store_layout


class RowWriter(wiring.Component):
    """Put each row of each packet to its place.

    A packet holds up to `drain_rows` rows of an output tile, and tiles come in the order of
    docs/packets.md. A row of a packet is a piece: it takes a cycle for each word of the bus in
    which it lies.

    Parameters
    ----------
    config : Config
    address_bits, data_bytes : int
        Of the bus.

    Members
    -------
    work : In(stream of results_layout)
    i : In(stream of beat_layout)
    o : Out(stream of row_store_layout)
    """

    def __init__(self, config, *, address_bits, data_bytes):
        self.config, self.data_bytes = config, data_bytes
        super().__init__({
            "work": In(stream.Signature(results_layout(
                address_bits=address_bits, has_vector=bool(config.vector_lanes)))),
            "i": In(stream.Signature(beat_layout(config.result_bytes))),
            "o": Out(stream.Signature(row_store_layout(
                rows=largest_group(config), address_bits=address_bits, data_bytes=data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        config, work = self.config, self.work.p
        piece = data.StructLayout({"address": work.address.shape(), "bytes": range(
            config.row_bytes + 1), "data": 8 * config.row_bytes, "ends": 1,
            "is_last": 1, "row": self.o.p.row.shape(),
            "next_row": self.o.p.row.shape()})
        pieces = stream.Signature(piece).create(path=("pieces",))
        self._cut(m, work, pieces)
        self._place(m, pieces)
        return m

    def _cut(self, m, work, pieces):
        """Give each row of a packet its address."""
        config = self.config
        goes = Signal()
        group, next_group, row = (Signal.like(work.address, name=name, reset_less=True)
                                  for name in ("group", "next_group", "row"))
        rows_left, columns_left = (Signal.like(work.m, name=name, reset_less=True)
                                   for name in ("rows_left", "columns_left"))
        tile_left = Signal(range(config.rows + 1), reset_less=True)
        group_left = Signal(bits_for(largest_group(config)), reset_less=True)
        of_group = work.group_rows[:len(group_left)]
        place = index_signal(config.drain_rows, "place")  # of the row in its packet
        index = Signal.like(pieces.p.row, name="index", reset_less=True)  # and in its group
        next_index = Signal.like(index)
        columns = Signal(range(config.cols + 1))
        tile_bytes = Signal(range(4 * config.cols + 1))
        is_first = Signal()  # column tile of its group
        tile_ends = Signal()
        group_ends = Signal()  # for this column tile
        tiles_end = Signal()
        all_end = Signal()
        moves = Signal()
        wide, narrow = (Array(self.i.p.data.word_select(at, width)
                              for at in range(config.drain_rows))[place]
                        for width in (8 * config.row_bytes, 4 * config.row_bytes))
        m.d.comb += [
            columns.eq(Mux(columns_left > config.cols, config.cols, columns_left)),
            tile_bytes.eq(Mux(work.is_wide, 4 * config.cols, 2 * config.cols)),
            group_ends.eq(group_left == 1), tile_ends.eq((tile_left == 1) | group_ends),
            tiles_end.eq(columns_left <= config.cols),
            all_end.eq(group_ends & tiles_end & (rows_left <= of_group)),
            pieces.valid.eq(goes & self.i.valid), moves.eq(pieces.valid & pieces.ready),
            self.i.ready.eq(moves & (tile_ends | (place == config.drain_rows - 1))),
            self.work.ready.eq(moves & all_end),
            pieces.p.address.eq(row), pieces.p.row.eq(index), pieces.p.next_row.eq(next_index),
            pieces.p.ends.eq(all_end & work.ends), next_index.eq(Mux(group_ends, 0, index + 1)),
            pieces.p.is_last.eq(all_end & work.is_last),
            pieces.p.bytes.eq(Mux(work.is_wide, columns << 2, columns << 1)),
            # Bytes beyond those of the piece are anything.
            pieces.p.data.eq(Cat(Mux(work.is_wide, wide[:len(narrow)], narrow),
                                 wide[len(narrow):])),
        ]
        next_row, next_tile = advance(row, work.stride), advance(group, tile_bytes)
        with m.If(~goes):
            m.d.sync += [
                goes.eq(self.work.valid), group.eq(work.address), row.eq(work.address),
                rows_left.eq(work.m), columns_left.eq(work.n), tile_left.eq(config.rows),
                group_left.eq(least(work.m, of_group)),
                place.eq(0), is_first.eq(1), index.eq(0)]
        with m.Elif(moves):
            m.d.sync += [row.eq(next_row), group_left.eq(group_left - 1),
                         index.eq(next_index),
                         tile_left.eq(Mux(tile_ends, config.rows, tile_left - 1)),
                         place.eq(Mux(tile_ends, 0, place + 1))]
            with m.If(place == config.drain_rows - 1):
                m.d.sync += place.eq(0)
            with m.If(group_ends):
                with m.If(is_first):
                    m.d.sync += next_group.eq(next_row)
                with m.If(tiles_end):
                    after = Mux(is_first, next_row, next_group)
                    left = rows_left - of_group
                    m.d.sync += [
                        group.eq(after), row.eq(after), is_first.eq(1), columns_left.eq(work.n),
                        rows_left.eq(left),
                        group_left.eq(least(left, of_group))]
                with m.Else():
                    m.d.sync += [
                        group.eq(next_tile), row.eq(next_tile), is_first.eq(0),
                        columns_left.eq(columns_left - config.cols),
                        group_left.eq(least(rows_left, of_group))]
            with m.If(all_end):
                m.d.sync += goes.eq(0)

    def _place(self, m, pieces):
        """Bring a piece to its bytes of one or several words."""
        size, shift = self.data_bytes, exact_log2(self.data_bytes)
        parts = max(1, self.config.row_bytes // size)  # as long as a word, of a piece
        store, piece = self.o.p, pieces.p
        # Numbers have two or four bytes, so all is counted in pairs of bytes.
        pairs, offset = size // 2, piece.address[1:shift]
        at = index_signal(parts + 1, "at")  # which of its words
        strobes = Signal(pairs * (parts + 1))
        wanted = ones_below(m, piece.bytes[1:], pairs * parts, name="wanted")
        strobes_of = Array(strobes.word_select(word, pairs) for word in range(parts + 1))
        is_final = Signal()
        m.d.comb += [
            strobes.eq(wanted << offset),
            is_final.eq(~Array([*(part.any() for part in strobes_of[1:]), 0])[at]),
            store.row.eq(piece.row), store.next_row.eq(piece.next_row),
            store.word.eq(advance(piece.address[shift:], at)),
            store.data.eq(rotated(m, self._part(m, piece.data, at, offset), offset, unit=16,
                                  name="data")),
            store.strobes.eq(Cat(pair.replicate(2) for pair in strobes_of[at])),
            store.ends.eq(piece.ends & is_final), store.is_last.eq(piece.is_last & is_final),
            self.o.valid.eq(pieces.valid), pieces.ready.eq(self.o.ready & is_final)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += at.eq(Mux(is_final, 0, at + 1))

    def _part(self, m, octets, at, offset):
        """Give what a word gets of a piece, before it is brought to its place.

        The upper end of a part, as much of it as the offset moves beyond a word, is of the word
        after it.
        """
        size = self.data_bytes
        if len(octets) <= 8 * size:  # the same in both words
            return Cat(octets, Const(0, 8 * size - len(octets)))
        own, before = Signal(8 * size, name="own"), Signal(8 * size, name="before")
        parts = [octets.word_select(part, 8 * size) for part in range(len(octets) // (8 * size))]
        over = ones_below(m, offset, size // 2, name="over")
        m.d.comb += [own.eq(Array([*parts, 0])[at]), before.eq(Array([0, *parts])[at])]
        return Cat(Mux(over[size // 2 - 1 - pair], before.word_select(pair, 16),
                       own.word_select(pair, 16)) for pair in range(size // 2))
