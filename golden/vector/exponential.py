"""2**x of the vector unit.

docs/vector.md has the bounds of the errors, which ``mixdit check golden`` proves for every
argument.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.formats import FP32
from golden.vector.fixed import to_fixed
from golden.vector.formats import DROPPED_BITS, EXP2_LIMIT
from golden.vector.interpolation import interpolate
from golden.vector.lane import canonical, pack
from golden.vector.tables import EXP2

EXP2_PLACE = EXP2.argument_bits
"""Binary places of exp2's argument: 15."""

_INFINITY = np.uint32(0x7F800000)
_EXP2_MOST = (128 << EXP2_PLACE) - 1
_LARGEST_POWER = (FP32.bias + EXP2_LIMIT << FP32.mantissa_bits) - (1 << DROPPED_BITS)
"""Pattern of the largest V24 number below ``2**EXP2_LIMIT``."""


def exp2(x: ArrayLike) -> NDArray[np.float32]:
    """Return 2**x in V24.

    Parameters
    ----------
    x : array_like of float32, float16 or bfloat16
        Not rounded to V24, but to multiples of 2**-15, halves away from zero.

    Returns
    -------
    ndarray of float32
        Whole numbers give exact powers of two. What rounds to `EXP2_LIMIT` or more gives the
        largest V24 number below ``2**EXP2_LIMIT``, and `exp2_saturates` says so. Below -126 it is
        +0. Infinities give infinity and +0, NaNs the quiet NaN.
    """
    x = canonical(x)
    units = to_fixed(x, EXP2_PLACE, _EXP2_MOST)
    whole, part = units >> EXP2_PLACE, units & ((1 << EXP2_PLACE) - 1)
    power = np.clip(whole, 1 - FP32.bias, EXP2_LIMIT)
    bits = pack(power + FP32.bias, interpolate(EXP2, part))
    bits = np.where(whole >= EXP2_LIMIT, np.uint32(_LARGEST_POWER), bits)
    bits = np.where(whole < 1 - FP32.bias, np.uint32(0), bits)
    bits = np.where(x == np.inf, _INFINITY, bits)
    return np.where(np.isnan(x), np.float32(np.nan), np.asarray(bits, np.uint32).view(np.float32))


def exp2_saturates(x: ArrayLike) -> NDArray[np.bool_]:
    """Tell where `exp2` has no number for 2**x: from `EXP2_LIMIT` - 2**-16 on, up to infinity.

    A NaN is no such number; it shows by itself.
    """
    x = canonical(x)
    is_beyond = to_fixed(x, EXP2_PLACE, _EXP2_MOST) >= EXP2_LIMIT << EXP2_PLACE
    return is_beyond & ~np.isnan(x)
