"""What the array and its schedule must know of an operand's block."""

from amaranth import unsigned
from amaranth.lib import data

from golden.formats import BLOCK_SIZE, PAIRS

from .block_bits import BASE_BITS

FLAGS = data.StructLayout({"is_mx9": 1, "has_residual": 1})
"""What the beat schedule must know of a K-block: its precision, and whether L matters at all."""


def block_layout(mantissa_bits=BASE_BITS, **others):
    """Describe what a beat needs of a block: signs, magnitudes, microexponents, and what else.

    Parameters
    ----------
    mantissa_bits : int
        Bits of a magnitude: 4 in the machine, where it is H or L.
    **others : shape-like
        Fields above the microexponents.
    """
    return data.StructLayout({
        "sign": unsigned(BLOCK_SIZE),
        "magnitude": data.ArrayLayout(mantissa_bits, BLOCK_SIZE),
        "microexponent": unsigned(PAIRS),
        **others,
    })


def operand_layout(drop_width, mantissa_bits=BASE_BITS):
    """Describe what one beat needs of one block.

    Parameters
    ----------
    drop_width : int
        Width of ``drop``: binades by which this operand lies below its anchor.
    mantissa_bits : int
        Bits of a magnitude.
    """
    return block_layout(mantissa_bits, drop=unsigned(drop_width))
