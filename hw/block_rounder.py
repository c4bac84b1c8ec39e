"""Second half of the MX conversion: rounding to MX9 or MX6."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, MX6, MX9

from .bits import total_of
from .layouts import (
    ALIGNED_BITS,
    NAN_EXPONENT,
    RESIDUAL_BITS,
    AlignedBlock,
    MXBlock,
)
from .register_slice import register_slice

ROUNDINGS = ("half_even", "truncate")


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
        register_slice(m, self.i, self.o, rounded)
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
