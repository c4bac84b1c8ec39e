"""MX operands of any codes at all, also such as no encoder makes."""

import numpy as np
from numpy.typing import NDArray

from golden import MX6, MX9, MXTensor
from golden.encode import NAN_EXPONENT
from golden.formats import BLOCK_SIZE, PAIRS

EXPONENTS = {
    "any": range(256),
    "low": (0, 1, 2, 3, 6),
    "high": (254, 253, 252, 250, 200),
    "near": range(110, 140),
    "nan": (NAN_EXPONENT, 254, 127, 0),
}
"""From what a tensor's shared exponents are drawn."""

MANTISSAS = ("any", "zero", "largest", "residuals", "bases")
"""What its mantissas are, where they are not 0: "residuals" have no H, "bases" no L."""


def raw_blocks(rng: np.random.Generator, lines: int, k: int, lanes: int) -> MXTensor:
    """Draw a matrix (lines, k) of any codes, blocked along k.

    Every exponent, with any microexponents and mantissas beside it; NaN blocks and blocks of
    exponent 0 that are not empty; elements beyond k that are not 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    lines, k : int
    lanes : int
        Lines of a tile, which share the precision of a K-block.
    """
    shape = (lines, -(-k // BLOCK_SIZE))
    tags = rng.random((-(-lines // lanes), shape[1])) < rng.choice([0.0, 0.5, 1.0])
    is_mx9 = np.repeat(tags, lanes, axis=0)[:lines]
    exponents = EXPONENTS[str(rng.choice(list(EXPONENTS)))]
    return MXTensor(
        "mixed", (lines, k), 1,
        exponent=rng.choice(exponents, shape).astype(np.uint8),
        microexponent=rng.integers(0, 2, (*shape, PAIRS), np.uint8),
        mantissa=_mantissas(rng, is_mx9), is_mx9=is_mx9,
        sign=rng.integers(0, 2, (*shape, BLOCK_SIZE), np.uint8),
    )


def _mantissas(rng: np.random.Generator, is_mx9: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw mantissas of one kind, some of whose blocks are 0."""
    largest = np.where(is_mx9, MX9.largest_mantissa, MX6.largest_mantissa)[..., None]
    drawn = rng.integers(0, largest + 1, (*is_mx9.shape, BLOCK_SIZE))
    low = is_mx9[..., None] * 7
    match str(rng.choice(MANTISSAS)):
        case "zero":
            drawn *= 0
        case "largest":
            drawn = np.broadcast_to(largest, drawn.shape)
        case "residuals":
            drawn &= low
        case "bases":
            drawn &= ~low
    return (drawn * (rng.random((*is_mx9.shape, 1)) < 0.8)).astype(np.uint8)
