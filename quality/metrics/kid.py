"""Kernel distance between two sets of features (Binkowski et al., ICLR 2018), with NumPy.

The kernel is ``k(x, y) = (x.y / d + 1)^3``, a polynomial, so its mean over any two sets is an inner
product of their third moments: with ``u = (x / sqrt(d), 1)``, ``k(x, y) = <u^3, v^3>``, where
``u^3`` is the tensor of all products of three of its entries. Hence a whole data set is described
by one tensor, and the distance to it needs no subsets, which the usual estimate draws at random.
"""

import math
from functools import cache
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quality.metrics.features import check_features

_ROWS = 500
"""Images at a time, which bounds the memory of their products of two entries."""


class Moments(NamedTuple):
    """What the kernel can tell of a set of features.

    Attributes
    ----------
    third : NDArray[np.float64]
        Means of ``u_i u_j u_k`` for i <= j <= k, shape ((d+1)(d+2)(d+3) / 6,).
    within : float
        Mean of k(x, x') over all ordered pairs of two different images.
    """

    third: NDArray[np.float64]
    within: float


def moments(features: NDArray[np.float64]) -> Moments:
    """Return the moments of features (n, d).

    Raises
    ------
    ValueError
        If there are fewer than two rows, or a value is not finite.
    """
    check_features(features, "pairs of images need")
    count, width = features.shape
    lifted = np.concatenate([features / math.sqrt(width), np.ones((count, 1))], 1)
    cube = np.zeros(((width + 1) ** 2, width + 1))
    for start in range(0, count, _ROWS):
        part = lifted[start : start + _ROWS]
        cube += (part[:, :, None] * part[:, None, :]).reshape(len(part), -1).T @ part
    i, j, k, _ = _entries(width)
    third = cube.reshape((width + 1,) * 3)[i, j, k] / count
    own = (np.square(lifted).sum(1) ** 3).sum()
    within = (count**2 * _inner(third, third, width) - own) / (count * (count - 1))
    return Moments(third, float(within))


def kernel_distance(first: Moments, second: Moments) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy.

    Returns
    -------
    float
        0 on average for two samples of one distribution, so at times a little below 0.

    Raises
    ------
    ValueError
        If the feature counts differ.
    """
    if first.third.shape != second.third.shape:
        raise ValueError("feature counts differ: the moments are of features of another width")
    width = _width(len(first.third))
    return float(first.within + second.within - 2 * _inner(first.third, second.third, width))


def wide_kernel_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return `kernel_distance` of features (n, d) and (m, d) whose third moments are too many.

    The sums are over all pairs, a block of rows at a time, so the whole of both sets is needed.

    Raises
    ------
    ValueError
        If a set has fewer than two rows, or the feature counts differ.
    """
    if min(len(first), len(second)) < 2 or first.shape[1:] != second.shape[1:]:
        raise ValueError(
            f"pairs of images need features (n, d) and (m, d), not {first.shape} and {second.shape}"
        )
    within = sum(
        (_pair_sum(x, x) - ((np.square(x).sum(1) / x.shape[1] + 1) ** 3).sum())
        / (len(x) * (len(x) - 1))
        for x in (first, second)
    )
    return float(within - 2 * _pair_sum(first, second) / (len(first) * len(second)))


def _pair_sum(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the sum of the kernel over all pairs of rows."""
    starts = range(0, len(first), _ROWS)
    return sum(
        float(((first[i : i + _ROWS] @ second.T / first.shape[1] + 1) ** 3).sum()) for i in starts
    )


@cache
def _entries(width: int) -> tuple[NDArray[np.intp], ...]:
    """Return i <= j <= k of the stored entries, and how often each occurs in the full tensor."""
    indices = np.array(list(combinations_with_replacement(range(width + 1), 3)), np.intp)
    i, j, k = indices.T
    different = 1 + (i != j) + (j != k)
    return i, j, k, np.array([0, 1, 3, 6], np.intp)[different]


def _inner(first: NDArray[np.float64], second: NDArray[np.float64], width: int) -> float:
    return float((_entries(width)[3] * first * second).sum())


def _width(entries: int) -> int:
    """Return d, given (d+1)(d+2)(d+3)/6 entries."""
    width = round((6 * entries) ** (1 / 3)) - 2
    if math.comb(width + 3, 3) != entries:
        raise ValueError(f"{entries} numbers are the third moments of no width of features")
    return width
