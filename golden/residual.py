"""Every mantissa as an MX6-shaped base and a 3-bit residual three binades lower.

``M9 = 8 * H + L``: H has exactly MX6's step and L has one eighth of it, so multipliers that know
only MX6-shaped blocks compute MX9 in more beats. H is the truncated MX6 code, not the rounded one.
"""

import numpy as np
from numpy.typing import NDArray

from golden.formats import MX6, MX9

BASE_BITS = MX6.mantissa_bits
"""Bits of H."""

RESIDUAL_BITS = MX9.mantissa_bits - MX6.mantissa_bits
"""Bits of L; also how many binades it sits below H."""


def split(
    mantissa: NDArray[np.uint8], is_mx9: NDArray[np.bool_] | bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split mantissas into bases and residuals.

    Parameters
    ----------
    mantissa : ndarray of uint8, shape (..., 16)
        7-bit codes in MX9 blocks, 4-bit codes (in MX6's step) in the others.
    is_mx9 : ndarray of bool, shape (...), or bool
        Precision of each block.

    Returns
    -------
    base, residual : ndarray of uint8, shape (..., 16)
        H (0 to 15) and L (0 to 7; zero where a block is not MX9).
    """
    wide = np.asarray(is_mx9)[..., None]
    base = np.where(wide, mantissa >> RESIDUAL_BITS, mantissa)
    residual = np.where(wide, mantissa & ((1 << RESIDUAL_BITS) - 1), 0).astype(np.uint8)
    return base, residual


def join(
    base: NDArray[np.uint8], residual: NDArray[np.uint8], is_mx9: NDArray[np.bool_] | bool
) -> NDArray[np.uint8]:
    """Undo `split`."""
    wide = np.asarray(is_mx9)[..., None]
    return np.where(wide, (base << RESIDUAL_BITS) | residual, base).astype(np.uint8)
