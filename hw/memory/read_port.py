"""Shares the bus's read side among channels."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.parts.ring import address_bits as index_bits

from .axi4 import (
    INCREMENTING,
    OUTSIDE,
    answer_of,
    axi4_signature,
    burst_layout,
    is_outside,
    page_of,
    window_layout,
)
from .read_channel import arrival_signature

READ_MEMBERS = ("ar", "r")
"""What the names of the bus's members begin with that belong to its read side."""


class ReadPort(wiring.Component):
    """Send the channels' bursts to the bus in turn, and give each its words.

    Every channel has an ID of its own, its number, so that the answers of one come in order and
    those of different ones in any. An address is offered a cycle after its burst, and stays until
    it is taken. What comes is always taken: channels ask only for what they have room for.

    A burst outside of the window does not reach the bus. When the bus owes nothing any more, the
    port brings words of no meaning for it, that say OUTSIDE.

    Parameters
    ----------
    channels : int
    address_bits, data_bytes, burst_beats : int
        Of the bus; those of bursts have their reach.
    outstanding : int
        Most bursts that the bus owes.

    Members
    -------
    bursts_0, bursts_1, … : In(stream of burst_layout)
    words_0, words_1, … : Out(arrival_signature)
    window : In(window_layout)
    bus : Out(the read side of axi4_signature)
    owes : Out(1)
        An address is on offer, or words are to come.
    """

    def __init__(self, *, channels, address_bits, data_bytes, burst_beats, outstanding):
        self.channels, self.data_bytes = channels, data_bytes
        self.burst_beats, self.outstanding = burst_beats, outstanding
        bus = axi4_signature(address_bits=address_bits, data_bytes=data_bytes,
                             id_bits=index_bits(channels))
        inside = {"address_bits": address_bits + 1}
        bursts = stream.Signature(burst_layout(data_bytes=data_bytes, burst_beats=burst_beats,
                                               **inside))
        words = arrival_signature(data_bytes)
        super().__init__({
            **{f"bursts_{number}": In(bursts) for number in range(channels)},
            **{f"words_{number}": Out(words) for number in range(channels)},
            "bus": Out(wiring.Signature({
                name: member for name, member in bus.members.items()
                if name.startswith(READ_MEMBERS)})),
            "owes": Out(1), "window": In(window_layout(**inside)),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        bursts = [getattr(self, f"bursts_{number}") for number in range(self.channels)]
        turn = Signal(range(self.channels))  # who asked last
        chosen = Signal(range(self.channels))
        owed = Signal(range(self.outstanding + 1))
        outside = Signal()
        turned_away = Signal.like(bursts[0].p.beats)  # words to be brought without the bus
        asks = Signal()
        takes = Signal()
        sent = Signal()
        answered = Signal()
        asked = Cat(each.valid for each in bursts)
        # Of those that ask, the next behind the one that asked last.
        for number in reversed(range(self.channels)):
            with m.If(asked[number]):
                m.d.comb += chosen.eq(number)
        for number in reversed(range(1, self.channels)):
            with m.If(asked[number] & (turn < number)):
                m.d.comb += chosen.eq(number)
        m.d.comb += [
            asks.eq(asked.any() & (turned_away == 0)),
            takes.eq(asks & Mux(outside, owed == 0, (~bus.arvalid | bus.arready)
                                & (owed < self.outstanding))),
            sent.eq(bus.arvalid & bus.arready),
            answered.eq(bus.rvalid & bus.rlast),
            self.owes.eq((owed != 0) | (turned_away != 0)),
            bus.rready.eq(1),
        ]
        payload = Array(each.p.as_value() for each in bursts)[chosen]
        burst = Signal.like(bursts[0].p)
        m.d.comb += burst.as_value().eq(payload)
        for number, each in enumerate(bursts):
            m.d.comb += each.ready.eq(takes & (chosen == number))
        shift = exact_log2(self.data_bytes)
        m.d.comb += outside.eq(is_outside(self.window, page_of(burst.word, self.data_bytes)))
        m.d.comb += [bus.arsize.eq(shift), bus.arburst.eq(INCREMENTING)]
        with m.If(sent):
            m.d.sync += bus.arvalid.eq(0)
        with m.If(takes):
            m.d.sync += turn.eq(chosen)
        with m.If(takes & ~outside):
            m.d.sync += [
                bus.arvalid.eq(1), bus.araddr.eq(burst.word << shift),
                bus.arlen.eq((burst.beats - 1)[:exact_log2(self.burst_beats)]),
                bus.arid.eq(chosen)]
        m.d.sync += owed.eq(owed + (takes & ~outside) - answered)
        with m.If(takes & outside):
            m.d.sync += turned_away.eq(burst.beats)
        with m.Elif(turned_away != 0):
            m.d.sync += turned_away.eq(turned_away - 1)
        for number in range(self.channels):
            words = getattr(self, f"words_{number}")
            m.d.comb += [
                words.valid.eq(Mux(turned_away != 0, turn == number,
                                   bus.rvalid & (bus.rid == number))),
                words.payload.data.eq(bus.rdata),
                words.payload.resp.eq(Mux(turned_away != 0, OUTSIDE, answer_of(bus.rresp)))]
        return m
