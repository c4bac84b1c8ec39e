"""The MixDiT policy: which blocks are outliers and so get MX9, while the others get MX6.

MixDiT gives more bits to activations that are outliers by magnitude: at most 5 % of a linear
layer's and 20 % of attention's, by channels in linear layers and by heads in attention. What the
paper leaves open is a field here.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.floats import widen
from golden.formats import BLOCK_SIZE, MX6, MX9, FloatFormat, MXFormat
from golden.mx import mx_format
from golden.units import GRANULARITIES, spread, unit_magnitudes

_CHOICES = {
    "granularity": GRANULARITIES,
    "scope": ("tensor", "tile"),
    "order": ("natural", "calibrated"),
    "selection": ("top", "threshold", "static"),
}


@dataclass(frozen=True, eq=False)
class Policy:
    """Which tag units of an activation are MX9, and in what formats its weight is.

    Attributes
    ----------
    fraction : float
        Share of the units that may be MX9, from 0 to 1, read as the decimal it prints as. Rounded
        down to whole units, so never exceeded by `top` and `static`; a `threshold` only aims at it.
    granularity : {"channel_block", "block", "head"}
        The tag unit: 16 channels of all rows of a token tile; 16 channels of one row; or a whole
        head, the third axis from the end of a tensor (..., heads, tokens, channels).
    scope : {"tensor", "tile"}
        Whether `top` shares the fraction among all units or spends it in each token tile on its
        own.
    tile_rows : int or None
        Rows of a token tile; None makes all rows one tile.
    order : {"natural", "calibrated"}
        Whether channels are sorted by `permutation` first.
    selection : {"top", "threshold", "static"}
        The units with the largest magnitude, the lower index where equal; those whose magnitude is
        above `threshold`; or those in `static_tags`. A NaN is larger than every number.
    weights : (MXFormat, MXFormat)
        Formats of a weight's ordinary and of its outlier K-blocks.
    threshold : float or None
        For selection "threshold"; see `calibrate_threshold`.
    static_tags : array_like of bool or None
        For selection "static": (K-blocks,), or (heads,), or whatever else broadcasts to the units.
    permutation : array_like of int or None
        For order "calibrated": the channel that comes first, second, ...; see
        `golden.calibrate.channel_order`.

    Raises
    ------
    ValueError
        If a field is none of its choices, or one is missing that another needs.
    """

    fraction: float | Fraction = 0.05
    granularity: str = "channel_block"
    scope: str = "tensor"
    tile_rows: int | None = None
    order: str = "natural"
    selection: str = "top"
    weights: tuple[MXFormat, MXFormat] = (MX6, MX9)
    threshold: float | None = None
    static_tags: NDArray[np.bool_] | None = field(default=None, repr=False)
    permutation: NDArray[np.intp] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"fraction must be from 0 to 1, not {self.fraction}")
        if self.tile_rows is not None and self.tile_rows < 1:
            raise ValueError(f"tile_rows must be at least 1, not {self.tile_rows}")
        if self.granularity == "head" and (self.scope == "tile" or self.tile_rows is not None):
            raise ValueError("a head is tagged as a whole: leave scope 'tensor' and tile_rows None")
        for choice, value, needed in (
            (self.selection, "threshold", "threshold"),
            (self.selection, "static", "static_tags"),
            (self.order, "calibrated", "permutation"),
        ):
            if choice == value and getattr(self, needed) is None:
                raise ValueError(
                    f"a {value} policy needs {needed}; calibrate it with golden.calibrate"
                )
        if self.threshold is not None:
            if not self.threshold >= 0:
                raise ValueError(f"threshold must be a magnitude, not {self.threshold}")
            object.__setattr__(self, "threshold", abs(self.threshold))  # of -0.0
        if len(self.weights) != 2:
            raise ValueError("weights must be two formats: of ordinary and of outlier K-blocks")
        object.__setattr__(self, "weights", tuple(mx_format(fmt) for fmt in self.weights))
        if self.permutation is not None:
            order = np.array(self.permutation, np.intp)
            if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(len(order))):
                raise ValueError("permutation must hold every channel number once")
            object.__setattr__(self, "permutation", order)
        if self.static_tags is not None:
            object.__setattr__(self, "static_tags", np.asarray(self.static_tags, np.bool_))

    def count(self, units: int) -> int:
        """Return how many of `units` the fraction allows, rounded down: 0.29 of 100 are 29."""
        share = self.fraction if isinstance(self.fraction, Fraction) else str(float(self.fraction))
        return math.floor(Fraction(share) * units)


def select_units(magnitude: NDArray[np.uint32], policy: Policy) -> NDArray[np.bool_]:
    """Choose the outlier units among all units of a tensor.

    Parameters
    ----------
    magnitude : ndarray of uint32
        From `unit_magnitudes` with the policy's granularity and tile_rows.
    policy : Policy

    Returns
    -------
    ndarray of bool, same shape
        True where MX9.
    """
    if policy.selection == "threshold":
        limit = np.float32(policy.threshold).view(np.uint32)
        return magnitude > limit
    if policy.selection == "static":
        return _static(magnitude.shape, policy)
    if policy.scope == "tensor":
        groups = magnitude.reshape(1, -1)
    elif policy.granularity == "block":
        return _top_per_row_tile(magnitude, policy)
    else:
        groups = magnitude.reshape(-1, magnitude.shape[-1])
    return _top(groups, policy).reshape(magnitude.shape)


def _static(shape: tuple[int, ...], policy: Policy) -> NDArray[np.bool_]:
    try:
        tags = np.broadcast_to(policy.static_tags, shape)
    except ValueError:
        raise ValueError(
            f"static_tags of shape {policy.static_tags.shape} do not fit units of shape {shape}"
        ) from None
    if np.count_nonzero(tags) > policy.count(tags.size):
        raise ValueError(
            f"static_tags mark {np.count_nonzero(tags)} of {tags.size} units, "
            f"but a fraction of {policy.fraction} allows {policy.count(tags.size)}"
        )
    return tags.copy()


def _top(groups: NDArray[np.uint32], policy: Policy) -> NDArray[np.bool_]:
    """Mark the allowed number of largest units in each row of `groups`."""
    chosen = np.zeros(groups.shape, np.bool_)
    order = np.argsort(-groups.astype(np.int64), axis=-1, kind="stable")
    best = order[:, : policy.count(groups.shape[-1])]
    np.put_along_axis(chosen, best, True, axis=-1)
    return chosen


def _top_per_row_tile(magnitude: NDArray[np.uint32], policy: Policy) -> NDArray[np.bool_]:
    chosen = np.empty(magnitude.shape, np.bool_)
    rows = magnitude.shape[-2]
    step = policy.tile_rows or rows
    for first in range(0, rows, step):
        tile = magnitude[..., first : first + step, :]
        groups = tile.reshape(-1, tile.shape[-2] * tile.shape[-1])
        chosen[..., first : first + step, :] = _top(groups, policy).reshape(tile.shape)
    return chosen


def outlier_blocks(
    x: ArrayLike, policy: Policy, float_format: FloatFormat | None = None
) -> NDArray[np.bool_]:
    """Return for every 16-block of an activation whether it is MX9: shape (..., rows, K-blocks)."""
    wide = permute(widen(x, float_format), policy)
    units = select_units(unit_magnitudes(wide, policy.granularity, policy.tile_rows), policy)
    lead = (*wide.shape[:-1], -(-wide.shape[-1] // BLOCK_SIZE))
    return spread(units, lead, policy.granularity, policy.tile_rows)


def permute(x: NDArray[np.float32], policy: Policy, axis: int = -1) -> NDArray[np.float32]:
    """Put the channels along `axis` into the policy's order."""
    if policy.order == "natural":
        return x
    if len(policy.permutation) != x.shape[axis]:
        raise ValueError(
            f"the permutation orders {len(policy.permutation)} channels, "
            f"but there are {x.shape[axis]}"
        )
    return np.take(x, policy.permutation, axis=axis)
