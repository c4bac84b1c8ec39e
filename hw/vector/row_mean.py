"""The mean of a row: the machine's only division, once per row."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import MOST_COLUMNS, SUM_BITS
from hw.floats.fp32_rounding import QUIET_NAN, SIGNIFICAND_BITS, rounded_magnitude

from .row_totals import COLUMN_BITS, TOTAL_WIDTH

QUOTIENT_BITS = SIGNIFICAND_BITS + 1
"""A significand and its guard bit; of all below the remainder tells whether it is zero."""

REMAINDER_BITS = (MOST_COLUMNS - 1).bit_length()

INFINITY_FIELD = (1 << FP32.exponent_bits) - 1


class RowMean(wiring.Component):
    """Divide a row's sum by its number of elements, rounded once to FP32, half to even.

    A bit of the quotient per cycle, restoring. No mean exceeds the largest element, so the
    quotient has as many bits as a fine number, and its first one weighs 2^E: a leading zero is one
    less in the exponent. Division ends 25 bits behind the leading zeros.

    Latency 26 cycles and one for each leading zero, of which there are up to 23 and the binary
    logarithm of N, rounded up; 2 for a sum of zero. One row at a time.

    Members
    -------
    start : In(1)
        Begin a row; not before the last one is done.
    total : In(signed(41))
        As in `hw.vector.row_totals`.
    exponent : In(8)
        E, the row's largest biased exponent. 255 makes the mean the quiet NaN.
    columns : In(17)
        N, from 1 to 65536; stays until the row is done.
    mean : Out(32)
        FP32 pattern. A sum of zero gives +0; below FP32's normals a mean is the zero of its sign.
    done : Out(1)
        The mean stands since this cycle; it stays until the next start.
    """

    start: In(1)
    total: In(signed(TOTAL_WIDTH))
    exponent: In(FP32.exponent_bits)
    columns: In(COLUMN_BITS)
    mean: Out(FP32.width)
    done: Out(1)

    def elaborate(self, platform):
        m = Module()
        remainder = Signal(REMAINDER_BITS, reset_less=True)
        # What is left of the dividend leaves at the top; the quotient enters below.
        quotient = Signal(QUOTIENT_BITS, reset_less=True)
        exponent = Signal(signed(FP32.exponent_bits + 1), reset_less=True)
        is_negative = Signal(reset_less=True)
        is_nan = Signal(reset_less=True)

        magnitude = Signal(TOTAL_WIDTH - 1)
        sign = self.total[-1]
        m.d.comb += magnitude.eq((self.total ^ sign.replicate(TOTAL_WIDTH)).as_unsigned() + sign)

        partial = Signal(REMAINDER_BITS + 1)
        difference = Signal(signed(REMAINDER_BITS + 2))
        fits = Signal()
        m.d.comb += [
            partial.eq(Cat(quotient[-1], remainder)),
            difference.eq(partial - self.columns),
            fits.eq(~difference[-1]),
        ]

        is_busy = Signal()
        has_begun = Signal()  # a bit of the quotient was 1
        left = Signal(range(QUOTIENT_BITS), reset_less=True)  # bits behind the leading one
        is_last = Signal()
        m.d.comb += is_last.eq(~(remainder.any() | quotient.any()) & ~has_begun
                               | has_begun & (left == 1))
        m.d.sync += self.done.eq(is_busy & is_last)
        with m.If(self.start):
            m.d.sync += [
                is_busy.eq(1), has_begun.eq(0), left.eq(QUOTIENT_BITS - 1),
                remainder.eq(magnitude[SUM_BITS:]),
                quotient.eq(Cat(Const(0, QUOTIENT_BITS - SUM_BITS), magnitude[:SUM_BITS])),
                exponent.eq(self.exponent), is_negative.eq(sign),
                is_nan.eq(self.exponent == INFINITY_FIELD),
            ]
        with m.Elif(is_busy):
            m.d.sync += [
                remainder.eq(Mux(fits, difference, partial)),
                quotient.eq(Cat(fits, quotient)),
                has_begun.eq(has_begun | fits),
            ]
            with m.If(has_begun):
                m.d.sync += left.eq(left - 1)
            with m.Elif(~fits):
                m.d.sync += exponent.eq(exponent - 1)
            with m.If(is_last):
                m.d.sync += is_busy.eq(0)

        rounded = rounded_magnitude(m, Cat(remainder.any(), quotient), exponent)
        m.d.comb += self.mean.eq(Mux(is_nan, QUIET_NAN, Cat(rounded, is_negative)))
        return m
