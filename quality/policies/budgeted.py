"""The policy with the best pictures at 6.5 bits: MX9 where, and when, it removes most error."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from golden.policy import Policy
from golden.torch import Clock, ModelPolicy, MXScheme, Scheme, Site
from quality.calibration.budget import activation_gains, spend
from quality.calibration.record import Calibration
from quality.policies.rounded import RoundedScheme
from quality.policies.timed import by_timestep

Tags = Mapping[str, NDArray[np.bool_]]
"""By operand, which units are MX9 at each step: (steps, units)."""


def best_tags(calibration: Calibration, share: float) -> Tags:
    """Spend a share of all activation elements, over all operands and steps, greedily.

    A unit's gain is the error that it alone adds to the model's output at a step in MX6, beside
    the whole error of that step; see `quality.calibration.budget`.
    """
    noise = {name: record.noise for name, record in calibration.operands.items()}
    return spend(activation_gains(noise), _costs(calibration), share)


def random_tags(calibration: Calibration, share: float, seed: int = 0) -> Tags:
    """Spend the same share on units drawn at random: the control."""
    generator = np.random.default_rng(seed)
    gains = {
        name: generator.random(record.noise.shape) * record.elements  # the same chance for all
        for name, record in calibration.operands.items()
    }
    return spend(gains, _costs(calibration), share)


def budgeted(calibration: Calibration, clock: Clock, tags: Tags) -> ModelPolicy:
    """Fix the precision of every unit at every step, in calibrated order with rounded weights.

    On the machine: static tables of K-blocks, one order and one weight per layer; heads of
    attention as wholes.

    Parameters
    ----------
    calibration : Calibration
    clock : Clock
    tags : mapping
        From `best_tags` or `random_tags`.
    """

    def policy(site: Site) -> Scheme:
        if site.kind == "linear":
            return linear(site)
        sides = [f"{site.name}.{side}" for side in ("a", "b")]
        for side in sides:
            calibration.operand(side)
        return by_timestep(
            clock, calibration.timesteps, lambda step: MXScheme(*(heads(s, step) for s in sides))
        )

    def linear(site: Site) -> Scheme:
        record = calibration.input_of(site.name)
        stored = calibration.weights[site.name]
        chosen = tags[calibration.inputs[site.name]]
        weight = Policy(order="calibrated", permutation=record.order)
        values = torch.from_numpy(stored.values)

        def at(step: int) -> MXScheme:
            a = static(chosen[step], order="calibrated", permutation=record.order)
            return RoundedScheme(a, weight, values=values, outliers=stored.outliers)

        return by_timestep(clock, calibration.timesteps, at)

    def heads(operand: str, step: int) -> Policy:
        return static(tags[operand][step], granularity="head")

    return policy


def static(tags: NDArray[np.bool_], **fields: object) -> Policy:
    """Return the policy whose MX9 units are those tagged."""
    share = Fraction(int(np.count_nonzero(tags)), len(tags))
    return Policy(fraction=share, selection="static", static_tags=tags, **fields)


def _costs(calibration: Calibration) -> dict[str, float]:
    return {name: record.elements for name, record in calibration.operands.items()}
