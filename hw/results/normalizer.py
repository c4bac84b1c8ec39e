"""From an anchored fixed-point accumulator to FP32, with the one rounding of the whole sum."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from hw.floats.fp32_rounding import QUIET_NAN, rounded_magnitude
from hw.parts.bits import normalize_left

PRODUCT_BINADES = 8
"""A beat's D weighs 2^(Ea + Eb - 8)."""


class Normalizer(wiring.Component):
    """Normalize and round an accumulator to FP32.

    The value is ``accumulator * 2**(exponent_sum - 2*127 - 8 - fraction_bits)``. It is rounded
    once, half to even, to 24 bits as if exponents had no limit; then a result above FP32's range
    becomes infinity and one below its normals zero, both of the result's sign. Zero is +0.

    Latency `latency` (3) cycles; a value each cycle; never stalls.

    Parameters
    ----------
    acc_width : int
        Bits of the signed accumulator, at least 2.
    fraction_bits : int
        Of those, how many lie below the weight of D.

    Members
    -------
    i : In(struct)
        ``accumulator`` signed(acc_width); ``exponent_sum`` unsigned(9), the sum of the row's and
        the column's biased anchors; ``is_nan``, which makes the result 0x7FC00000.
    o : Out(32)
        FP32 pattern of the value given `latency` cycles ago.

    Raises
    ------
    ValueError
        If a width makes no sense.
    """

    latency = 3

    def __init__(self, *, acc_width: int, fraction_bits: int):
        if acc_width < 2:
            raise ValueError(f"accumulator width must be at least 2 bits, not {acc_width}")
        if not 0 <= fraction_bits < acc_width:
            raise ValueError(
                f"fraction bits must be in 0..{acc_width - 1} for a {acc_width}-bit accumulator,"
                f" not {fraction_bits}"
            )
        self.acc_width = acc_width
        self.fraction_bits = fraction_bits
        super().__init__({
            "i": In(data.StructLayout({
                "accumulator": signed(acc_width),
                "exponent_sum": unsigned(FP32.exponent_bits + 1),
                "is_nan": 1,
            })),
            "o": Out(FP32.width),
        })

    def elaborate(self, platform):
        m = Module()

        # Cycle 1: sign and magnitude, and the wide half of the shift that brings the leading one to
        # the top. The most negative accumulator has magnitude 2^(acc_width-1), which still fits
        # acc_width unsigned bits.
        side = data.StructLayout({
            "exponent_sum": unsigned(FP32.exponent_bits + 1), "is_nan": 1, "is_negative": 1,
        })
        side_1 = Signal(side, reset_less=True)
        magnitude = Signal(self.acc_width, reset_less=True)
        is_negative = self.i.accumulator[-1]
        inverted = self.i.accumulator ^ is_negative.replicate(self.acc_width)
        absolute = Signal(self.acc_width)
        m.d.comb += absolute.eq(inverted.as_unsigned() + is_negative)
        levels = (self.acc_width - 1).bit_length()
        low, high = range(levels - 2), range(max(0, levels - 2), levels)
        widely, wide_places = normalize_left(m, absolute, name="absolute", levels=high)
        zeros_above = Signal(len(wide_places), reset_less=True)
        m.d.sync += [
            side_1.exponent_sum.eq(self.i.exponent_sum),
            side_1.is_nan.eq(self.i.is_nan),
            side_1.is_negative.eq(is_negative),
            magnitude.eq(widely), zeros_above.eq(wide_places),
        ]

        # Cycle 2: the rest of the shift.
        shifted, places = normalize_left(m, magnitude, name="magnitude", levels=low)
        side_2 = Signal(side, reset_less=True)
        significand = Signal(self.acc_width, reset_less=True)
        leading_zeros = Signal(len(places), reset_less=True)
        m.d.sync += [side_2.eq(side_1), significand.eq(shifted),
                     leading_zeros.eq(zeros_above | places)]

        # Cycle 3: round, scale, pack.
        result = Signal(FP32.width, reset_less=True)
        m.d.comb += self.o.eq(result)
        m.d.sync += result.eq(self._pack(m, side_2, significand, leading_zeros))
        return m

    def _pack(self, m, side, significand, leading_zeros):
        # A significand with leading one at the top is 2^(acc_width-1) or more, so the biased FP32
        # exponent is (acc_width - 1 - leading_zeros) + (exponent_sum - 2*127 - 8 - F) + 127.
        offset = self.acc_width - 1 - PRODUCT_BINADES - self.fraction_bits - FP32.bias
        magnitude = rounded_magnitude(
            m, significand, side.exponent_sum + offset - leading_zeros)
        number = Cat(magnitude, side.is_negative & significand[-1])  # zero is +0
        return Mux(side.is_nan, QUIET_NAN, number)
