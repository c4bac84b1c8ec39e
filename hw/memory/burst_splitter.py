"""Cuts bytes that belong together into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .axi4 import MOST_BEATS, PAGE_BYTES, advance, burst_layout, segment_layout


class BurstSplitter(wiring.Component):
    """Cut each segment into the bursts that bring its bytes, in order.

    A burst is of whole words of the bus and ends at the next multiple of `burst_beats` words, or
    with the segment. Such a multiple divides 4 KiB, so that no burst crosses a page.

    One burst per cycle, from segment to segment too; the first a cycle after its segment was taken.

    Parameters
    ----------
    address_bits, length_bits : int
        Of a segment.
    data_bytes : int
        Of a word of the bus, a power of two.
    burst_beats : int
        Longest burst, a power of two.

    Members
    -------
    i : In(stream of segment_layout)
        With its reach.
    o : Out(stream of burst_layout)

    Raises
    ------
    ValueError
        If bursts of this length would cross pages or be longer than AXI4's.
    """

    def __init__(self, *, address_bits, length_bits, data_bytes, burst_beats):
        if not 1 <= burst_beats <= MOST_BEATS or burst_beats * data_bytes > PAGE_BYTES:
            raise ValueError(f"a burst has 1 to {MOST_BEATS} beats and at most {PAGE_BYTES} bytes, "
                             f"not {burst_beats} beats of {data_bytes} bytes")
        self.data_bytes, self.burst_beats = data_bytes, burst_beats
        super().__init__({
            "i": In(stream.Signature(
                segment_layout(address_bits=address_bits, length_bits=length_bits))),
            "o": Out(stream.Signature(burst_layout(
                address_bits=address_bits, data_bytes=data_bytes, burst_beats=burst_beats))),
        })

    def elaborate(self, platform):
        m = Module()
        shift = exact_log2(self.data_bytes)
        segment, burst = self.i.p, self.o.p
        word = Signal.like(burst.word, reset_less=True)
        left = Signal(len(segment.length), reset_less=True)  # words of the segment
        offset = Signal(shift)
        to_boundary = Signal.like(burst.beats)
        ends = Signal()
        m.d.comb += [
            offset.eq(segment.address[:shift]),
            to_boundary.eq(self.burst_beats - (word & (self.burst_beats - 1))),
            ends.eq(left <= to_boundary),
            burst.word.eq(word), burst.beats.eq(Mux(ends, left, to_boundary)),
            self.i.ready.eq(~self.o.valid | self.o.ready & ends),
        ]
        with m.If(self.o.ready):
            m.d.sync += [word.eq(advance(word, to_boundary)), left.eq(left - to_boundary)]
        with m.If(self.i.ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid), word.eq(segment.address >> shift),
                left.eq((segment.length + offset + (self.data_bytes - 1)) >> shift)]
        return m
