"""Widths and limits of the vector unit, as data."""

from golden.formats import FP32, FloatFormat

V24 = FloatFormat("v24", 8, 15)
"""What the vector unit multiplies: sign, 8 bits of exponent, 16 of significand of which the first
is hidden."""

DROPPED_BITS = FP32.mantissa_bits - V24.mantissa_bits
"""Bits of FP32 that V24 lacks."""

EXP2_LIMIT = 96
"""exp2 saturates from here on. No sum of 32,768 powers of two below the limit times numbers of FP16
overflows FP32, and no reciprocal of such a sum is below FP32's normals."""

GELU_LIMIT, SILU_LIMIT = 8, 16
"""Magnitudes, powers of two, from which on the gates of GELU and SiLU have their last value."""

SUM_BITS = 24
"""Bits of an addend's magnitude in the sum of a row, so that numbers of the row's largest binade
are exact: the mean of a constant row is its constant."""

SQUARE_BITS = 13
"""Binary logarithm of the largest magnitude whose square is added up in a row."""

MOST_COLUMNS = 1 << 16
"""Elements of a row whose statistics are taken. V24 holds their number exactly."""

SUM_FRACTION_BITS = 16
"""Bits of the sum of a quantized row below the unit of its largest block."""

BLOCK_SUM_WIDTH = 13
"""Signed bits of the sum of a quantized block: at most 16 * 127 * 2 = 4064 in magnitude."""

MOST_BLOCKS = 1 << 20
"""Blocks of a quantized row; their sum takes 49 bits."""
