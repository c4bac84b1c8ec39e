"""Numbers that the sweeps of rows draw."""

import numpy as np
from numpy.typing import NDArray

CORNERS = np.array([0, 1, 0x7FFFFF, 0x800000, 0x800001, 0x3F000000, 0x3F7FFF80, 0x3F800000,
                    0x3F80017F, 0x3F800180, 0x40490FDB, 0x42BFFFFF, 0x42C00000, 0x42FC0000,
                    0x43000000, 0x5F000000, 0x7F7FFF7F, 0x7F7FFF80, 0x7F7FFFFF, 0x7F800000,
                    0x7F800001, 0x7FC12345], np.uint32)  # fmt: skip
CORNERS = np.concatenate([CORNERS, CORNERS | np.uint32(1 << 31)])
"""Zeros, subnormals, ties of V24, the limits of exp2, the largest numbers, infinities, NaNs."""


def draw_floats(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw numbers around 1, around one exponent, of any bits, and corners."""
    kind = rng.integers(0, 8)
    normal = rng.standard_normal(shape, np.float32) * np.float32(4)
    if kind < 4:
        return normal
    bits = rng.integers(0, 1 << 32, shape, dtype=np.uint32)
    if kind < 6:
        field = np.clip(rng.integers(1, 254) - rng.integers(0, 30, shape), 0, 254).astype(np.uint32)
        return (bits & np.uint32(0x807FFFFF) | field << 23).view(np.float32)
    if kind == 6:
        return bits.view(np.float32)
    return np.where(rng.random(shape) < 0.2, rng.choice(CORNERS, shape).view(np.float32), normal)
