"""Uniform integer quantization of rows or of groups within rows: codes times a scale of 16 bits.

Scales are chosen from the numbers themselves, at run time for activations, and rounded to FP16
before the codes are made. What is returned are the numbers that the codes stand for.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SCALE_BITS = 16
SMALLEST_SCALE = 2.0**-24
"""The least positive FP16 number."""


@dataclass(frozen=True)
class Uniform:
    """How the numbers along the last axis become integers.

    Parameters
    ----------
    bits : int
        Width of a code, 2 to 8.
    codes : {"signed", "unsigned", "affine"}
        Symmetric about 0, from ``-(2**(bits-1) - 1)``; from 0, for numbers that are never negative;
        or from the least to the largest number, with a zero point of as many bits.
    group : int or None
        Numbers that share a scale; None for the whole row. The last group of a row may be shorter.

    Raises
    ------
    ValueError
        If a setting is none of these.
    """

    bits: int
    codes: str = "signed"
    group: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no quantizer."""
        if not 2 <= self.bits <= 8:
            raise ValueError(f"codes have 2 to 8 bits, not {self.bits}")
        if self.codes not in ("signed", "unsigned", "affine"):
            raise ValueError(f"codes are signed, unsigned or affine, not {self.codes!r}")
        if self.group is not None and self.group < 1:
            raise ValueError(f"a group has at least 1 number, not {self.group}")

    @property
    def name(self) -> str:
        """What sentences call it."""
        return "integer formats"

    def stored_bits(self, shape: torch.Size) -> int:
        """Return the bits of a tensor of `shape`, its scales and zero points included."""
        rows, width = shape[:-1].numel(), shape[-1]
        groups = -(-width // (self.group or width))
        overhead = SCALE_BITS + (self.bits if self.codes == "affine" else 0)
        return rows * (width * self.bits + groups * overhead)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the quantized values of `x`, of its shape, in float32.

        Parameters
        ----------
        x : Tensor
            Shape (..., K), floating point. Rounded half to even; a group that holds an infinity, a
            NaN or numbers too large for an FP16 scale becomes NaN.
        """
        width = x.shape[-1]
        group = min(self.group or width, width)
        tail = -width % group
        # Repeating the last number changes no group's extremes.
        padded = torch.cat([x, x[..., -1:].expand(*x.shape[:-1], tail)], -1) if tail else x
        values = self._quantize(padded.float().unflatten(-1, (-1, group)))
        return values.flatten(-2)[..., :width]

    def _quantize(self, x: Tensor) -> Tensor:
        if self.codes == "affine":
            # 0 lies in the range, so that the zero point is a code.
            least = x.amin(-1, keepdim=True).clamp(max=0)
            largest = x.amax(-1, keepdim=True).clamp(min=0)
            top = 2**self.bits - 1
            scale = _half((largest - least) / top)
            zero = (-least / scale).round().clamp(0, top)
            return ((x / scale).round() + zero).clamp(0, top).sub(zero).mul(scale)
        signed = self.codes == "signed"
        top = 2 ** (self.bits - signed) - 1
        scale = _half(x.abs().amax(-1, keepdim=True) / top)
        return (x / scale).round().clamp(-top if signed else 0, top).mul(scale)


def _half(scale: Tensor) -> Tensor:
    """Round scales to FP16, none to 0; an infinite one makes every number 0 times infinity, NaN."""
    return scale.clamp(min=SMALLEST_SCALE).half().float()
