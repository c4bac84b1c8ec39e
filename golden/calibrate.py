"""Fixing a policy's free numbers on a calibration set: channel order, threshold, static tags."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import integers
from golden.floats import MAGNITUDE_MASK, magnitude_value, widen
from golden.formats import FP32, FloatFormat
from golden.policy import Policy, check_policy, permute
from golden.units import unit_magnitudes

_INFINITY = 0x7F800000


def channel_order(
    samples: Iterable[ArrayLike], float_format: FloatFormat | None = None
) -> NDArray[np.intp]:
    """Sort channels by their largest magnitude, largest first, the lower index where equal.

    Parameters
    ----------
    samples : iterable of array_like, each of shape (..., K)
        Activations of one layer. Those without elements say nothing.
    float_format : FloatFormat, optional
        Of the samples where they hold bits.

    Returns
    -------
    ndarray of int, shape (K,)
        A `Policy.permutation`: ``x[..., order]`` has outlier channels in front, and ``w[order]``
        matches it.
    """
    largest = None
    for x in _finite(samples, float_format):
        magnitude = x.view(np.uint32).reshape(-1, x.shape[-1]) & MAGNITUDE_MASK
        maxima = magnitude.max(axis=0)
        if largest is not None and len(maxima) != len(largest):
            raise ValueError(f"one sample has {len(largest)} channels, another {len(maxima)}")
        largest = maxima if largest is None else np.maximum(largest, maxima)
    if largest is None:
        raise ValueError("the calibration set is empty")
    return np.argsort(-largest.astype(np.int64), kind="stable")


def channel_order_from_maxima(maxima: ArrayLike) -> NDArray[np.intp]:
    """Sort channels by the maxima that a machine has recorded, as `channel_order` does.

    Parameters
    ----------
    maxima : array_like of uint32, shape (K,) or (jobs, K)
        FP32 patterns of each channel's largest magnitude, in natural order.
    """
    return channel_order([_recorded(maxima)], FP32)


def static_tags_from_maxima(maxima: ArrayLike, policy: Policy) -> NDArray[np.bool_]:
    """Choose K-blocks by the maxima that a machine has recorded, as `static_tags` does.

    Parameters
    ----------
    maxima : array_like of uint32, shape (K,) or (jobs, K)
        FP32 patterns of each channel's largest magnitude, in natural order.
    policy : Policy
        Its fraction and order count.

    Returns
    -------
    ndarray of bool, shape (K-blocks,)
    """
    check_policy(policy)
    whole = replace(policy, granularity="channel_block", tile_rows=None)
    return static_tags([np.atleast_2d(_recorded(maxima))], whole, FP32)


def calibrate_threshold(
    samples: Iterable[ArrayLike], policy: Policy, float_format: FloatFormat | None = None
) -> float:
    """Find the smallest threshold that keeps a calibration set within the policy's fraction.

    Parameters
    ----------
    samples : iterable of array_like, each of shape (..., rows, K)
        Activations of one layer, channels in natural order.
    policy : Policy
        Its fraction, granularity, tile_rows and order count.
    float_format : FloatFormat, optional
        Of the samples where they hold bits.

    Returns
    -------
    float
        An FP32 number. Over all units of the set together, at most the fraction exceeds it.
    """
    magnitude = np.sort(np.concatenate(_magnitudes(samples, policy, float_format), axis=None))
    allowed = policy.count(len(magnitude))
    limit = magnitude[len(magnitude) - allowed - 1] if allowed < len(magnitude) else np.uint32(0)
    return magnitude_value(int(limit))


def static_tags(
    samples: Iterable[ArrayLike], policy: Policy, float_format: FloatFormat | None = None
) -> NDArray[np.bool_]:
    """Choose the K-blocks (or heads) that are largest over a calibration set.

    Parameters
    ----------
    samples, policy, float_format
        As in `calibrate_threshold`.

    Returns
    -------
    ndarray of bool, shape (K-blocks,), or (heads,) for granularity "head"
        As many as the fraction allows; a `Policy.static_tags`, and the outliers of
        `golden.quantize_weight`.
    """
    maxima = [
        magnitude.reshape(-1, magnitude.shape[-1]).max(axis=0)
        for magnitude in _magnitudes(samples, policy, float_format)
    ]
    if len({len(each) for each in maxima}) > 1:
        raise ValueError("samples of one layer must have the same number of units")
    largest = np.max(maxima, axis=0).astype(np.int64)
    tags = np.zeros(len(largest), np.bool_)
    tags[np.argsort(-largest, kind="stable")[: policy.count(len(largest))]] = True
    return tags


def _magnitudes(
    samples: Iterable[ArrayLike], policy: Policy, float_format: FloatFormat | None
) -> list[NDArray[np.uint32]]:
    check_policy(policy)
    found = [
        unit_magnitudes(permute(x, policy), policy.granularity, policy.tile_rows)
        for x in _finite(samples, float_format)
    ]
    if not found:
        raise ValueError("the calibration set is empty")
    return found


def _finite(
    samples: Iterable[ArrayLike], float_format: FloatFormat | None
) -> Iterable[NDArray[np.float32]]:
    if getattr(samples, "ndim", 3) < 3:
        raise TypeError("samples must be a list of arrays, not one array: give [x]")
    for number, sample in enumerate(samples):
        wide = np.ascontiguousarray(widen(sample, float_format))
        if np.any((wide.view(np.uint32) & MAGNITUDE_MASK) >= _INFINITY):
            raise ValueError(f"calibration sample {number} holds an infinity or a NaN")
        if wide.size:
            yield wide


def _recorded(maxima: ArrayLike) -> NDArray[np.uint32]:
    """Check FP32 patterns of magnitudes."""
    patterns = integers(maxima, "maxima", np.uint32)
    if np.any(patterns > MAGNITUDE_MASK):
        raise ValueError("maxima must be magnitudes: FP32 patterns without a sign")
    return patterns
