"""What the server preset has to reach beside an RTX 3090.

The factors are the ends of the range that the MixDiT paper (arXiv 2504.08398) claims over that GPU.
The lower end is asked for against a perfect GPU, the upper one at a calibrated efficiency.
"""

from collections.abc import Callable

from perf.studies.gpu import RTX_3090
from perf.studies.report.study import Entry, Study
from reporting.claim import Claim

PERFECT, CALIBRATED = 2.10, 5.32
OWN_ROOFLINE, AREA_SHARE, MIXED_COST = 1.10, 0.25, 1.08
JUDGED = "server"
"""The preset that has targets."""

CHOSEN, BASE = "mixdit", "mx6"
"""Policies: what the claims are about, and what its cost is measured against."""


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
    claims = [Claim(name="area, share of the RTX 3090's die",
                    value=study.silicon.area / RTX_3090.area, target=AREA_SHARE,
                    where=study.preset.name)]
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
    return Claim(name=name, value=value(entry), target=target, at_least=at_least, unit="x",
                 where=entry.run.model.name)
