"""First half of the MX conversion: shared exponents, and elements shifted to them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32, PAIRS, SUB_BLOCK_SIZE

from .bits import any_of, largest_of
from .layouts import ALIGNED_BITS, AlignedBlock
from .register_slice import register_slice
from .widen import Elements

SIGNIFICAND_BITS = ALIGNED_BITS - 1
"""Bits of an FP32 significand that stay apart; the rest only makes the sticky bit."""


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


class BlockAligner(wiring.Component):
    """Find a block's shared exponents and shift its elements to them.

    Subnormals count as zeros of their sign. A block with an infinity or a NaN becomes the NaN
    block: exponent 255, all else zero. The sticky bit of an element is only kept where the guard
    bit or a mantissa bit can be set: eight places down nothing rounds up any more.

    Latency `latency` (1) cycle; one block per cycle; ``i`` stalls while ``o`` does.
    Source: Rouhani et al., ISCA 2023, section 3 (two levels of shared exponents).

    Parameters
    ----------
    with_largest : bool
        Find ``largest``, for an outlier detector. Without, it is zero and only the exponents are
        compared, which is half of the component's area.

    Members
    -------
    i : In(stream of 16 x unsigned(32))
        FP32 patterns.
    o : Out(stream of Aligned)
    """

    latency = 1

    def __init__(self, *, with_largest: bool = True):
        self.with_largest = with_largest
        super().__init__({
            "i": In(stream.Signature(Elements)),
            "o": Out(stream.Signature(Aligned)),
        })

    def elaborate(self, platform):
        m = Module()
        aligned = Signal(Aligned)
        block = aligned.block

        magnitudes = [element[: FP32.width - 1] for element in self.i.payload]
        if self.with_largest:
            largest = largest_of(m, magnitudes, name="largest")
            shared_exponent = largest[FP32.mantissa_bits :]
            m.d.comb += aligned.largest.eq(largest)
        else:
            exponents = [magnitude[FP32.mantissa_bits :] for magnitude in magnitudes]
            shared_exponent = largest_of(m, exponents, name="shared_exponent")
        is_nan = shared_exponent.all()
        m.d.comb += [
            block.exponent.eq(shared_exponent),
            block.sign.eq(Mux(is_nan, 0, Cat(element[-1] for element in self.i.payload))),
        ]
        for pair in range(PAIRS):
            lanes = range(SUB_BLOCK_SIZE * pair, SUB_BLOCK_SIZE * (pair + 1))
            exponents = [magnitudes[lane][FP32.mantissa_bits :] for lane in lanes]
            is_lower = Signal(name=f"is_lower_{pair}")
            m.d.comb += [
                is_lower.eq(~any_of(exponent == shared_exponent for exponent in exponents)),
                block.microexponent[pair].eq(is_lower & ~is_nan),
            ]
            for lane in lanes:
                aligned_lane, is_kept = self._align(
                    m, lane, magnitudes[lane], shared_exponent, is_lower
                )
                m.d.comb += block.magnitude[lane].eq(Mux(is_kept & ~is_nan, aligned_lane, 0))
        register_slice(m, self.i, self.o, aligned)
        return m

    @staticmethod
    def _align(m, lane, magnitude, shared_exponent, is_lower):
        """Shift an element's significand to its pair's exponent, and tell whether any is left."""
        mantissa, exponent = magnitude[: FP32.mantissa_bits], magnitude[FP32.mantissa_bits :]
        dropped = FP32.mantissa_bits + 1 - SIGNIFICAND_BITS
        value = Signal(ALIGNED_BITS, name=f"significand_{lane}")
        # shared - exponent - is_lower, never negative, in one adder: its lowest place makes a carry
        # where the pair keeps the shared exponent.
        shift = Signal(FP32.exponent_bits, name=f"shift_{lane}")
        m.d.comb += [
            value.eq(Cat(mantissa[:dropped].any(), mantissa[dropped:], 1)),
            shift.eq((Cat(~is_lower, shared_exponent) + Cat(~is_lower, ~exponent)) >> 1),
        ]
        levels = (SIGNIFICAND_BITS - 1).bit_length()
        for level in range(levels):
            places = 1 << level
            shifted = Signal(ALIGNED_BITS, name=f"shifted_{lane}_by_{places}")
            sticky = value[: places + 1].any()
            m.d.comb += shifted.eq(Mux(shift[level], Cat(sticky, value[places + 1 :]), value))
            value = shifted
        return value, exponent.any() & ~shift[levels:].any()
