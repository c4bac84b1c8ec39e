"""Payload layouts that more than one module shares. Element 0 sits in the lowest bits."""

from amaranth.lib import data

from golden.formats import BLOCK_SIZE, MX6, MX9, PAIRS

BASE_BITS = MX6.mantissa_bits
"""Bits of H, the part of a mantissa that every multiplier sees."""

RESIDUAL_BITS = MX9.mantissa_bits - MX6.mantissa_bits
"""Bits of L, what MX9 adds below H."""

ALIGNED_BITS = MX9.mantissa_bits + 2
"""Bits of an aligned magnitude before rounding: MX9's mantissa, a guard bit and a sticky bit."""

NAN_EXPONENT = 255
"""Biased shared exponent that marks a NaN block."""


class MXBlock(data.Struct):
    """One block as multipliers and memories see it: an MX6-shaped base and MX9's residual.

    Members
    -------
    exponent : unsigned(8)
        Biased shared exponent; 255 marks a NaN block.
    microexponent : unsigned(8)
        Bit j belongs to the pair of elements 2j and 2j+1.
    sign : unsigned(16)
        Bit i is set when element i is negative.
    base : 16 x unsigned(4)
        H, the mantissa's high part.
    residual : 16 x unsigned(3)
        L, the mantissa's low part; zero in an MX6 block.
    """

    exponent: 8
    microexponent: PAIRS
    sign: BLOCK_SIZE
    base: data.ArrayLayout(BASE_BITS, BLOCK_SIZE)
    residual: data.ArrayLayout(RESIDUAL_BITS, BLOCK_SIZE)


class AlignedBlock(data.Struct):
    """One block whose elements share exponents but are not rounded yet.

    From it either precision follows exactly, so a block can wait here for its precision tag.

    Members
    -------
    exponent, microexponent, sign
        As in `MXBlock`, final.
    magnitude : 16 x unsigned(9)
        MX9's truncated 7-bit mantissa, then a guard bit, then a sticky bit (least significant).
    """

    exponent: 8
    microexponent: PAIRS
    sign: BLOCK_SIZE
    magnitude: data.ArrayLayout(ALIGNED_BITS, BLOCK_SIZE)
