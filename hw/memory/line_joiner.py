"""Joins the pieces of a row into lines of memory."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.parts.ring import index_signal
from hw.parts.sram import Sram
from hw.streams.memory_fifo import MemoryFIFO

from .work import row_store_layout, store_layout

LINE_BYTES = 64
"""What a memory likes to be written at least."""


def leaving_lines(rows):
    """Choose how many lines wait: all rows of a group leave theirs one after the other.

    Large groups are half of the largest as a rule, and half of their lines leave meanwhile.
    """
    return min(rows, max(32, rows // 4))


class LineJoiner(wiring.Component):
    """Keep a line for each row until the row has left it, and let it go as a whole.

    Rows of results come a few columns at a time, all rows before the next columns. So there is a
    line for each row of a group; the next word of its row that lies in another line, be it of the
    next group, drives it out. The last word of a command's rows drives all lines out.

    A word per cycle, since the line of the row that comes next is read meanwhile; one more for a
    word whose row was not expected: the first, and each that follows one of its own row.

    Parameters
    ----------
    rows : int
        Of the largest group.
    line_words : int
        Words of a line, a power of two from 2 on.
    address_bits, data_bytes : int

    Members
    -------
    i : In(stream of row_store_layout)
    o : Out(stream of store_layout)
    is_empty : Out(1)
        Nothing is inside.
    """

    def __init__(self, *, rows, line_words, address_bits, data_bytes):
        self.rows, self.line_words, self.data_bytes = rows, line_words, data_bytes
        sizes = {"address_bits": address_bits, "data_bytes": data_bytes}
        super().__init__({
            "i": In(stream.Signature(row_store_layout(rows=rows, **sizes))),
            "o": Out(stream.Signature(store_layout(**sizes))), "is_empty": Out(1)})
        place_bits = len(self.i.p.word) - exact_log2(line_words)
        self.mark = data.StructLayout({
            "place": place_bits, "strobes": data.ArrayLayout(data_bytes, line_words)})
        self.line = data.StructLayout({
            "data": data.ArrayLayout(8 * data_bytes, line_words), "mark": self.mark})

    def elaborate(self, platform):
        m = Module()
        word = self.i.p
        was_read = Signal()
        row_read = Signal.like(word.row, reset_less=True)  # whose line is `old` then
        kept = Signal(range(self.rows + 1))  # rows, from the first on, that have a line
        old, new = Signal(self.mark), Signal(self.mark)
        is_shown, is_kept, fits, moves, flushes = (
            Signal(name=name) for name in ("is_shown", "is_kept", "fits", "moves", "flushes"))
        ends = Signal(reset_less=True)  # with what flushes
        reads, read_row = Signal(), Signal.like(word.row)
        # Bytes are written where they are; which of them a line has stands beside its place.
        octets = self.line_words * self.data_bytes
        m.submodules.lines = lines = Sram(width=8 * octets, depth=self.rows, granules=octets)
        m.submodules.marks = marks = Sram(width=self.mark.size, depth=self.rows)
        m.submodules.leaving = leaving = MemoryFIFO(
            data.StructLayout({"line": self.line, "ends": 1}), depth=leaving_lines(self.rows))
        at = index_signal(self.rows, "at")  # row that is driven out
        is_read = Signal()  # its line has been
        inside = Signal(range(leaving.capacity + 1))  # lines that wait
        m.d.sync += inside.eq(inside + (leaving.i.valid & leaving.i.ready)
                              - (leaving.o.valid & leaving.o.ready))

        split = exact_log2(self.line_words)
        m.d.comb += [
            old.as_value().eq(marks.read_data),
            is_shown.eq(self.i.valid & was_read & (row_read == word.row) & ~flushes),
            is_kept.eq(word.row < kept),
            fits.eq(is_kept & (old.place == word.word[split:])),
            new.place.eq(word.word[split:]),
            moves.eq(is_shown & (~is_kept | fits | leaving.i.ready)), self.i.ready.eq(moves),
            marks.write_en.eq(moves), marks.write_data.eq(new),
            lines.write_data.eq(word.data.replicate(self.line_words)),
            leaving.i.p.line.data.eq(lines.read_data), leaving.i.p.line.mark.eq(old),
            leaving.i.p.ends.eq(flushes & ends & (at == kept - 1)),
            leaving.i.valid.eq(Mux(flushes, is_read, is_shown & is_kept & ~fits)),
            reads.eq(Mux(flushes, ~is_read, moves | self.i.valid & ~is_shown)),
            read_row.eq(Mux(flushes, at, Mux(moves, word.next_row, word.row))),
            self.is_empty.eq(~flushes & (kept == 0) & (inside == 0))]
        for memory in (lines, marks):
            m.d.comb += [memory.write_addr.eq(word.row), memory.read_en.eq(reads),
                         memory.read_addr.eq(read_row)]
        for place in range(self.line_words):
            own = Mux(word.word[:split] == place, word.strobes, 0)
            m.d.comb += [
                new.strobes[place].eq(Mux(fits, old.strobes[place], 0) | own),
                lines.write_en.word_select(place, self.data_bytes).eq(Mux(moves, own, 0))]
        with m.If(reads):
            # A line that is written in this cycle is not what is read.
            m.d.sync += [row_read.eq(read_row),
                         was_read.eq(~flushes & ~(moves & (word.next_row == word.row)))]
        with m.If(moves):
            m.d.sync += ends.eq(word.ends)
            with m.If(~is_kept):
                m.d.sync += kept.eq(word.row + 1)
            with m.If(word.is_last):
                m.d.sync += [flushes.eq(1), at.eq(0), is_read.eq(0)]
        with m.If(flushes):
            m.d.sync += is_read.eq(~is_read | ~leaving.i.ready)
            with m.If(is_read & leaving.i.ready):
                m.d.sync += at.eq(at + 1)
                with m.If(at == kept - 1):
                    m.d.sync += [flushes.eq(0), kept.eq(0)]
        self._send(m, leaving.o)
        return m

    def _send(self, m, leaving):
        """Send the words of a line that have bytes."""
        line, store = leaving.p.line, self.o.p
        sent = Signal(self.line_words)
        left = Signal(self.line_words)
        first = index_signal(self.line_words, "first")
        m.d.comb += left.eq(~sent & Cat(
            line.mark.strobes[place].any() for place in range(self.line_words)))
        for place in reversed(range(self.line_words)):
            with m.If(left[place]):
                m.d.comb += first.eq(place)
        is_last = (left & (left - 1))[:self.line_words] == 0
        m.d.comb += [
            self.o.valid.eq(leaving.valid), store.word.eq(Cat(first, line.mark.place)),
            store.data.eq(Array(line.data)[first]),
            store.strobes.eq(Array(line.mark.strobes)[first]),
            store.ends.eq(leaving.p.ends & is_last), leaving.ready.eq(self.o.ready & is_last)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += sent.eq(Mux(is_last, 0, sent | (1 << first)))
