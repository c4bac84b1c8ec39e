"""Rounding of FP32 results to the format in which they leave."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BF16, FP16, FP32
from hw.contract.job_codes import Output
from hw.contract.named import Named

REBIAS = FP32.bias - FP16.bias
"""Biased FP32 exponents up to this one are FP16's subnormals, or less."""


class Narrow(wiring.Component):
    """Round an FP32 number to FP16 or BF16, half to even, or leave it.

    FP16's subnormals are kept and what exceeds its range becomes infinity. BF16 has FP32's
    exponents: a subnormal counts as the zero of its sign (none comes from a `FP32Adder`). Every NaN
    becomes the format's positive quiet NaN.

    Latency 1 cycle; a number each cycle.

    Members
    -------
    load : In(1)
        Take ``i``; else ``o`` stays.
    is_there : In(1)
        The job has this number; in the place of any other comes zero.
    to : In(Output)
        FP32, FP16 or BF16.
    i : In(32)
        FP32 pattern.
    o : Out(32)
        Pattern of the result, FP16 and BF16 in the low half.
    """

    load: In(1)
    is_there: In(1)
    to: In(Named(Output))
    i: In(FP32.width)
    o: Out(FP32.width)

    def elaborate(self, platform):
        m = Module()
        fp16 = Signal(FP16.width)
        bf16 = Signal(BF16.width)
        held = Signal(FP32.width, reset_less=True)
        m.d.comb += [fp16.eq(self._to_fp16(m)), bf16.eq(self._to_bf16()), self.o.eq(held)]
        with m.If(self.load & ~self.is_there):
            m.d.sync += held.eq(0)
        with m.Elif(self.load):
            with m.Switch(self.to):
                with m.Case(Output.FP16):
                    m.d.sync += held.eq(fp16)
                with m.Case(Output.BF16):
                    m.d.sync += held.eq(bf16)
                with m.Default():
                    m.d.sync += held.eq(self.i)
        return m

    def _fields(self):
        """Split ``i`` into mantissa, exponent and sign."""
        return self.i[: FP32.mantissa_bits], self.i[FP32.mantissa_bits : -1], self.i[-1]

    def _is_nan(self):
        mantissa, exponent, _ = self._fields()
        return exponent.all() & mantissa.any()

    def _to_fp16(self, m):
        mantissa, exponent, sign = self._fields()
        kept = FP16.mantissa_bits
        # A subnormal moves right until its exponent is that of FP16's subnormals. `most` places
        # leave less than half a unit of it.
        most = kept + 2
        is_subnormal = exponent <= REBIAS
        places = Signal(range(most + 1))
        with m.If(is_subnormal):
            m.d.comb += places.eq(Mux(exponent < REBIAS + 1 - most, most, REBIAS + 1 - exponent))
        shifted = Signal(most + FP32.mantissa_bits + 1)
        m.d.comb += shifted.eq(Cat(Const(0, most), mantissa, exponent != 0) >> places)
        rebiased = Mux(is_subnormal, 0, exponent - REBIAS)[: FP16.exponent_bits]
        magnitude = self._rounded(shifted[:-1], rebiased, kept)
        infinity = (1 << FP16.exponent_bits) - 1 << kept
        overflows = exponent >= REBIAS + (1 << FP16.exponent_bits) - 1
        return Mux(self._is_nan(), infinity | 1 << kept - 1,
                   Cat(Mux(overflows, infinity, magnitude)[: FP16.width - 1], sign))

    def _to_bf16(self):
        mantissa, exponent, sign = self._fields()
        magnitude = self._rounded(mantissa, exponent, BF16.mantissa_bits)
        infinity = (1 << BF16.exponent_bits) - 1 << BF16.mantissa_bits
        return Mux(self._is_nan(), infinity | 1 << BF16.mantissa_bits - 1,
                   Cat(Mux(exponent == 0, 0, magnitude)[: BF16.width - 1], sign))

    def _rounded(self, mantissa, exponent, kept_bits):
        """Round a mantissa half to even; the carry goes into the exponent, at most to infinity."""
        kept, rest = mantissa[-kept_bits:], mantissa[:-kept_bits]
        rounds_up = rest[-1] & (rest[:-1].any() | kept[0])
        return Cat(kept, exponent) + rounds_up
