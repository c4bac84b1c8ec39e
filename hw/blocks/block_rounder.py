"""Second half of the MX conversion: rounding to MX9 or MX6."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE, MX6, MX9
from hw.contract.block_bits import NAN_EXPONENT, RESIDUAL_BITS
from hw.contract.job_codes import ROUNDINGS
from hw.contract.layouts import AlignedBlock, Rounded
from hw.parts.bits import total_of


class Tagged(data.Struct):
    """An aligned block and its precision."""

    block: AlignedBlock
    is_mx9: 1


class BlockRounding(wiring.Component):
    """Round an aligned block to the precision of its tag, combinationally.

    MX9 mantissas are 8 * base + residual; an MX6 block has its mantissas in the base, and zero
    residuals. A mantissa that would round past the largest stays there.

    Parameters
    ----------
    rounding : str
        "half_even", or "truncate" (as DaCapo, ISCA 2024).

    Members
    -------
    i : In(Tagged)
    o : Out(Rounded)
    is_saturated : Out(16)
        The elements that ``o.saturated`` counts.

    Raises
    ------
    ValueError
        If the rounding is unknown.
    """

    def __init__(self, *, rounding: str = "half_even"):
        if rounding not in ROUNDINGS:
            raise ValueError(f"rounding must be one of {', '.join(ROUNDINGS)}, not {rounding!r}")
        self.rounding = rounding
        super().__init__({"i": In(Tagged), "o": Out(Rounded), "is_saturated": Out(BLOCK_SIZE)})

    def elaborate(self, platform):
        m = Module()
        block, is_mx9, out = self.i.block, self.i.is_mx9, self.o
        residuals = Signal.like(out.block.residual)
        for lane in range(BLOCK_SIZE):
            magnitude = block.magnitude[lane]
            if self.rounding == "truncate":
                mantissa, saturates = magnitude[-MX9.mantissa_bits :], 0
            else:
                mantissa, saturates = _round_half_even(m, lane, magnitude, is_mx9)
            m.d.comb += [
                self.is_saturated[lane].eq(saturates),
                out.block.base[lane].eq(mantissa[RESIDUAL_BITS:]),
                residuals[lane].eq(Mux(is_mx9, mantissa[:RESIDUAL_BITS], 0)),
            ]
        m.d.comb += [
            out.block.exponent.eq(block.exponent),
            out.block.microexponent.eq(block.microexponent),
            out.block.sign.eq(block.sign),
            out.block.residual.eq(residuals),
            out.is_mx9.eq(is_mx9),
            out.saturated.eq(total_of(self.is_saturated)),
            out.has_residual.eq(residuals.as_value().any()),
            out.has_nan.eq(block.exponent == NAN_EXPONENT),
        ]
        return m


def _round_half_even(m, lane, magnitude, is_mx9):
    """Return 7 bits, whose upper 4 are the rounded base, and whether rounding saturates.

    Both precisions share the increment of the base; the lower bits of an MX6 block mean nothing.
    """
    sticky, guard, mantissa = magnitude[0], magnitude[1], magnitude[2:]
    base = mantissa[RESIDUAL_BITS:]
    # One signal each: simulators take a vector that depends on its own bits for a loop.
    carry = [Signal(name=f"carry_{lane}_{bit}") for bit in range(MX9.mantissa_bits)]  # into each
    saturates = Signal(name=f"saturates_{lane}")
    rounded = Signal(MX9.mantissa_bits, name=f"rounded_{lane}")
    # MX9 adds its guard bit. Only the lowest bit sees a tie, which leaves it clear.
    arrivals = [guard & sticky, *(magnitude[1 : bit + 2].all() for bit in range(1, RESIDUAL_BITS))]
    # MX6's guard bit is the residual's highest: it adds where that bit and any other is set, the
    # base's lowest included. MX9 carries into the base where that bit and all below it are.
    guard_mx6, below_mx6 = mantissa[RESIDUAL_BITS - 1], magnitude[: -MX6.mantissa_bits - 1]
    adds_mx6 = ~is_mx9 & (base[0] | below_mx6.any())
    arrivals.append(guard_mx6 & (carry[RESIDUAL_BITS - 1] | adds_mx6))
    arrivals += [carry[bit] & mantissa[bit] for bit in range(RESIDUAL_BITS, MX9.mantissa_bits - 1)]
    for bit, arrives in enumerate(arrivals):
        clears = mantissa[bit] & (guard if bit == 0 else carry[bit])
        m.d.comb += [
            carry[bit].eq(arrives),
            # A half adder that stays at one where others would wrap: smaller than gating `carry`.
            rounded[bit].eq((mantissa[bit] | carry[bit]) & (~clears | saturates)),
        ]
    m.d.comb += saturates.eq(carry[RESIDUAL_BITS] & base.all())
    return rounded, saturates
