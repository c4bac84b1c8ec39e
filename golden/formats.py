"""Number formats as data: the MX block formats, and the floating-point formats they come from."""

from dataclasses import dataclass

BLOCK_SIZE = 16
"""Elements that share an 8-bit exponent: k1 in Rouhani et al., ISCA 2023."""

SUB_BLOCK_SIZE = 2
"""Elements that share a 1-bit microexponent: k2 in Rouhani et al., ISCA 2023."""

PAIRS = BLOCK_SIZE // SUB_BLOCK_SIZE
"""Microexponents per block."""


@dataclass(frozen=True)
class MXFormat:
    """A block format with shared microexponents.

    Attributes
    ----------
    name : str
        What people call it.
    mantissa_bits : int
        Bits of magnitude per element, without the sign; m in Rouhani et al., ISCA 2023.
    """

    name: str
    mantissa_bits: int

    @property
    def largest_mantissa(self) -> int:
        """Magnitude code at which an element saturates."""
        return (1 << self.mantissa_bits) - 1

    @property
    def bits_per_element(self) -> int:
        """Storage per element, shared exponent and microexponents included."""
        return (self.block_bits + BLOCK_SIZE - 1) // BLOCK_SIZE

    @property
    def block_bits(self) -> int:
        """Bits of one block: shared exponent, microexponents, signs and mantissas."""
        return 8 + PAIRS + BLOCK_SIZE * (1 + self.mantissa_bits)


MX9 = MXFormat("MX9", 7)
MX6 = MXFormat("MX6", 4)
MX4 = MXFormat("MX4", 2)
MX_FORMATS = {fmt.name: fmt for fmt in (MX9, MX6, MX4)}


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format.

    Attributes
    ----------
    name : str
        What people call it, in lower case as in command lines.
    exponent_bits, mantissa_bits : int
        Stored fields; the hidden one is not counted.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int

    @property
    def width(self) -> int:
        """Bits of one number, its sign included."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """What a biased exponent exceeds the unbiased one by."""
        return (1 << (self.exponent_bits - 1)) - 1


FP32 = FloatFormat("fp32", 8, 23)
FP16 = FloatFormat("fp16", 5, 10)
BF16 = FloatFormat("bf16", 8, 7)
FLOAT_FORMATS = {fmt.name: fmt for fmt in (FP32, FP16, BF16)}
