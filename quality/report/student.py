"""Student's t distribution for whole degrees of freedom, without SciPy."""

import math
from functools import cache
from itertools import accumulate

CONFIDENCE = 0.95


def two_sided(t: float, freedom: int) -> float:
    """Return the probability of a magnitude of at least that of `t`.

    The finite series of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and
    26.7.4.

    Parameters
    ----------
    t : float
    freedom : int
        Degrees of freedom, at least 1.

    Raises
    ------
    ValueError
        If there are none.
    """
    if freedom < 1:
        raise ValueError(f"Student's t has at least 1 degree of freedom, not {freedom}")
    angle = math.atan2(abs(t), math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2
    ratios = [(k - 1) / k * cosine**2 for k in range(2 + is_odd, freedom - 1, 2)]
    terms = accumulate([1.0, *ratios], lambda term, ratio: term * ratio)
    if not is_odd:
        return max(0.0, 1 - sine * sum(terms))
    series = sine * cosine * sum(terms) if freedom > 1 else 0.0
    return max(0.0, 1 - 2 / math.pi * (angle + series))


@cache
def quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the magnitude that is exceeded with probability ``1 - confidence``, by bisection.

    Raises
    ------
    ValueError
        If the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - confidence:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - confidence else (low, middle)
    return high
