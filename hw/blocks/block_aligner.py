"""First half of the MX conversion: shared exponents, and elements shifted to them."""

from amaranth import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32, PAIRS, SUB_BLOCK_SIZE
from hw.contract.block_bits import ALIGNED_BITS, NAN_EXPONENT
from hw.contract.layouts import AlignedBlock
from hw.parts.bits import any_of, is_larger, largest_of
from hw.streams.register_slice import pass_on, register_slice
from hw.streams.stream_buffer import StreamBuffer

from .widen import Elements

SIGNIFICAND_BITS = ALIGNED_BITS - 1
"""Bits of an FP32 significand that stay apart; the rest only makes the sticky bit."""

SHIFT_BITS = (SIGNIFICAND_BITS - 1).bit_length()
"""Bits of a shift that leaves something: one by `SIGNIFICAND_BITS`, a power of two, does not."""


class Aligned(data.Struct):
    """What `BlockAligner` says of a block.

    Members
    -------
    block : AlignedBlock
    largest : unsigned(31)
        Largest magnitude of the raw elements, as an FP32 pattern without the sign; subnormal,
        infinite and NaN patterns count as they are.
    """

    block: AlignedBlock
    largest: FP32.width - 1


FOURS = BLOCK_SIZE // 4


class Compared(data.Struct):
    """A block of which each four elements were compared.

    Members
    -------
    elements : 16 x unsigned(32)
        FP32 patterns.
    largest_at : 4 x unsigned(2)
        Place of an element of the largest magnitude in elements 0 to 3, 4 to 7, and so on.
    """

    elements: Elements
    largest_at: data.ArrayLayout(2, FOURS)


def largest_in_fours(m, magnitudes):
    """Find where the largest is of each four magnitudes, which any patterns in that order may be.

    Parameters
    ----------
    m : amaranth.Module
        Receives the logic.
    magnitudes : sequence of Value

    Returns
    -------
    list of Value
        As ``Compared.largest_at``.
    """
    places = []
    for four in range(0, len(magnitudes), 4):
        pairs = [magnitudes[four + first : four + first + 2] for first in (0, 2)]
        is_second = [is_larger(m, second, first, name=f"pair_{four}_{index}")
                     for index, (first, second) in enumerate(pairs)]
        largest = [Signal(len(first), name=f"largest_{four}_{index}")
                   for index, (first, _) in enumerate(pairs)]
        m.d.comb += [signal.eq(Mux(takes_second, second, first)) for signal, takes_second,
                     (first, second) in zip(largest, is_second, pairs, strict=True)]
        place = Signal(2, name=f"largest_at_{four}")
        high = is_larger(m, largest[1], largest[0], name=f"four_{four}")
        m.d.comb += place.eq(Cat(Mux(high, is_second[1], is_second[0]), high))
        places.append(place)
    return places


class Searched(data.Struct):
    """A block's FP32 patterns and the largest magnitude among them, a pattern without sign."""

    elements: Elements
    largest: FP32.width - 1


