"""One over the sum of a quantized row: what a softmax is multiplied by."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32, MX9
from golden.vector.formats import SUM_FRACTION_BITS
from hw.contract.block_bits import NAN_EXPONENT
from hw.contract.factor import Factor
from hw.vector.reciprocal import Reciprocal
from hw.vector.row_sum import RowSum

from .normalizer import PRODUCT_BINADES, Normalizer

EXPONENT_OFFSET = FP32.bias + PRODUCT_BINADES - MX9.mantissa_bits
"""What a row's largest exponent lacks to the sum of two that a `Normalizer` takes.

The sum counts units of 2^(R - 127 - 7 - 16), a `Normalizer`'s accumulator those of
2^(exponent_sum - 2*127 - 8 - 16).
"""


def sum_normalizer(width):
    """Return what rounds the sums of rows to FP32; its ``exponent_sum`` is R + `EXPONENT_OFFSET`.

    Parameters
    ----------
    width : int
        As `RowSum` has it.
    """
    return Normalizer(acc_width=width, fraction_bits=SUM_FRACTION_BITS)


class RowFactor(wiring.Component):
    """Round a row's sum to FP32, and give one over it; +0 where it is zero.

    Latency `latency` cycles; a row each cycle; never stalls.

    Parameters
    ----------
    columns_max : int
        As in `RowSum`.

    Members
    -------
    sum : In(signed(RowSum.width_of(columns_max)))
        As `RowSum` has it.
    largest : In(8)
        The row's largest biased exponent; 255 if it has a NaN block.
    enable : In(1)
        The row has a factor at all.
    o : Out(Factor)
    """

    def __init__(self, *, columns_max):
        self.normalizer = sum_normalizer(RowSum.width_of(columns_max))
        self.latency = self.normalizer.latency + Reciprocal.latency
        super().__init__({
            "sum": In(signed(RowSum.width_of(columns_max))), "largest": In(FP32.exponent_bits),
            "enable": In(1), "o": Out(Factor)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.normalizer = normalizer = self.normalizer
        m.submodules.reciprocal = reciprocal = Reciprocal()
        enable, is_zero = self.enable, Signal(name="is_zero_0")
        m.d.comb += [
            normalizer.i.accumulator.eq(self.sum),
            normalizer.i.exponent_sum.eq(self.largest + EXPONENT_OFFSET),
            normalizer.i.is_nan.eq(self.largest == NAN_EXPONENT),
            reciprocal.i.eq(normalizer.o), is_zero.eq(normalizer.o[:-1] == 0)]
        for cycle in range(self.latency):
            delayed = Signal(name=f"enable_{cycle + 1}")
            m.d.sync += delayed.eq(enable)
            enable = delayed
        for cycle in range(reciprocal.latency):
            delayed = Signal(name=f"is_zero_{cycle + 1}", reset_less=True)
            m.d.sync += delayed.eq(is_zero)
            is_zero = delayed
        m.d.comb += [self.o.enable.eq(enable), self.o.value.eq(reciprocal.o)]
        with m.If(is_zero):
            m.d.comb += self.o.value.eq(0)
        return m
