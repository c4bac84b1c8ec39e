"""Joins words that follow each other into bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from hw.streams.memory_fifo import MemoryFIFO

from .work import store_layout

PATIENCE = 16
"""Cycles for which a burst waits for a word that might lengthen it."""


def run_layout(*, address_bits, data_bytes, burst_beats):
    """Describe a burst of which all words are there.

    Members
    -------
    word : unsigned(address_bits - log2(data_bytes))
        Address of its first beat in words of the bus.
    beats : unsigned
        1 to `burst_beats`.
    ends : unsigned(1)
        Its last word is the last of its command.
    after : unsigned(1)
        It goes when all before it have been answered.
    """
    return data.StructLayout({
        "word": address_bits - exact_log2(data_bytes), "beats": bits_for(burst_beats), "ends": 1,
        "after": 1})


class BurstFormer(wiring.Component):
    """Queue words, and say which of them make a burst.

    A burst ends before a word that does not follow it, at a multiple of `burst_beats` words, which
    divides a page, with the last word of a command, or when no word has come for `PATIENCE` cycles.
    It is offered when all of its words are in the queue. A word that goes after all before it is a
    burst by itself.

    One word in per cycle, and one out; a word that both does not follow and completes a burst takes
    two.

    Parameters
    ----------
    address_bits, data_bytes : int
    burst_beats : int
        Longest burst, a power of two.
    bursts : int
        Bursts, and `burst_beats` times as many words, that the queues hold.

    Members
    -------
    i : In(stream of store_layout)
    runs : Out(stream of run_layout)
    words : Out(stream of struct)
        ``data`` and ``strobes`` of each word, in order.
    """

    def __init__(self, *, address_bits, data_bytes, burst_beats, bursts):
        self.burst_beats, self.bursts = burst_beats, bursts
        self.run = run_layout(address_bits=address_bits, data_bytes=data_bytes,
                              burst_beats=burst_beats)
        self.word = data.StructLayout({"data": 8 * data_bytes, "strobes": data_bytes})
        super().__init__({
            "i": In(stream.Signature(
                store_layout(address_bits=address_bits, data_bytes=data_bytes))),
            "runs": Out(stream.Signature(self.run)), "words": Out(stream.Signature(self.word)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = MemoryFIFO(self.word, depth=self.burst_beats * self.bursts)
        m.submodules.runs = runs = MemoryFIFO(self.run, depth=self.bursts)
        wiring.connect(m, words.o, wiring.flipped(self.words))
        wiring.connect(m, runs.o, wiring.flipped(self.runs))

        word, run = self.i.p, runs.i.p
        first, following = (Signal(len(word.word), name=name, reset_less=True)
                            for name in ("first", "following"))
        beats = Signal.like(run.beats)  # of the burst that is being formed; 0: there is none
        waited = Signal(range(PATIENCE))
        follows = Signal()
        fills = Signal()  # the word at `i` is the last that its burst can have
        closes = Signal()  # the burst that is being formed, without the word at `i`
        completes = Signal()  # the burst of the word at `i`, with it
        takes = Signal()
        m.d.comb += [
            follows.eq((beats != 0) & (word.word == following) & ~word.after),
            fills.eq(word.ends | word.after
                     | ((word.word & (self.burst_beats - 1)) == self.burst_beats - 1)),
            closes.eq((beats != 0) & Mux(self.i.valid, ~follows, waited == PATIENCE - 1)),
            completes.eq(self.i.valid & fills & ~closes),
            runs.i.valid.eq(closes | completes & words.i.ready),
            run.word.eq(Mux(beats != 0, first, word.word)),
            run.beats.eq(beats + completes), run.ends.eq(completes & word.ends),
            run.after.eq(completes & word.after),
            # One burst at a time: a word that is one by itself comes after the one before it.
            takes.eq(self.i.valid & words.i.ready & ~(closes & fills)
                     & (runs.i.ready | ~closes & ~completes)),
            self.i.ready.eq(takes), words.i.valid.eq(takes),
            words.i.p.data.eq(word.data), words.i.p.strobes.eq(word.strobes),
        ]
        m.d.sync += waited.eq(Mux((beats != 0) & ~self.i.valid, waited + ~closes, 0))
        with m.If(takes):
            m.d.sync += [following.eq(word.word + 1), beats.eq(Mux(completes, 0, beats + 1))]
            with m.If(~follows):
                m.d.sync += [first.eq(word.word), beats.eq(~completes)]
        with m.Elif(closes & runs.i.ready):
            m.d.sync += beats.eq(0)
        return m
