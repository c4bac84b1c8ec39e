"""Waits for a word of memory that others write."""

from amaranth import Array, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.memory.descriptor import WORD_BYTES

from .axi4 import OKAY, segment_layout
from .read_channel import word_layout
from .work import COUNT_BITS

PAUSE = 64
"""Cycles between an answer and the next look."""


def watch_layout(*, address_bits):
    """Describe a word, and the count that it has to reach, modulo 2^32."""
    return data.StructLayout({"address": address_bits, "count": COUNT_BITS})


class WordWatch(wiring.Component):
    """Read a word again and again until it has come to a count.

    Parameters
    ----------
    address_bits, length_bits, data_bytes : int

    Members
    -------
    i : In(stream of watch_layout)
        Taken when the word has come, or cannot be read.
    resp : Out(2)
        Then: how the bus answered.
    waits : Out(1)
        The word has been looked at, and has not come.
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    """

    def __init__(self, *, address_bits, length_bits, data_bytes):
        self.data_bytes = data_bytes
        super().__init__({
            "i": In(stream.Signature(watch_layout(address_bits=address_bits))),
            "resp": Out(2), "waits": Out(1),
            "segments": Out(stream.Signature(
                segment_layout(address_bits=address_bits, length_bits=length_bits))),
            "words": In(stream.Signature(word_layout(data_bytes))),
        })

    def elaborate(self, platform):
        m = Module()
        at = self.i.p.address[exact_log2(WORD_BYTES):exact_log2(self.data_bytes)]
        left = Signal(range(PAUSE))
        word = Signal(COUNT_BITS)
        m.d.comb += [
            word.eq(Array(self.words.p.data.word_select(place, COUNT_BITS)
                          for place in range(self.data_bytes // WORD_BYTES))[at]),
            self.resp.eq(self.words.p.resp),
            self.segments.p.address.eq(self.i.p.address), self.segments.p.length.eq(WORD_BYTES)]
        with m.FSM():
            with m.State("ASK"):
                m.d.comb += self.segments.valid.eq(self.i.valid & (left == 0))
                with m.If(left != 0):
                    m.d.sync += left.eq(left - 1)
                with m.If(self.segments.valid & self.segments.ready):
                    m.next = "LOOK"
            with m.State("LOOK"):
                m.d.comb += self.words.ready.eq(1)
                with m.If(self.words.valid):
                    m.next = "ASK"
                    with m.If((self.words.p.resp != OKAY)
                              | ~(word - self.i.p.count)[COUNT_BITS - 1]):
                        m.d.comb += self.i.ready.eq(1)
                        m.d.sync += self.waits.eq(0)
                    with m.Else():
                        m.d.sync += [left.eq(PAUSE - 1), self.waits.eq(1)]
        return m
