"""Every policy under study by its name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from golden.torch import Clock, ModelPolicy, uniform
from quality.baselines import integer, microscaling, nvfp4, qdit_like, viditq_like
from quality.baselines.microscaling import FORMATS as MICROSCALING
from quality.calibration.budget import SHARE
from quality.calibration.record import Calibration, load_calibration
from quality.policies.budgeted import best_tags, budgeted, random_tags
from quality.policies.mixdit import mixdit

Builder = Callable[[Calibration, Clock], ModelPolicy]


def _balanced(weight_bits: int) -> Builder:
    """ViDiT-Q-like, from the maxima of the first step."""

    def build_one(calibration: Calibration, clock: Clock) -> ModelPolicy:
        maxima = {
            site: torch.from_numpy(calibration.input_of(site).maxima[0])
            for site in calibration.inputs
        }
        return viditq_like(weight_bits=weight_bits, maxima=maxima)

    return build_one


FORMATS: dict[str, Callable[[], ModelPolicy]] = {
    **{name: partial(microscaling, name) for name in MICROSCALING},
    "nvfp4": nvfp4,
}
"""Formats that other machines have: judged when they are asked for, and not among `NAMES`."""

PLAIN: dict[str, Callable[[], ModelPolicy]] = {
    "mx9": lambda: uniform("mx9"),
    "mx6": lambda: uniform("mx6"),
    "mx4": lambda: uniform("mx4"),
    "int8": lambda: integer(8),
    "int4": lambda: integer(4),
    "qdit_like_w8a8": lambda: qdit_like(weight_bits=8),
    "qdit_like_w4a8": lambda: qdit_like(weight_bits=4),
    **FORMATS,
}
"""Policies that need no calibration."""

CALIBRATED: dict[str, Builder] = {
    "mixdit": mixdit,
    "mixdit_order": lambda calibration, clock: mixdit(calibration, clock, ordered=True),
    "viditq_like_w8a8": _balanced(8),
    "viditq_like_w4a8": _balanced(4),
    "best": lambda calibration, clock: budgeted(calibration, clock, best_tags(calibration, SHARE)),
    "random": lambda calibration, clock: budgeted(
        calibration, clock, random_tags(calibration, SHARE)
    ),
    "rounded": lambda calibration, clock: budgeted(calibration, clock, best_tags(calibration, 0)),
}
"""Policies that need one. "random" and "rounded" are controls of "best": the same orders and
weights with as many MX9 units drawn at random, or with none."""

NAMES = (
    "fp32",
    "mx9",
    "mx6",
    "mx4",
    "mixdit",
    "mixdit_order",
    "int8",
    "int4",
    "qdit_like_w8a8",
    "qdit_like_w4a8",
    "viditq_like_w8a8",
    "viditq_like_w4a8",
    "best",
    "random",
    "rounded",
)
"""What is judged unless a policy is named, in the order of tables; "fp32" is the model as it is."""


def build(name: str, model: nn.Module, calibration: Path, clock: Clock) -> ModelPolicy:
    """Return the policy of a name.

    Parameters
    ----------
    name : str
        One of `NAMES` or of `FORMATS`.
    model : nn.Module
        The unquantized model.
    calibration : Path
        Of that model; read only by policies that need it.
    clock : Clock
        The one that is given to `golden.torch.quantize_`.

    Raises
    ------
    FileNotFoundError
        If a policy needs the calibration and there is none.
    ValueError
        If there is no such policy, or the calibration is of another model.
    """
    if name == "fp32":
        return lambda site: None
    if name in PLAIN:
        return PLAIN[name]()
    if name not in CALIBRATED:
        raise ValueError(f"there is no policy {name!r}; there are {', '.join((*NAMES, *FORMATS))}")
    return CALIBRATED[name](load_calibration(calibration), clock)
