"""The gates of GELU and SiLU, and their products with what they are gates of.

docs/vector.md has the bounds of the errors, which ``mixdit check golden`` proves for every
argument.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.vector.fixed import to_fixed
from golden.vector.formats import GELU_LIMIT, SILU_LIMIT
from golden.vector.interpolation import interpolate
from golden.vector.lane import multiply, to_lane
from golden.vector.segments import Segments
from golden.vector.tables import GELU_GATE, SILU_GATE


def gelu_gate(x: ArrayLike) -> NDArray[np.float32]:
    """Return Phi, by which GELU in its tanh form multiplies x, in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24; its magnitude then to multiples of 2**-14, below 8.

    Returns
    -------
    ndarray of float32
        ``(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2``: multiples of 2**-17 from 0 to 1,
        rounded to V24. Phi(-x) is 1 - Phi(x) before it is rounded; +-0 give 1/2, infinities 1 and
        +0, NaNs the quiet NaN.
    """
    return _gate(GELU_GATE, GELU_LIMIT, x)


def silu_gate(x: ArrayLike) -> NDArray[np.float32]:
    """Return sigma(x) = 1 / (1 + exp(-x)), by which SiLU multiplies x, in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Rounded to V24; its magnitude then to multiples of 2**-14, below 16.

    Returns
    -------
    ndarray of float32
        As `gelu_gate` does.
    """
    return _gate(SILU_GATE, SILU_LIMIT, x)


def gelu(x: ArrayLike) -> NDArray[np.float32]:
    """Return x times `gelu_gate` of x: a product of V24 numbers, rounded once to FP32.

    Zeros keep their signs, a large x stays as V24 has it, and what is far below zero is -0. Minus
    infinity gives the quiet NaN, as zero times infinity does.
    """
    return multiply(x, gelu_gate(x))


def silu(x: ArrayLike) -> NDArray[np.float32]:
    """Return x times `silu_gate` of x, as `gelu` does."""
    return multiply(x, silu_gate(x))


def _gate(table: Segments, stop: int, x: ArrayLike) -> NDArray[np.float32]:
    """Return a gate from the table of its values for magnitudes below `stop`."""
    x = to_lane(x)
    place = table.argument_bits - (stop - 1).bit_length()
    units = to_fixed(x, place, (1 << table.argument_bits) - 1)
    value = interpolate(table, np.abs(units))
    value = np.where(units < 0, (1 << table.result_bits) - value, value)
    # A multiple of 2**-17 up to 1 is exact in FP32.
    gate = to_lane((value * 2.0**-table.result_bits).astype(np.float32))
    return np.where(np.isnan(x), np.float32(np.nan), gate)