class BlockAlignment(wiring.Component):
    """Find a block's shared exponents and shift its elements to them, combinationally.

    Subnormals count as zeros of their sign. A block with an infinity or a NaN becomes the NaN
    block: exponent 255, all else zero. The sticky bit of an element means nothing where its guard
    bit and mantissa are zero: nothing rounds up there.

    Source: Rouhani et al., ISCA 2023, section 3 (two levels of shared exponents).

    Parameters
    ----------
    shared_given : bool
        The largest exponent comes from outside, which makes the path shorter; without, it is found
        here.

    Members
    -------
    i : In(16 x unsigned(32))
        FP32 patterns.
    shared : In(8)
        Only where given: the largest exponent field in ``i``.
    o : Out(AlignedBlock)
    """

    def __init__(self, *, shared_given: bool):
        self.shared_given = shared_given
        given = {"shared": In(FP32.exponent_bits)} if shared_given else {}
        super().__init__({"i": In(Elements), **given, "o": Out(AlignedBlock)})

    def elaborate(self, platform):
        m = Module()
        block = self.o
        shared = block.exponent
        if self.shared_given:
            m.d.comb += shared.eq(self.shared)
        exponents = [element[FP32.mantissa_bits : FP32.width - 1] for element in self.i]
        tops, nears, is_equal = self._compare(m, exponents, shared)

        is_nan = Signal()
        is_tiny = Signal()
        m.d.comb += [is_nan.eq(shared == NAN_EXPONENT), is_tiny.eq(shared <= SIGNIFICAND_BITS)]
        for pair in range(PAIRS):
            lanes = range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1))
            is_lower = Signal(name=f"is_lower_{pair}")
            m.d.comb += [
                is_lower.eq(~any_of(is_equal[lane] for lane in lanes)),
                block.microexponent[pair].eq(is_lower & ~is_nan),
            ]
            for lane in lanes:
                shift, borrows = self._subtract(m, lane, exponents[lane], shared, is_lower)
                # In a block this small a zero or a subnormal could be near enough to stay.
                is_zero = is_tiny & ~exponents[lane][: SHIFT_BITS + 1].any()
                is_kept = Signal(name=f"is_kept_{lane}")
                m.d.comb += [
                    is_kept.eq((tops[lane] | (nears[lane] & borrows)) & ~is_zero & ~is_nan),
                    block.sign[lane].eq(self.i[lane][-1] & ~is_nan),
                    block.magnitude[lane].eq(
                        self._shift(m, lane, self.i[lane][: FP32.mantissa_bits], shift, is_kept)),
                ]
        return m

    def _compare(self, m, exponents, shared):
        """Compare all exponents with the largest, from the highest bit down.

        A lane stays in the running while its bits are those of the largest exponent, whose next
        bit is then whether any such lane has it: no comparators, and each lane's equality with the
        largest comes for nothing.

        Returns
        -------
        tops, nears, is_equal : list of Value
            Per lane: the bits from `SHIFT_BITS` up are the largest's; they are, or are one less;
            all bits are.
        """
        equal = [Const(1, 1)] * BLOCK_SIZE
        near = [Const(1, 1)] * BLOCK_SIZE
        for place in reversed(range(FP32.exponent_bits)):
            bits = [exponent[place] for exponent in exponents]
            # A signal of its own: simulators take a vector that depends on its bits for a loop.
            largest = Signal(name=f"shared_{place}")
            if self.shared_given:
                m.d.comb += largest.eq(shared[place])
            else:
                candidates = Signal(BLOCK_SIZE, name=f"candidates_{place}")
                m.d.comb += [candidates.eq(Cat(equal) & Cat(bits)),
                             largest.eq(candidates.any()), shared[place].eq(largest)]
            if place >= SHIFT_BITS:
                # Less by one stays so only by borrowing: 0 above this bit's 1.
                is_near = Signal(BLOCK_SIZE, name=f"is_near_{place}")
                borrowing = [~largest & bit for bit in bits]
                m.d.comb += is_near.eq(Cat(equal) | (Cat(near) & Cat(borrowing)))
                near = list(is_near)
            is_equal = Signal(BLOCK_SIZE, name=f"is_equal_{place}")
            m.d.comb += is_equal.eq(Cat(equal) & Cat(bit | ~largest for bit in bits))
            equal = list(is_equal)
            if place == SHIFT_BITS:
                tops = equal
        return tops, near, equal

    @staticmethod
    def _subtract(m, lane, exponent, shared, is_lower):
        """Return the low bits of shared - exponent - is_lower, and whether they borrow."""
        # exponent + ~shared + is_lower is the complement of that. The lowest place only makes the
        # carry, so it is one adder.
        total = Signal(SHIFT_BITS + 2, name=f"total_{lane}")
        m.d.comb += total.eq(
            Cat(is_lower, exponent[:SHIFT_BITS]) + Cat(is_lower, ~shared[:SHIFT_BITS]))
        shift = Signal(SHIFT_BITS, name=f"shift_{lane}")
        m.d.comb += shift.eq(~total[1:-1])
        return shift, total[-1]

    @staticmethod
    def _shift(m, lane, mantissa, shift, is_kept):
        """Shift a significand to the right, jamming what falls off; nothing is left unless kept."""
        dropped = FP32.mantissa_bits + 1 - SIGNIFICAND_BITS
        value = Signal(ALIGNED_BITS, name=f"significand_{lane}")
        m.d.comb += value.eq(Cat(mantissa[:dropped].any(), mantissa[dropped:], 1))
        highest = SHIFT_BITS - 1
        # By 2, 4 and 1 is the smallest of the six orders. `is_kept` is cheapest in the widest step,
        # which masks half of the places anyway.
        for level in (*range(1, SHIFT_BITS), 0):
            places = 1 << level
            shifted = Signal(ALIGNED_BITS, name=f"shifted_{lane}_by_{places}")
            moves, stays = shift[level], ~shift[level]
            sticky = value[0] | (moves & value[1 : places + 1].any())
            if level == highest:
                moves, stays = moves & is_kept, stays & is_kept
            m.d.comb += shifted.eq(Cat(sticky, Mux(moves, value[places + 1 :], 0)
                                       | Mux(stays, value[1:], 0)))
            value = shifted
        return value


class BlockAligner(wiring.Component):
    """Align blocks, and find the largest magnitude of each.

    Latency `latency` (2) cycles; one block per cycle. The second register is a `StreamBuffer`, so
    that no stall at ``o`` reaches ``i`` in the same cycle.

    Members
    -------
    i : In(stream of Compared)
    o : Out(stream of Aligned)
    """

    i: In(stream.Signature(Compared))
    o: Out(stream.Signature(Aligned))

    latency = 2

    def elaborate(self, platform):
        m = Module()
        # Cycle 0: the largest magnitude, whose exponent is the shared one.
        searched = stream.Signature(Searched).create(path=("searched",))
        magnitudes = [element[: FP32.width - 1] for element in self.i.p.elements]
        largest = [Signal(FP32.width - 1, name=f"largest_of_four_{index}")
                   for index in range(FOURS)]
        m.d.comb += [signal.eq(Array(magnitudes[4 * index : 4 * index + 4])[place])
                     for index, (signal, place)
                     in enumerate(zip(largest, self.i.p.largest_at, strict=True))]
        found = Signal(Searched)
        m.d.comb += [found.elements.eq(self.i.p.elements),
                     found.largest.eq(largest_of(m, largest, name="largest", at_once=4))]
        register_slice(m, self.i, searched, found)
        # Cycle 1: shift all elements to it.
        m.submodules.alignment = alignment = BlockAlignment(shared_given=True)
        aligned = Signal(Aligned)
        m.d.comb += [
            alignment.i.eq(searched.p.elements),
            alignment.shared.eq(searched.p.largest[FP32.mantissa_bits:]),
            aligned.block.eq(alignment.o), aligned.largest.eq(searched.p.largest),
        ]
        m.submodules.leaves = leaves = StreamBuffer(Aligned)
        pass_on(m, searched, leaves.i, aligned)
        wiring.connect(m, leaves.o, wiring.flipped(self.o))
        return m
