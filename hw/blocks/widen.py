"""Widening of FP16 and BF16 elements to FP32, exactly."""

from amaranth import Cat, Const, Module, Mux, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BF16, BLOCK_SIZE, FLOAT_FORMATS, FP16, FP32
from hw.contract.job_codes import FORMAT_BITS, FORMAT_CODES
from hw.parts.bits import normalize_left

Elements = data.ArrayLayout(unsigned(FP32.width), BLOCK_SIZE)
"""Sixteen FP32 patterns, or narrower ones in the low bits of each element."""


class Widen(wiring.Component):
    """Widen a block's elements to FP32 without changing any value.

    Combinational. An FP16 subnormal becomes the FP32 normal of the same value; infinity stays
    infinity; a NaN keeps its sign and its payload, shifted to the top of the mantissa.

    Parameters
    ----------
    float_formats : sequence of str
        Names in `golden.formats.FLOAT_FORMATS` that can be selected; only these cost hardware.

    Members
    -------
    i : In(16 x unsigned(32))
        Raw elements, each in the low bits of its 32; bits above the format's width are ignored.
    format : In(2)
        Index into `golden.formats.FLOAT_FORMATS`: 0 FP32, 1 FP16, 2 BF16. The index of a format
        that was not built selects an unspecified one of those that were.
    o : Out(16 x unsigned(32))
        FP32 patterns.

    Raises
    ------
    ValueError
        If no format is named, or an unknown one.
    """

    def __init__(self, *, float_formats: tuple[str, ...] = tuple(FLOAT_FORMATS)):
        unknown = [name for name in float_formats if name not in FLOAT_FORMATS]
        if unknown or not float_formats:
            wanted = ", ".join(FLOAT_FORMATS)
            raise ValueError(
                f"float formats must be one or more of {wanted}, not {list(float_formats)}"
            )
        self.float_formats = tuple(name for name in FLOAT_FORMATS if name in float_formats)
        super().__init__({
            "i": In(Elements),
            "format": In(FORMAT_BITS),
            "o": Out(Elements),
        })

    def elaborate(self, platform):
        m = Module()
        for lane, (raw, wide) in enumerate(zip(self.i, self.o, strict=True)):
            widened = {
                FP32.name: raw,
                FP16.name: self._widen_fp16(m, raw, lane) if FP16.name in self.float_formats else 0,
                BF16.name: Cat(Const(0, FP32.width - BF16.width), raw[: BF16.width]),
            }
            first, *others = self.float_formats
            chosen = widened[first]
            for name in others:
                chosen = Mux(self.format == FORMAT_CODES[name], widened[name], chosen)
            m.d.comb += wide.eq(chosen)
        return m

    @staticmethod
    def _widen_fp16(m, raw, lane):
        mantissa = raw[: FP16.mantissa_bits]
        exponent = raw[FP16.mantissa_bits : FP16.width - 1]
        sign = raw[FP16.width - 1]
        # Re-biasing adds 127 - 15 = 0b0111_0000, which only spreads the top bit: 0xxxx becomes
        # 0111_xxxx and 1xxxx becomes 1000_xxxx. All ones (infinity, NaN) becomes all ones.
        top = exponent[-1]
        rebiased = Cat(exponent[:-1], (~top | exponent.all()).replicate(3), top)
        # A subnormal m * 2^-24 whose leading one is `places` below bit 9 has the biased FP32
        # exponent 9 - places - 24 + 127 = 112 - places, and loses its leading one.
        shifted, places = normalize_left(m, mantissa, name=f"subnormal_{lane}")
        raised = Mux(shifted[-1], FP32.bias - FP16.bias - places, 0)[: FP32.exponent_bits]
        is_subnormal = ~exponent.any()
        return Cat(
            Const(0, FP32.mantissa_bits - FP16.mantissa_bits),
            Mux(is_subnormal, Cat(Const(0, 1), shifted[:-1]), mantissa),
            Mux(is_subnormal, raised, rebiased),
            sign,
        )
