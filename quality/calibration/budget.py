"""Spend a budget of MX9 where it removes most error per bit."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SHARE = 1 / 6
"""Share of MX9 in MX6 that makes 6.5 bits of 6 and 9."""

LAST_STEP = 10.0
"""How much the last step counts beside each of the others: its error goes into the picture, while
those before are denoised once more."""


def importance(steps: int) -> NDArray[np.float64]:
    """Return how much each step counts, (steps,)."""
    weights = np.ones(steps)
    weights[-1] = LAST_STEP
    return weights


def spend(
    gains: Mapping[str, NDArray[np.float64]],
    costs: Mapping[str, float],
    share: float,
) -> dict[str, NDArray[np.bool_]]:
    """Choose units greedily by gain per cost.

    Parameters
    ----------
    gains : mapping of str to ndarray
        By name, what each unit gains in MX9, in any shape.
    costs : mapping of str to float
        By name, what one of these units costs.
    share : float
        Of the cost of all units together; never exceeded.

    Returns
    -------
    dict of ndarray of bool
        Shaped as the gains. Where gains per cost are equal, the earlier name and the lower index.

    Raises
    ------
    ValueError
        If the share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of MX9 must be from 0 to 1, not {share}")
    if not gains:
        return {}
    cost = np.concatenate([np.full(gain.size, costs[name]) for name, gain in gains.items()])
    gain = np.concatenate([gain.ravel() for gain in gains.values()])
    budget, chosen = share * cost.sum(), np.zeros(len(cost), np.bool_)
    for unit in np.argsort(-gain / cost, kind="stable"):
        if cost[unit] <= budget:
            budget -= cost[unit]
            chosen[unit] = True
    parts = np.split(chosen, np.cumsum([gain.size for gain in gains.values()])[:-1])
    return {
        name: part.reshape(gain.shape)
        for (name, gain), part in zip(gains.items(), parts, strict=True)
    }


def activation_gains(
    noise: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Weigh the error of every unit at every step by what it is of its step's error.

    Parameters
    ----------
    noise : mapping of str to ndarray, (steps, units)
        By operand, what each unit in MX6 adds to the relative error of the model's output.

    Returns
    -------
    dict of ndarray, (steps, units)
    """
    per_step = sum(each.sum(axis=1) for each in noise.values())
    weights = importance(len(per_step)) / np.maximum(per_step, np.finfo(np.float64).tiny)
    return {name: each * weights[:, None] for name, each in noise.items()}
