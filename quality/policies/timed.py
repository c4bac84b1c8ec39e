"""Ranges of timesteps around the steps that were calibrated."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from golden.torch import Clock, MXScheme, TimestepScheme


def by_timestep(
    clock: Clock, timesteps: NDArray[np.float64], scheme: Callable[[int], MXScheme]
) -> TimestepScheme:
    """Give each calibrated step its own scheme, which also serves the timesteps nearest to it.

    Parameters
    ----------
    clock : Clock
    timesteps : ndarray, shape (steps,)
        Of the steps; no two alike.
    scheme : callable
        Makes the scheme of a step's index.

    Raises
    ------
    ValueError
        If two timesteps are alike.
    """
    order = np.argsort(timesteps, kind="stable")
    rising = timesteps[order]
    if np.any(np.diff(rising) <= 0):
        raise ValueError("the calibration has a timestep twice: use a sampler that does not")
    limits = [*((rising[:-1] + rising[1:]) / 2).tolist(), math.inf]
    return TimestepScheme(
        clock, [(limit, scheme(int(step))) for limit, step in zip(limits, order, strict=True)]
    )
