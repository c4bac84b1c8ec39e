"""Payload layouts that more than one module shares. Element 0 sits in the lowest bits."""

from amaranth.lib import data

from golden.formats import BLOCK_SIZE, PAIRS

from .block_bits import ALIGNED_BITS, BASE_BITS, RESIDUAL_BITS


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
        As in `MXBlock`; rounding changes none of them.
    magnitude : 16 x unsigned(9)
        MX9's truncated 7-bit mantissa, then a guard bit, then a sticky bit (least significant).
    """

    exponent: 8
    microexponent: PAIRS
    sign: BLOCK_SIZE
    magnitude: data.ArrayLayout(ALIGNED_BITS, BLOCK_SIZE)


class Rounded(data.Struct):
    """A block rounded to its precision, and what rounding did to it.

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
        The block is a NaN block.
    """

    block: MXBlock
    is_mx9: 1
    saturated: range(BLOCK_SIZE + 1)
    has_residual: 1
    has_nan: 1
