"""The formats of OCP's Microscaling Formats (MX) Specification v1.0, September 2023.

Not the MX9, MX6 and MX4 of Rouhani et al. (ISCA 2023), which the accelerator has: blocks here are
32 numbers along K, one power of two scales them, and each element is a small floating-point number
of its own, or an integer. Both operands of every GEMM are quantized, attention's two included.

The scale is that of the specification's section 6.3: the largest power of two that does not exceed
the largest magnitude of the block, divided by the largest power of two of the element type.
Elements are rounded to nearest, ties to even. A magnitude between the largest value of the element
type and the next power of two saturates: with E4M3, all from 448 to 512 times the scale. Other
rules exist: cuBLAS for NVIDIA's Blackwell divides the largest magnitude by the largest value and
rounds up to a power of two (RCEIL), so that nothing saturates, but more blocks get a coarser step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from golden.torch import Site
from quality.baselines.element import (
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    INT8,
    Element,
    exponents,
    power_of_two,
)
from quality.baselines.grouping import from_groups, to_groups
from quality.baselines.scheme import BaselineScheme

BLOCK = 32
"""Elements that share a scale."""

SCALE_BITS = 8
"""E8M0: a power of two and nothing else, or NaN."""

SCALE_EXPONENT = 127
"""Largest magnitude of a scale's exponent, section 5.4.1."""


@dataclass(frozen=True)
class Microscaling:
    """One of the specification's formats.

    Parameters
    ----------
    name : str
    element : Element
    """

    name: str
    element: Element

    def stored_bits(self, shape: torch.Size) -> int:
        """Return the bits of a tensor of `shape`: codes, and a scale for each block, whole or not.

        Where K is a multiple of 32, an element takes 1/4 bit more than its code.
        """
        rows, width = shape[:-1].numel(), shape[-1]
        return rows * (width * self.element.bits + -(-width // BLOCK) * SCALE_BITS)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the quantized values of `x`, of its shape, in float32.

        Parameters
        ----------
        x : Tensor
            Shape (..., K), floating point, rounded to FP32 first. The last block of a row may be
            shorter. A block that holds an infinity or a NaN becomes NaN, which its scale can say.
            Zeros stay zeros, with their signs in all but MXINT8. No scale is less than 2**-127, so
            what is tiny beside that vanishes.

        Raises
        ------
        TypeError
            If `x` is no floating-point tensor.
        """
        blocks = to_groups(x, BLOCK).double()  # every step below is exact there, but the rounding
        largest = blocks.abs().amax(-1, keepdim=True)
        exponent = exponents(largest) - self.element.largest_exponent
        scale = power_of_two(exponent.clamp(-SCALE_EXPONENT, SCALE_EXPONENT))
        values = self.element.round(blocks / scale) * scale
        values = values.masked_fill(~largest.isfinite(), torch.nan)
        return from_groups(values.float(), x.shape)


FORMATS = {
    "mxfp8_e4m3": Microscaling("MXFP8 (E4M3)", E4M3),
    "mxfp8_e5m2": Microscaling("MXFP8 (E5M2)", E5M2),
    "mxint8": Microscaling("MXINT8", INT8),
    "mxfp6_e2m3": Microscaling("MXFP6 (E2M3)", E2M3),
    "mxfp6_e3m2": Microscaling("MXFP6 (E3M2)", E3M2),
    "mxfp4": Microscaling("MXFP4", E2M1),
}
"""By the names of their policies."""


def microscaling(name: str) -> Callable[[Site], BaselineScheme]:
    """Return a policy that quantizes both operands of every GEMM to one of `FORMATS`.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    if name not in FORMATS:
        raise ValueError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    fmt = FORMATS[name]
    return lambda site: BaselineScheme(fmt, fmt)
