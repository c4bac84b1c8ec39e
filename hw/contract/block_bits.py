"""Bits of a block, in the datapath, in memory and in packets."""

from golden.formats import BLOCK_SIZE, MX6, MX9, PAIRS

BASE_BITS = MX6.mantissa_bits
"""Bits of H, the part of a mantissa that every multiplier sees."""

RESIDUAL_BITS = MX9.mantissa_bits - MX6.mantissa_bits
"""Bits of L, what MX9 adds below H."""

ALIGNED_BITS = MX9.mantissa_bits + 2
"""Bits of an aligned magnitude before rounding: MX9's mantissa, a guard bit and a sticky bit."""

BASE_BLOCK_BITS = 8 + PAIRS + BLOCK_SIZE * (1 + BASE_BITS)
"""A base block: exponent, microexponents, signs, H. As stored and as sent, 12 bytes."""

RESIDUAL_BLOCK_BITS = BLOCK_SIZE * RESIDUAL_BITS
"""A residual block: L. 6 bytes."""

MX_BLOCK_BITS = BASE_BLOCK_BITS + RESIDUAL_BLOCK_BITS
"""Both, as `hw.contract.layouts.MXBlock` has them."""

NAN_EXPONENT = 255
"""Biased shared exponent that marks a NaN block."""
