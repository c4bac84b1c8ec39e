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

from golden.arguments import channel_order, flags, read_only, real
from golden.floats import magnitude_value, nearest_magnitude, widen
from golden.formats import BLOCK_SIZE, MX6, MX9, FloatFormat, MXFormat
from golden.mx import mx_format
from golden.units import GRANULARITIES, check_tile_rows, spread, unit_magnitudes

_CHOICES = {
    "granularity": GRANULARITIES,
    "scope": ("tensor", "tile"),
    "order": ("natural", "calibrated"),
    "selection": ("top", "threshold", "static"),
}


@dataclass(frozen=True, eq=False)
class Policy:
    """Which tag units of an activation are MX9, and in what formats its weight is.

    Numbers of NumPy and torch, and Decimals, become Python's; arrays become copies that nobody can
    write to.

    Attributes
    ----------
    fraction : float or Fraction
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
        For selection "threshold": the FP32 number nearest to what was given, since magnitudes are
        FP32's; see `calibrate_threshold`.
    static_tags : array_like of bool or None
        For selection "static": (K-blocks,), or (heads,), or whatever else broadcasts to the units.
    permutation : array_like of int or None
        For order "calibrated": the channel that comes first, second, ...; see
        `golden.calibrate.channel_order`.

    Raises
    ------
    TypeError
        If a number is text, a bool or an array, `tile_rows` is no integer, `static_tags` holds
        neither bools nor 0 and 1, or `permutation` no integers.
    ValueError
        If a field is none of its choices or out of its range, or one is missing that another needs.
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
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, not {getattr(self, name)!r}"
                )
        fraction = real(self.fraction, "fraction")
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction must be from 0 to 1, not {self.fraction}")
        self._set("fraction", abs(fraction))  # of -0.0
        self._set("tile_rows", check_tile_rows(self.tile_rows))
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
            threshold = real(self.threshold, "threshold", as_decimal=False)
            if not threshold >= 0:
                raise ValueError(f"threshold must be a magnitude, not {self.threshold}")
            self._set("threshold", magnitude_value(nearest_magnitude(threshold)))
        if not isinstance(self.weights, tuple | list) or len(self.weights) != 2:
            raise ValueError("weights must be two formats: of ordinary and of outlier K-blocks")
        self._set("weights", tuple(mx_format(fmt) for fmt in self.weights))
        if self.permutation is not None:
            order = channel_order(self.permutation, "permutation")
            self._set("permutation", read_only(order))
        if self.static_tags is not None:
            self._set("static_tags", read_only(flags(self.static_tags, "static_tags")))

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def threshold_pattern(self) -> int:
        """The threshold's 31-bit FP32 pattern."""
        return nearest_magnitude(self.threshold)

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
        return magnitude > np.uint32(policy.threshold_pattern)
    if policy.selection == "static":
        return _static(magnitude.shape, policy)
    if policy.scope == "tensor":
        groups = magnitude.reshape(1, -1)
    elif policy.granularity == "block":
        return _top_per_row_tile(magnitude, policy)
    else:
        groups = magnitude.reshape(math.prod(magnitude.shape[:-1]), magnitude.shape[-1])
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
    step = min(policy.tile_rows or rows, max(rows, 1))
    for first in range(0, rows, step):
        tile = magnitude[..., first : first + step, :]
        groups = tile.reshape(math.prod(tile.shape[:-2]), tile.shape[-2] * tile.shape[-1])
        chosen[..., first : first + step, :] = _top(groups, policy).reshape(tile.shape)
    return chosen


def outlier_blocks(
    x: ArrayLike, policy: Policy, float_format: FloatFormat | None = None
) -> NDArray[np.bool_]:
    """Return for every 16-block of an activation whether it is MX9: shape (..., rows, K-blocks)."""
    check_policy(policy)
    wide = permute(widen(x, float_format), policy)
    units = select_units(unit_magnitudes(wide, policy.granularity, policy.tile_rows), policy)
    lead = (*wide.shape[:-1], -(-wide.shape[-1] // BLOCK_SIZE))
    return spread(units, lead, policy.granularity, policy.tile_rows)


def check_policy(policy: Policy) -> None:
    """Raise a TypeError unless it is a policy."""
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a golden.Policy, not a {type(policy).__name__}")


def permute(x: NDArray[np.float32], policy: Policy, axis: int = -1) -> NDArray[np.float32]:
    """Put the channels along `axis` into the policy's order."""
    if policy.order == "natural":
        return x
    if x.ndim == 0:
        raise ValueError("a single number has no channels to put into order")
    if len(policy.permutation) != x.shape[axis]:
        raise ValueError(
            f"the permutation orders {len(policy.permutation)} channels, "
            f"but there are {x.shape[axis]}"
        )
    return np.take(x, policy.permutation, axis=axis)
