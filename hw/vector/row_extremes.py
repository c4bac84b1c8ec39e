"""First pass over a row of numbers: its largest exponent, and its largest number."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32
from hw.blocks.widen import Elements
from hw.floats.fp32_rounding import INFINITY, QUIET_NAN
from hw.parts.bits import any_of, is_larger, largest_of

MINUS_INFINITY = INFINITY | 1 << FP32.width - 1


class Candidate(data.Struct):
    """A number, or none.

    Members
    -------
    pattern : unsigned(32)
    is_there : unsigned(1)
    """

    pattern: FP32.width
    is_there: 1


class RowExtremes(wiring.Component):
    """Find the largest biased exponent of a row, and its largest number with its sign.

    Subnormals count as the zeros of their signs, and -0 as smaller than +0. A NaN of any pattern
    makes the largest number the quiet NaN 0x7FC00000. Without a valid element it is minus infinity,
    and the exponent is 0.

    Latency `latency` (2) cycles from a row's last block; a block each cycle; never stalls.

    Members
    -------
    block : In(16 x unsigned(32))
        FP32 patterns.
    is_valid : In(16)
        The elements that count: none of them in a cycle without a block.
    first, last : In(1)
        The block begins a row; it ends it.
    exponent : Out(8)
    maximum : Out(32)
        FP32 pattern. Both are of the row so far.
    done : Out(1)
        They are of the row that ended. Those of the next one may follow a cycle later.
    """

    latency = 2

    block: In(Elements)
    is_valid: In(BLOCK_SIZE)
    first: In(1)
    last: In(1)
    exponent: Out(FP32.exponent_bits)
    maximum: Out(FP32.width)
    done: Out(1)

    def elaborate(self, platform):
        m = Module()
        # Cycle 1: of the block.
        elements, fields = [], []
        for lane, pattern in enumerate(self.block):
            element = Signal(Candidate, name=f"element_{lane}")
            field = Signal(FP32.exponent_bits, name=f"exponent_of_{lane}")
            m.d.comb += [
                element.pattern.eq(pattern), element.is_there.eq(self.is_valid[lane]),
                field.eq(Mux(self.is_valid[lane], _exponent(pattern), 0)),
            ]
            elements.append(element)
            fields.append(field)
        number_1 = Signal(Candidate, reset_less=True)
        exponent_1 = Signal(FP32.exponent_bits, reset_less=True)
        has_nan_1 = Signal(reset_less=True)
        first_1 = Signal(reset_less=True)
        last_1 = Signal()
        m.d.sync += [
            number_1.eq(_largest(m, elements, name="block")),
            exponent_1.eq(largest_of(m, fields, name="exponent_of_block")),
            has_nan_1.eq(any_of(field.all() & pattern[: FP32.mantissa_bits].any()
                                for field, pattern in zip(fields, self.block, strict=True))),
            first_1.eq(self.first), last_1.eq(self.last),
        ]

        # Cycle 2: of the row so far.
        best = Signal(Candidate, reset_less=True)
        so_far = Signal(Candidate)
        has_nan = Signal(reset_less=True)
        exponent = Signal(FP32.exponent_bits, reset_less=True)
        m.d.comb += [so_far.pattern.eq(best.pattern), so_far.is_there.eq(best.is_there & ~first_1)]
        m.d.sync += [
            best.eq(_largest(m, [so_far, number_1], name="row")),
            has_nan.eq(has_nan_1 | has_nan & ~first_1),
            exponent.eq(largest_of(m, [Mux(first_1, 0, exponent), exponent_1], name="so_far")),
            self.done.eq(last_1),
        ]

        # Subnormals keep their order on the way, and one that wins becomes zero here.
        flushed = Signal(FP32.width)
        m.d.comb += [
            flushed.eq(best.pattern),
            self.exponent.eq(exponent),
            self.maximum.eq(Mux(has_nan, QUIET_NAN,
                                Mux(best.is_there, flushed, MINUS_INFINITY))),
        ]
        with m.If(~_exponent(best.pattern).any()):
            m.d.comb += flushed[: FP32.mantissa_bits].eq(0)
        return m


def _exponent(pattern):
    return pattern[FP32.mantissa_bits : -1]


def _largest(m, candidates, *, name):
    """Find the largest number among a power of two of candidates, as a tree."""
    while len(candidates) > 1:
        winners = []
        for left, right in zip(candidates[::2], candidates[1::2], strict=True):
            node = f"{name}_{len(candidates)}_{len(winners)}"
            signs = left.pattern[-1], right.pattern[-1]
            beats = Signal(name=f"{node}_beats")
            m.d.comb += beats.eq(is_larger(m, left.pattern[:-1], right.pattern[:-1],
                                           name=f"{node}_larger"))
            takes_left = Signal(name=f"{node}_takes_left")
            winner = Signal(Candidate, name=node)
            m.d.comb += [
                # Of two negative numbers the smaller magnitude is the larger number.
                takes_left.eq(left.is_there & (~right.is_there | Mux(
                    signs[0] ^ signs[1], signs[1], beats ^ signs[0]))),
                winner.pattern.eq(Mux(takes_left, left.pattern, right.pattern)),
                winner.is_there.eq(left.is_there | right.is_there),
            ]
            winners.append(winner)
        candidates = winners
    return candidates[0]
