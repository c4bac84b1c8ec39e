"""Element types of block formats: narrow floating-point numbers, and INT8 as OCP scales it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Element:
    """A signed number type, given by its finite values.

    They are the multiples of ``2**(e - mantissa_bits)`` below ``2**(e + 1)``, for each `e`
    from `smallest_exponent` on, up to `largest`. With one `e` alone they are evenly spaced.

    Attributes
    ----------
    bits : int
        Width of a code, its sign included.
    mantissa_bits : int
        Stored fraction bits.
    smallest_exponent : int
        Unbiased, of normal numbers; subnormals share it.
    largest : float
        Largest magnitude.
    has_negative_zero : bool
        Whether a zero has a sign.
    """

    bits: int
    mantissa_bits: int
    smallest_exponent: int
    largest: float
    has_negative_zero: bool = True

    @property
    def largest_exponent(self) -> int:
        """Unbiased exponent of the largest power of two among the values."""
        return math.frexp(self.largest)[1] - 1

    def round(self, x: Tensor) -> Tensor:
        """Return the nearest values, ties to the even code; what is beyond `largest` saturates.

        Parameters
        ----------
        x : Tensor, float64
            Any shape. NaN stays NaN.
        """
        exponent = exponents(x).clamp(min=self.smallest_exponent)
        step = power_of_two(exponent - self.mantissa_bits)
        values = ((x / step).round() * step).clamp(-self.largest, self.largest)
        return values if self.has_negative_zero else values + 0.0


E5M2 = Element(8, mantissa_bits=2, smallest_exponent=-14, largest=57344.0)
E4M3 = Element(8, mantissa_bits=3, smallest_exponent=-6, largest=448.0)
E3M2 = Element(6, mantissa_bits=2, smallest_exponent=-2, largest=28.0)
E2M3 = Element(6, mantissa_bits=3, smallest_exponent=0, largest=7.5)
E2M1 = Element(4, mantissa_bits=1, smallest_exponent=0, largest=6.0)
INT8 = Element(8, mantissa_bits=6, smallest_exponent=0, largest=127 / 64, has_negative_zero=False)
"""The element types of OCP Microscaling Formats v1.0, section 5.3. INT8 counts in steps of 2**-6;
its code of -2 is not used, as the specification allows, so that the range is symmetric."""


def exponents(x: Tensor) -> Tensor:
    """Return the floor of the binary logarithm of magnitudes, int64; of 0, infinity and NaN any."""
    return torch.frexp(x).exponent.long() - 1


def power_of_two(exponent: Tensor) -> Tensor:
    """Return ``2**exponent`` in float64, exactly, from its bits.

    Parameters
    ----------
    exponent : Tensor, int64
        -1022 to 1023.
    """
    return ((exponent + 1023) << 52).view(torch.float64)
