"""Cuts bytes out of the bus's words, and brings the first one to a beat's lowest byte."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.parts.bits import ones_below, part_of

from .read_channel import word_layout
from .work import INDEX_BITS


def cut_layout(*, data_bytes, length_bits):
    """Describe which bytes of some words are wanted.

    Members
    -------
    offset : unsigned(log2(data_bytes))
        Of the first in its word, a multiple of the aligner's unit.
    length : unsigned(length_bits)
        Bytes, at least 1.
    last : unsigned(1)
        They end a packet.
    index : unsigned
        The command that they belong to.
    """
    return data.StructLayout({
        "offset": exact_log2(data_bytes), "length": length_bits, "last": 1,
        "index": INDEX_BITS})


def aligned_layout(data_bytes):
    """Describe a beat: as of an AXI4-Stream, and how the bus answered for what is in it."""
    return data.StructLayout({
        "data": 8 * data_bytes, "keep": data_bytes, "last": 1, "resp": 2, "index": INDEX_BITS})


class Aligner(wiring.Component):
    """Take each cut out of its words: dense beats, of which the last may be short.

    The words of a cut are those that it touches, from the first to the last. A beat per cycle, but
    that a cut which touches more words than it fills beats takes a cycle for each word. The first
    beat comes a cycle after the last word that it needs, or in the same cycle if it needs two.

    Parameters
    ----------
    data_bytes : int
        Of a word and of a beat, a power of two.
    length_bits : int
        More than an offset has.
    unit_bytes : int
        A power of two: the smallest number that begins a cut.

    Members
    -------
    cuts : In(stream of cut_layout)
    words : In(stream of word_layout)
    o : Out(stream of aligned_layout)
        ``resp`` is the largest that its words had. Bytes outside ``keep`` are anything, and may
        change while the beat waits.

    Raises
    ------
    ValueError
        If a length has so few bits.
    """

    def __init__(self, *, data_bytes, length_bits, unit_bytes):
        if length_bits <= exact_log2(data_bytes):
            raise ValueError(f"lengths need more than the {exact_log2(data_bytes)} bits of an "
                             f"offset, not {length_bits}")
        self.data_bytes, self.unit_bytes = data_bytes, unit_bytes
        super().__init__({
            "cuts": In(stream.Signature(
                cut_layout(data_bytes=data_bytes, length_bits=length_bits))),
            "words": In(stream.Signature(word_layout(data_bytes))),
            "o": Out(stream.Signature(aligned_layout(data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        size, shift, unit = self.data_bytes, exact_log2(self.data_bytes), self.unit_bytes
        cut, word, beat = self.cuts.p, self.words.p, self.o.p

        # Of the cut under way: what is left of it, and the word that came last.
        counted = Signal(len(cut.length) - shift + 1, name="counted")
        words_left, beats_left = (Signal.like(counted, name=name)
                                  for name in ("words_left", "beats_left"))
        offset = Signal.like(cut.offset, reset_less=True)
        tail = Signal(range(size), reset_less=True)  # bytes of the last beat; 0 for all
        last = Signal(reset_less=True)
        index = Signal(INDEX_BITS, reset_less=True)
        held = Signal(word.shape(), reset_less=True)
        has = Signal()

        ends = Signal()
        sends = Signal()
        begins = Signal()
        takes = Signal()
        takes_first = Signal()
        first_words = Signal.like(counted)
        needs_next = Signal()
        m.d.comb += [
            needs_next.eq((offset != 0) & (words_left != 0)),
            self.o.valid.eq(has & (~needs_next | self.words.valid)),
            sends.eq(self.o.valid & self.o.ready),
            ends.eq(beats_left == 1),
            self.cuts.ready.eq((beats_left == 0) | sends & ends),
            begins.eq(self.cuts.valid & self.cuts.ready),
            first_words.eq((cut.length + cut.offset + (size - 1)) >> shift),
            # A cut's first word may come while the last beat of the one before leaves, unless that
            # takes a word itself.
            takes_first.eq(begins & ~needs_next),
            takes.eq((words_left != 0) & (~has | sends) | takes_first),
            self.words.ready.eq(takes),
        ]
        with m.If(sends):
            m.d.sync += [beats_left.eq(beats_left - 1), has.eq(0)]
        with m.If(takes & self.words.valid):
            m.d.sync += [held.eq(word), has.eq(takes_first | ~(sends & ends)),
                         words_left.eq(words_left - 1)]
        with m.If(begins):
            m.d.sync += [
                offset.eq(cut.offset), last.eq(cut.last), index.eq(cut.index),
                tail.eq(cut.length[:shift]),
                beats_left.eq((cut.length + (size - 1)) >> shift),
                words_left.eq(first_words - (takes_first & self.words.valid))]

        both = Cat(held.data, word.data)
        m.d.comb += [
            beat.data.eq(part_of(m, both, offset[exact_log2(unit):], size // unit, unit=8 * unit,
                                 name="part")),
            beat.keep.eq(Mux(ends & (tail != 0), ones_below(m, tail, size, name="in_tail"), ~0)),
            beat.last.eq(ends & last), beat.index.eq(index),
            beat.resp.eq(Mux(needs_next & (word.resp > held.resp), word.resp, held.resp)),
        ]
        return m
