"""Reads whole rows or slabs from sixteen banks, a block per cycle."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE
from hw.contract.tile_block import raw_block_layout
from hw.parts.ring import address_bits

from .scatter import BANK_BITS, element_width, segment_layout, segment_words


def bank_read_signature(config):
    """Describe one read of all banks, seen from who reads.

    Members
    -------
    en : Out(1)
    words : Out(16 x unsigned)
        Word within the segment.
    elements : In(16 x unsigned)
        Of the last ``en``, one cycle later.
    """
    return wiring.Signature({
        "en": Out(1),
        "words": Out(data.ArrayLayout(address_bits(segment_words(config)), BLOCK_SIZE)),
        "elements": In(data.ArrayLayout(element_width(config), BLOCK_SIZE)),
    })


class Gather(wiring.Component):
    """Put together the blocks of a segment that `hw.activations.scatter.Scatter` has written.

    Of a row, block n is word n of all banks. Of a slab of tokens, block c is channel c, whose
    token t lies in bank (t + c) % 16, word 16 * (c // 16) + t; outgoing blocks then run along
    tokens, ``row`` is the channel and ``k_block`` the slab. Lanes beyond the count are zero.

    A block leaves the cycle after it is read; one per cycle, also from one segment to the next.

    Parameters
    ----------
    config : Config

    Members
    -------
    can_read : In(1)
        A whole ``segment`` is in the banks.
    segment : In(segment_layout)
    read : Out(bank_read_signature)
    done : Out(1)
        The segment's last read.
    o : Out(stream of raw_block_layout)
    is_busy : Out(1)
        A block that was read has not left.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "can_read": In(1), "segment": In(segment_layout(config)),
            "read": Out(bank_read_signature(config)),
            "done": Out(1),
            "o": Out(stream.Signature(raw_block_layout(config))),
            "is_busy": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        segment = self.segment
        transposed = segment.job.transposed

        # Cycle 0: read.
        number = Signal.like(segment.last)
        is_last = Signal()
        m.d.comb += [is_last.eq(number == segment.last), self.done.eq(self.read.en & is_last)]
        for bank, word in enumerate(self.read.words):
            token = Signal(BANK_BITS, name=f"token_{bank}")
            m.d.comb += [
                token.eq(bank - number[:BANK_BITS]),
                word.eq(number),
            ]
            with m.If(transposed):
                m.d.comb += word[:BANK_BITS].eq(token)
        with m.If(self.read.en):
            m.d.sync += number.eq(Mux(is_last, 0, number + 1))

        # Cycle 1: turn the banks into lanes. The banks hold what was read while it cannot leave.
        about = Signal(raw_block_layout(self.config), reset_less=True)
        turn = Signal(BANK_BITS, reset_less=True)
        m.d.comb += [
            self.read.en.eq(self.can_read & (~self.is_busy | self.o.ready)),
            self.o.valid.eq(self.is_busy), self.o.p.eq(about),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.is_busy.eq(0)
        with m.If(self.read.en):
            m.d.sync += [self.is_busy.eq(1), about.job.eq(segment.job)]
            with m.If(transposed):
                m.d.sync += [
                    turn.eq(number[:BANK_BITS]),
                    about.count.eq(segment.count),
                    about.row.eq(number), about.tile_last_row.eq(is_last),
                    about.k_block.eq(segment.index), about.row_last.eq(segment.tile_last),
                ]
            with m.Else():
                m.d.sync += [
                    turn.eq(0),
                    about.count.eq(Mux(is_last, segment.count, BLOCK_SIZE)),
                    about.row.eq(segment.index), about.tile_last_row.eq(segment.tile_last),
                    about.k_block.eq(number), about.row_last.eq(is_last),
                ]
        for lane, element in enumerate(self._turned(m, turn)):
            m.d.comb += self.o.p.elements[lane].eq(Mux(about.count > lane, element, 0))
        return m

    def _turned(self, m, turn):
        """List what the banks hold from bank `turn` on: a barrel shifter."""
        elements = list(self.read.elements)
        for level, turns in enumerate(turn):
            places = 1 << level
            turned = []
            for lane, element in enumerate(elements):
                chosen = Signal(len(element), name=f"turned_by_{places}_{lane}")
                m.d.comb += chosen.eq(
                    Mux(turns, elements[(lane + places) % BLOCK_SIZE], element))
                turned.append(chosen)
            elements = turned
        return elements
