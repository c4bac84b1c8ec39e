"""One over the deviation of a row, or over its root mean square, without a division."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import SQUARE_BITS
from hw.floats.fp32_rounding import QUIET_NAN, rounded_magnitude

from .question import question
from .row_totals import COARSE_WIDTH, COLUMN_BITS, SQUARES_WIDTH

SPREAD_BITS = SQUARES_WIDTH - 1 + COLUMN_BITS - 1 + 1
"""Of V, which is N times the sum of squares at most: 65536 times 2^42."""

FAST = 8
"""Places of the wide step of normalization."""


class RowScale(wiring.Component):
    """Give N / sqrt(V + N^2 epsilon), V being N * squares - coarse_total^2, or N * squares.

    V grows by Horner's rule, from the highest bits of N and of the total on, a bit of both per
    cycle, in one register; it is normalized there by eight places or one per cycle. Three questions
    to others follow: a sum, a reciprocal root and a product. N becomes a number in the same
    register meanwhile.

    Latency 36 cycles, those of the answers, and up to 13 to normalize V, or 8 to normalize N if the
    root is found sooner. One row at a time.

    Members
    -------
    start : In(1)
        Begin a row; not before the last one is done. All inputs below stay until then.
    squares : In(43)
    coarse_total : In(signed(31))
        As in `hw.vector.row_totals`.
    exponent : In(8)
        E, the row's largest biased exponent. 255 makes the scale the quiet NaN.
    columns : In(17)
        N, from 1 to 65536.
    is_centred : In(1)
        Subtract the square of the total: LayerNorm does, RMSNorm does not.
    offset : In(32)
        N^2 epsilon, a normal number of FP32 above zero.
    sum : Out(question("a", "b"))
        FP32, as `hw.floats.fp32_adder` adds.
    reciprocal_root : Out(question("x"))
        1/sqrt(x), V24.
    product : Out(question("a", "b"))
        Both rounded to V24, and their product to FP32.
    scale : Out(32)
        FP32 pattern. The quiet NaN also where the sum in the root is beyond FP32.
    done : Out(1)
        The scale stands since this cycle; it stays until the next start.
    """

    start: In(1)
    squares: In(SQUARES_WIDTH)
    coarse_total: In(signed(COARSE_WIDTH))
    exponent: In(FP32.exponent_bits)
    columns: In(COLUMN_BITS)
    is_centred: In(1)
    offset: In(FP32.width)
    sum: Out(question("a", "b"))
    reciprocal_root: Out(question("x"))
    product: Out(question("a", "b"))
    scale: Out(FP32.width)
    done: Out(1)

    def elaborate(self, platform):
        m = Module()
        value = Signal(SPREAD_BITS, reset_less=True)
        exponent = Signal(signed(FP32.exponent_bits + 2), reset_less=True)  # of value's top bit
        number = Cat(rounded_magnitude(m, value, exponent), Const(0, 1))
        held = Signal(FP32.width, reset_less=True)  # the last answer
        # The total's sign has a weight of its own, and is there from the start.
        places = COARSE_WIDTH - 1
        place = Signal(range(places), reset_less=True)  # of the next digits; behind 0 all ones
        column_digit, total_digit = (Signal(name=f"{name}_digit", reset_less=True)
                                     for name in ("column", "total"))
        total = Signal(signed(COARSE_WIDTH))
        m.d.comb += total.eq(Mux(self.is_centred, self.coarse_total, 0))

        is_normal = Signal()
        is_far = Signal()
        m.d.comb += [is_normal.eq(value[-1] | ~value.any()), is_far.eq(~value[-FAST:].any())]
        is_new = Signal()  # in the first cycle of a state that asks
        m.d.sync += is_new.eq(0)
        m.d.comb += [
            self.sum.a.eq(number), self.sum.b.eq(self.offset),
            self.reciprocal_root.x.eq(held),
            self.product.a.eq(held), self.product.b.eq(number),
            self.scale.eq(held),
        ]
        m.d.sync += self.done.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [
                        value.eq(Mux(total[-1], total, 0)),
                        place.eq(places - 2),
                        column_digit.eq(0), total_digit.eq(total[places - 1]),
                        # The top bit of V weighs 2^(2 (E - 139) + SPREAD_BITS - 1).
                        exponent.eq(Cat(Const(0, 1), self.exponent) + (
                            SPREAD_BITS - 1 + FP32.bias - 2 * (FP32.bias + SQUARE_BITS - 1))),
                    ]
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                digits = Cat(self.columns, Const(0, places - COLUMN_BITS))
                m.d.sync += [
                    place.eq(place - 1),
                    column_digit.eq(Array(digits)[place]),
                    total_digit.eq(Array(total[:places])[place]),
                    value.eq(Cat(Const(0, 1), value) + Mux(column_digit, self.squares, 0)
                             - Mux(total_digit, total, 0)),
                ]
                with m.If(place.all()):
                    m.next = "NORMALIZE"
            with m.State("NORMALIZE"):
                self._normalize(m, value, exponent, is_far, is_normal)
                with m.If(is_normal):
                    m.d.sync += is_new.eq(1)
                    m.next = "ADD"
            with m.State("ADD"):
                m.d.comb += self.sum.ask.eq(is_new)
                with m.If(self.sum.answered):
                    m.d.sync += [
                        held.eq(self.sum.answer), is_new.eq(1),
                        value.eq(Cat(Const(0, SPREAD_BITS - COLUMN_BITS), self.columns)),
                        exponent.eq(FP32.bias + COLUMN_BITS - 1),
                    ]
                    m.next = "ROOT"
            with m.State("ROOT"):
                self._normalize(m, value, exponent, is_far, is_normal)
                m.d.comb += self.reciprocal_root.ask.eq(is_new)
                is_unseen = _exponent(held).all() | self.exponent.all()
                with m.If(self.reciprocal_root.answered):
                    m.d.sync += held.eq(
                        Mux(is_unseen, QUIET_NAN, self.reciprocal_root.answer))
                    m.next = "WAIT"
            with m.State("WAIT"):
                self._normalize(m, value, exponent, is_far, is_normal)
                with m.If(is_normal):
                    m.d.sync += is_new.eq(1)
                    m.next = "MULTIPLY_BY_N"
            with m.State("MULTIPLY_BY_N"):
                m.d.comb += self.product.ask.eq(is_new)
                with m.If(self.product.answered):
                    m.d.sync += [held.eq(self.product.answer), self.done.eq(1)]
                    m.next = "IDLE"
        return m

    @staticmethod
    def _normalize(m, value, exponent, is_far, is_normal):
        """Shift a value to the left by a step, unless its top bit is set."""
        with m.If(~is_normal):
            m.d.sync += [
                value.eq(Mux(is_far, value << FAST, value << 1)),
                exponent.eq(exponent - Mux(is_far, FAST, 1)),
            ]


def _exponent(pattern):
    return pattern[FP32.mantissa_bits : -1]
