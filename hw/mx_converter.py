"""From sixteen FP32 values to one MX9 or MX6 block, in two steps with a wait between them."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, FP32, MX6, MX9, PAIRS, SUB_BLOCK_SIZE

from .bits import any_of, largest_of, total_of
from .layouts import (
    ALIGNED_BITS,
    NAN_EXPONENT,
    RESIDUAL_BITS,
    AlignedBlock,
    MXBlock,
)

ROUNDINGS = ("half_even", "truncate")

SIGNIFICAND_BITS = ALIGNED_BITS - 1
"""Bits of an FP32 significand that stay apart; the rest only makes the sticky bit."""

Elements = data.ArrayLayout(FP32.width, BLOCK_SIZE)


class Aligned(data.Struct):
    """What `BlockAligner` says of a block.

    Members
    -------
    block : AlignedBlock
    largest : unsigned(31)
        Largest magnitude of the raw elements, as an FP32 pattern without the sign; subnormal,
        infinite and NaN patterns count as they are.
    has_nan : unsigned(1)
        An element was infinite or NaN.
    """

    block: AlignedBlock
    largest: FP32.width - 1
    has_nan: 1


class Tagged(data.Struct):
    """An aligned block and its precision."""

    block: AlignedBlock
    is_mx9: 1


class Rounded(data.Struct):
    """What `BlockRounder` says of a block.

    Members
    -------
    block : MXBlock
    is_mx9 : unsigned(1)
        The precision it was given.
    saturated : unsigned(5)
        Elements that rounding would have taken past the largest mantissa.
    has_residual : unsigned(1)
        Some residual is not zero.
    has_nan : unsigned(1)
        It is a NaN block.
    """

    block: MXBlock
    is_mx9: 1
    saturated: range(BLOCK_SIZE + 1)
    has_residual: 1
    has_nan: 1


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
            aligned.has_nan.eq(is_nan),
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
        _register_slice(m, self.i, self.o, aligned)
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


class BlockRounder(wiring.Component):
    """Round an aligned block to the precision of its tag.

    MX9 mantissas are 8 * base + residual; an MX6 block has its mantissas in the base, and zero
    residuals. A mantissa that would round past the largest stays there.

    Latency `latency` (1) cycle; one block per cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    rounding : str
        "half_even", or "truncate" (as DaCapo, ISCA 2024).

    Members
    -------
    i : In(stream of Tagged)
    o : Out(stream of Rounded)

    Raises
    ------
    ValueError
        If the rounding is unknown.
    """

    latency = 1

    def __init__(self, *, rounding: str = "half_even"):
        if rounding not in ROUNDINGS:
            raise ValueError(f"rounding must be one of {', '.join(ROUNDINGS)}, not {rounding!r}")
        self.rounding = rounding
        super().__init__({
            "i": In(stream.Signature(Tagged)),
            "o": Out(stream.Signature(Rounded)),
        })

    def elaborate(self, platform):
        m = Module()
        block, is_mx9 = self.i.payload.block, self.i.payload.is_mx9
        rounded = Signal(Rounded)
        is_saturated = Signal(BLOCK_SIZE)
        for lane in range(BLOCK_SIZE):
            mantissa, overflows = self._round(m, lane, block.magnitude[lane], is_mx9)
            residual, base = mantissa[:RESIDUAL_BITS], mantissa[RESIDUAL_BITS:]
            m.d.comb += [
                is_saturated[lane].eq(overflows),
                rounded.block.base[lane].eq(base),
                rounded.block.residual[lane].eq(Mux(is_mx9, residual, 0)),
            ]
        m.d.comb += [
            rounded.block.exponent.eq(block.exponent),
            rounded.block.microexponent.eq(block.microexponent),
            rounded.block.sign.eq(block.sign),
            rounded.is_mx9.eq(is_mx9),
            rounded.saturated.eq(total_of(is_saturated)),
            rounded.has_residual.eq(rounded.block.residual.as_value().any()),
            rounded.has_nan.eq(block.exponent == NAN_EXPONENT),
        ]
        _register_slice(m, self.i, self.o, rounded)
        return m

    def _round(self, m, lane, magnitude, is_mx9):
        """Return 7 bits, whose upper 4 are the rounded base, and whether they would overflow."""
        below_mx9 = ALIGNED_BITS - MX9.mantissa_bits
        below_mx6 = ALIGNED_BITS - MX6.mantissa_bits
        # MX6 rounds with the same adder: its residual bits are ones, which carry.
        mantissa = Signal(MX9.mantissa_bits, name=f"mantissa_{lane}")
        ones = (~is_mx9).replicate(RESIDUAL_BITS)
        m.d.comb += mantissa.eq(magnitude[below_mx9:] | ones)
        if self.rounding == "truncate":
            return mantissa, 0
        rounds_up = Signal(name=f"rounds_up_{lane}")
        is_largest = Signal(name=f"is_largest_{lane}")
        rounded = Signal(MX9.mantissa_bits, name=f"rounded_{lane}")
        m.d.comb += [
            rounds_up.eq(Mux(
                is_mx9, _rounds_up(magnitude, below_mx9), _rounds_up(magnitude, below_mx6)
            )),
            is_largest.eq(mantissa.all()),
            rounded.eq(mantissa + (rounds_up & ~is_largest)),
        ]
        return rounded, rounds_up & is_largest


def _rounds_up(magnitude, below):
    """Tell whether rounding half to even goes up when the lowest ``below`` bits go."""
    odd, guard, rest = magnitude[below], magnitude[below - 1], magnitude[: below - 1]
    return guard & (odd | rest.any())


class MXConverter(wiring.Component):
    """Convert sixteen FP32 values to one block of the tagged precision.

    `BlockAligner`, then `BlockRounder`; the tag travels beside the block. Latency `latency` (2)
    cycles; one block per cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    rounding : str
        See `BlockRounder`.

    Members
    -------
    i : In(stream of struct)
        ``elements`` 16 x unsigned(32), FP32 patterns; ``is_mx9``.
    o : Out(stream of Rounded)
    """

    latency = BlockAligner.latency + BlockRounder.latency

    def __init__(self, *, rounding: str = "half_even"):
        self.rounding = rounding
        self.rounder = BlockRounder(rounding=rounding)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"elements": Elements, "is_mx9": 1}))),
            "o": Out(stream.Signature(Rounded)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.aligner = aligner = BlockAligner(with_largest=False)
        m.submodules.rounder = rounder = self.rounder
        is_mx9 = Signal()
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += is_mx9.eq(self.i.payload.is_mx9)
        m.d.comb += [
            aligner.i.payload.eq(self.i.payload.elements),
            aligner.i.valid.eq(self.i.valid),
            self.i.ready.eq(aligner.i.ready),
            rounder.i.payload.block.eq(aligner.o.payload.block),
            rounder.i.payload.is_mx9.eq(is_mx9),
            rounder.i.valid.eq(aligner.o.valid),
            aligner.o.ready.eq(rounder.i.ready),
        ]
        wiring.connect(m, rounder.o, wiring.flipped(self.o))
        return m


def _register_slice(m, i, o, payload):
    """Register ``payload`` between two streams; a stall reaches ``i`` in the same cycle."""
    held = Signal.like(o.payload, name="held", reset_less=True)
    is_held = Signal()
    m.d.comb += [i.ready.eq(~is_held | o.ready), o.valid.eq(is_held), o.payload.eq(held)]
    with m.If(i.ready):
        m.d.sync += is_held.eq(i.valid)
        with m.If(i.valid):
            m.d.sync += held.eq(payload)
