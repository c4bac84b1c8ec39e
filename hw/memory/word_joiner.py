"""Joins parts of a word that follow each other."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .work import store_layout


class WordJoiner(wiring.Component):
    """Keep a word until one with another address comes, or until it is whole or its command's last.

    A word per cycle. One that is not the last of its command may stay for as long as none follows;
    one that goes after all before it stays alone.

    Parameters
    ----------
    address_bits, data_bytes : int

    Members
    -------
    i, o : stream of store_layout
        Each in its direction.
    """

    def __init__(self, *, address_bits, data_bytes):
        self.data_bytes = data_bytes
        signature = stream.Signature(store_layout(address_bits=address_bits,
                                                  data_bytes=data_bytes))
        super().__init__({"i": In(signature), "o": Out(signature)})

    def elaborate(self, platform):
        m = Module()
        word, kept = self.i.p, Signal(self.i.p.shape(), reset_less=True)
        has = Signal()
        fits = Signal()  # the word at `i` is the one that is kept
        joins = Signal()
        m.d.comb += [
            fits.eq(~word.after & (word.word == kept.word)),
            self.o.valid.eq(has & (kept.ends | kept.after | kept.strobes.all()
                                   | self.i.valid & ~fits)),
            self.o.p.eq(kept), joins.eq(has & fits & ~self.o.valid),
            self.i.ready.eq(~has | joins | self.o.valid & self.o.ready)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += has.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [has.eq(1), kept.eq(word)]
            with m.If(joins):
                m.d.sync += kept.strobes.eq(kept.strobes | word.strobes)
                m.d.sync += [kept.data.word_select(byte, 8).eq(Mux(
                    word.strobes[byte], word.data.word_select(byte, 8),
                    kept.data.word_select(byte, 8))) for byte in range(self.data_bytes)]
        return m
