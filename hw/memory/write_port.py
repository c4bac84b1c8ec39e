"""The bus's write side: bursts, and what became of them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.streams.memory_fifo import MemoryFIFO

from .axi4 import (
    INCREMENTING,
    OKAY,
    OUTSIDE,
    answer_of,
    axi4_signature,
    is_outside,
    page_of,
    window_layout,
)
from .burst_former import BurstFormer
from .work import store_layout

BURSTS = 4
"""Bursts whose words wait for the bus."""

WRITE_MEMBERS = ("aw", "w", "b")
"""What the names of the bus's members begin with that belong to its write side."""


class WritePort(wiring.Component):
    """Send words in bursts, and count what has been answered.

    All have one ID, so that they are written and answered in order. No address is offered before
    all of its data are there.

    A burst outside of the window does not reach the bus. When the bus owes nothing any more, its
    words are dropped, and the port answers OUTSIDE.

    Parameters
    ----------
    address_bits, data_bytes, burst_beats : int
        Of the bus; those of words have their reach.
    id_bits : int
    outstanding : int
        Most bursts that wait for their answer.

    Members
    -------
    i : In(stream of store_layout)
    window : In(window_layout)
    bus : Out(the write side of axi4_signature)
    holds : In(1)
        No answer may come in this cycle.
    spoilt : In(1)
        A word that goes after all others does not go: it is dropped, and answered with OKAY.
    ended : Out(1)
        The answer to a command's last word has come, and with it those to all before.
    answered : Out(1), resp : Out(2)
        An answer has come, and which.
    owes : Out(1)
        A word is inside, or an answer is to come.
    """

    def __init__(self, *, address_bits, data_bytes, burst_beats, id_bits, outstanding):
        self.data_bytes, self.outstanding = data_bytes, outstanding
        sizes = {"address_bits": address_bits + 1, "data_bytes": data_bytes}
        self.former = BurstFormer(burst_beats=burst_beats, bursts=BURSTS, **sizes)
        bus = axi4_signature(id_bits=id_bits, address_bits=address_bits, data_bytes=data_bytes)
        super().__init__({
            "i": In(stream.Signature(store_layout(**sizes))),
            "holds": In(1), "spoilt": In(1),
            "window": In(window_layout(address_bits=address_bits + 1)),
            "bus": Out(wiring.Signature({
                name: member for name, member in bus.members.items()
                if name.startswith(WRITE_MEMBERS)})),
            "ended": Out(1), "answered": Out(1), "resp": Out(2), "owes": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        bus, shift = self.bus, exact_log2(self.data_bytes)
        m.submodules.former = former = self.former
        m.submodules.marks = marks = MemoryFIFO(1, depth=self.outstanding)
        wiring.connect(m, wiring.flipped(self.i), former.i)
        run, word = former.runs, former.words

        owed = Signal(range(self.outstanding + 1))
        words_left = Signal.like(run.p.beats)  # of the burst whose words go out
        inside = Signal(range(2 * self.former.burst_beats * BURSTS))  # words
        outside = Signal()
        # Words of a burst that does not reach the bus.
        to_drop = Signal(range(max(2, self.former.burst_beats) + 1))
        dropped_ends = Signal(reset_less=True)
        is_outside_window = Signal(reset_less=True)
        dropped = Signal()
        drops = Signal()  # the last of them
        begins = Signal()
        sends = Signal()
        answers = Signal()
        m.d.comb += [
            outside.eq(is_outside(self.window, page_of(run.p.word, self.data_bytes))),
            drops.eq((to_drop == 1) & ~self.holds),
            dropped.eq(outside | run.p.after & self.spoilt),
            begins.eq(run.valid & run.ready & ~dropped),
            run.ready.eq((~bus.awvalid | bus.awready) & marks.i.ready
                         & ((words_left == 0) | (words_left == 1) & sends) & (to_drop == 0)
                         & Mux(run.p.after | outside, (owed == 0) & ~self.holds,
                               owed != self.outstanding)),
            marks.i.valid.eq(begins), marks.i.p.eq(run.p.ends),
            sends.eq(bus.wvalid & bus.wready),
            bus.wvalid.eq((words_left != 0) & word.valid),
            word.ready.eq(sends | (to_drop > 1) | drops),
            bus.wdata.eq(word.p.data), bus.wstrb.eq(word.p.strobes),
            bus.wlast.eq(words_left == 1),
            # An answer waits for its mark, which may still be on its way through the queue.
            bus.bready.eq(marks.o.valid & ~self.holds), answers.eq(bus.bvalid & bus.bready),
            marks.o.ready.eq(answers), self.answered.eq(answers | drops),
            self.resp.eq(Mux(drops, Mux(is_outside_window, OUTSIDE, OKAY), answer_of(bus.bresp))),
            self.ended.eq(Mux(drops, dropped_ends, answers & marks.o.p)),
            self.owes.eq((owed != 0) | (inside != 0)),
            bus.awsize.eq(shift), bus.awburst.eq(INCREMENTING),
        ]
        m.d.sync += [owed.eq(owed + begins - answers),
                     inside.eq(inside + (self.i.valid & self.i.ready) - word.ready)]
        with m.If(run.valid & run.ready & dropped):
            m.d.sync += [to_drop.eq(run.p.beats), dropped_ends.eq(run.p.ends),
                         is_outside_window.eq(outside)]
        with m.Elif((to_drop > 1) | drops):
            m.d.sync += to_drop.eq(to_drop - 1)
        with m.If(sends):
            m.d.sync += words_left.eq(words_left - 1)
        with m.If(bus.awready):
            m.d.sync += bus.awvalid.eq(0)
        with m.If(begins):
            m.d.sync += [
                bus.awvalid.eq(1), bus.awaddr.eq(run.p.word << shift),
                bus.awlen.eq((run.p.beats - 1)[:exact_log2(self.former.burst_beats)]),
                words_left.eq(run.p.beats)]
        return m
