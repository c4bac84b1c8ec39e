"""Fetches descriptors from the ring, ahead of who carries them out."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.memory.descriptor import BYTES
from hw.parts.bits import ones_below

from .axi4 import segment_layout
from .descriptor import ADDRESS_BITS, PLAIN, read_layout, renewal_layout
from .read_channel import word_layout
from .work import COUNT_BITS

AHEAD = 4
"""Descriptors that are asked for and not yet carried out."""


class DescriptorReader(wiring.Component):
    """Read the commands between `completed` and `tail`, one after the other.

    Parameters
    ----------
    address_bits, length_bits, data_bytes : int
        Of the bus; a word is not longer than a descriptor's alignment, 64 bytes.
    descriptor : Descriptor
        What is kept of one.

    Members
    -------
    enable : In(1)
        While it is low everything is forgotten, and the next command is the one that `completed`
        says.
    base : In(address_bits), size_log2 : In(5)
        Of the ring; its descriptors are a power of two.
    tail, completed : In(32)
        Commands that there are; those that have ended.
    segments : Out(stream of segment_layout)
    words : In(stream of word_layout)
    o : Out(stream of read_layout)
        What has no field is looked at as it comes, and not kept.
    renewed : In(renewal_layout)
        Addresses of the descriptor on offer change to these.
    number : Out(32)
        Of the command at ``o``.
    """

    def __init__(self, *, address_bits, length_bits, data_bytes, descriptor=PLAIN):
        self.data_bytes, self.bus_bits = data_bytes, address_bits - 1
        self.descriptor = descriptor
        super().__init__({
            "enable": In(1), "base": In(address_bits), "size_log2": In(5),
            "tail": In(COUNT_BITS), "completed": In(COUNT_BITS),
            "segments": Out(stream.Signature(
                segment_layout(address_bits=address_bits, length_bits=length_bits))),
            "words": In(stream.Signature(word_layout(data_bytes))),
            "o": Out(stream.Signature(read_layout(descriptor))),
            "renewed": In(renewal_layout(descriptor, address_bits)),
            "number": Out(COUNT_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        words = BYTES // self.data_bytes
        ahead = Signal(range(AHEAD + 1))  # asked for and not taken
        asked, place = Signal(COUNT_BITS), Signal(COUNT_BITS)  # the command that comes next
        arrived = Signal(range(words))
        m.d.comb += [
            asked.eq(self.number + ahead),
            place.eq(asked & ones_below(m, self.size_log2, COUNT_BITS, name="mask")),
            self.segments.valid.eq(self.enable & (asked != self.tail) & (ahead != AHEAD)),
            self.segments.p.address.eq(self.base + (place << 7) + (place << 6)),
            self.segments.p.length.eq(BYTES),
            self.words.ready.eq(~self.o.valid),
        ]
        fields = Signal(self.descriptor.bits, reset_less=True)
        with m.If(self.renewed.valid):
            for name in self.descriptor.stepped:
                first, address = self.descriptor.places[name], self.renewed[name][:ADDRESS_BITS]
                m.d.sync += fields[first:first + len(address)].eq(address)
        reserved = Signal.like(self.o.p.reserved, reset_less=True)
        m.d.comb += [self.o.p.bits.eq(fields), self.o.p.reserved.eq(reserved)]
        with m.Switch(arrived):
            for word in range(words):
                with m.Case(word):
                    kept = fields.word_select(word, 8 * self.data_bytes)
                    with m.If(self.words.valid & self.words.ready):
                        m.d.sync += kept.eq(self._reached(word))
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += [
                reserved.eq(Mux(arrived == 0, 0, reserved) | self._reserved(m, arrived)),
                self.o.p.resp.eq(Mux((arrived == 0) | (self.words.p.resp > self.o.p.resp),
                                     self.words.p.resp, self.o.p.resp)),
                arrived.eq(Mux(arrived == words - 1, 0, arrived + 1)),
                self.o.valid.eq(arrived == words - 1)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), self.number.eq(self.number + 1)]
        m.d.sync += ahead.eq(ahead + (self.segments.valid & self.segments.ready)
                             - (self.o.valid & self.o.ready))
        with m.If(~self.enable):
            m.d.sync += [ahead.eq(0), self.number.eq(self.completed), arrived.eq(0),
                         self.o.valid.eq(0)]
        return m

    def _reached(self, word):
        """Give a word of a descriptor, what lies beyond the bus's addresses put into one bit."""
        bits, size, first = list(self.words.p.data), 8 * self.data_bytes, self.bus_bits
        for place in self.descriptor.places.values():
            if place // size == word and first < ADDRESS_BITS - 1:
                above = slice(place % size + first, place % size + ADDRESS_BITS)
                bits[above] = [Cat(bits[above]).any(), *[Const(0, 1)] * (ADDRESS_BITS - first - 1)]
        return Cat(bits)

    def _reserved(self, m, arrived):
        """Tell for each operation whether the word that comes has a bit that must be zero."""
        size, words = 8 * self.data_bytes, BYTES // self.data_bytes
        alike = {}  # bits that are reserved in the same words for the same operations
        for bit in range(size):
            where = tuple(tuple(word for word in range(words) if mask >> word * size + bit & 1)
                          for mask in self.descriptor.reserved.values())
            alike.setdefault(where, []).append(self.words.p.data[bit])
        found = [[] for _ in self.descriptor.reserved]
        for number, (where, bits) in enumerate(alike.items()):
            is_set = Signal(name=f"is_set_{number}")
            m.d.comb += is_set.eq(Cat(bits).any())
            for terms, places in zip(found, where, strict=True):
                if places:
                    terms.append(is_set & Cat(arrived == word for word in places).any())
        return Cat(Cat(terms).any() for terms in found)
