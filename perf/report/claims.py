"""What the server preset has to reach beside an RTX 3090.

The factors are the ends of the range that the MixDiT paper (arXiv 2504.08398) claims over that GPU.
The lower end is asked for against a perfect GPU, the upper one at a calibrated efficiency.
"""

from collections.abc import Callable
from dataclasses import dataclass

from perf.gpu import RTX_3090
from perf.report.study import Entry, Study

PERFECT, CALIBRATED = 2.10, 5.32
OWN_ROOFLINE, AREA_SHARE, MIXED_COST = 1.10, 0.25, 1.08
JUDGED = "server"
"""The preset that has targets."""

CHOSEN, BASE = "mixdit", "mx6"
"""Policies: what the claims are about, and what its cost is measured against."""


@dataclass(frozen=True)
class Claim:
    """A figure beside its target.

    Attributes
    ----------
    name : str
    value, target : float
    at_least : bool
        Else at most.
    unit : str
    where : str
        Of which model or machine the value is, the worst of all.
    """

    name: str
    value: float
    target: float
    at_least: bool
    unit: str
    where: str

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def bound(self) -> str:
        """The target in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.target:.2f}"


def make_claims(study: Study) -> list[Claim]:
    """Judge a study by its worst model, whichever claims it has the runs for.

    Parameters
    ----------
    study : Study

    Returns
    -------
    list of Claim
        None but of the preset `JUDGED`; without `CHOSEN`, area alone; with `BASE` also
        `MIXED_COST`.
    """
    if study.preset.name != JUDGED:
        return []
    claims = [Claim("area, share of the RTX 3090's die", study.silicon.area / RTX_3090.area,
                    AREA_SHARE, False, "", study.preset.name)]
    chosen = study.of_policy(CHOSEN)
    if chosen:
        claims += [
            _worst("speedup over the perfect FP16 roofline", chosen, PERFECT, True,
                   lambda entry: entry.comparison.perfect),
            _worst("speedup at calibrated efficiency", chosen, CALIBRATED, True,
                   lambda entry: entry.comparison.calibrated),
            _worst("time over the machine's own roofline", chosen, OWN_ROOFLINE, False,
                   lambda entry: entry.run.roofline_ratio)]
    base = {entry.run.model.name: entry.run.step_seconds for entry in study.of_policy(BASE)}
    if chosen and all(entry.run.model.name in base for entry in chosen):
        claims.append(_worst(
            "time of MixDiT over pure MX6", chosen, MIXED_COST, False,
            lambda entry: entry.run.step_seconds / base[entry.run.model.name]))
    return claims


def _worst(name: str, entries: list[Entry], target: float, at_least: bool,
           value: Callable[[Entry], float]) -> Claim:
    entry = (min if at_least else max)(entries, key=value)
    return Claim(name, value(entry), target, at_least, "x", entry.run.model.name)
