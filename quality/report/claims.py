"""The best policy's figures beside their targets."""

import math
from dataclasses import asdict
from typing import Any

from quality.report.study import Figure, Study
from quality.report.tables import FID_LOST, ONE_STEP
from reporting.claim import Claim

BEST, BASE = "best", "mx6"
"""The policy that is judged, and the one whose loss it is to close."""

WIDTH, LOSS, GAIN = 6.5, 0.015, 4.0
"""Most mean bits of activations and of weights; most FID lost to FP32; least dB over `BASE`."""


def make_claims(study: Study) -> list[Claim]:
    """Judge `BEST`; without it, or without `BASE`, nothing is claimed.

    Of figures over seeds the interval decides; one seed leaves the verdict open.
    """
    if BEST not in study.policies or BASE not in study.policies:
        return []
    claims = [
        Claim(name=f"mean bits of {kind}s, {BEST}",
              value=study.figure(BEST, "bits", kind).mean, target=WIDTH)  # counted, not estimated
        for kind in ("activation", "weight")
    ]  # fmt: skip
    loss = study.figure(BEST, *FID_LOST)
    if loss.values:
        claims.append(claim_of(loss, name="FID lost to FP32, same noise", target=LOSS))
    gain = study.difference(BEST, BASE, *ONE_STEP)
    claims.append(
        claim_of(gain, name=f"one-step QSNR over {BASE}", target=GAIN, unit="dB", at_least=True)
    )
    return claims


def claim_of(figure: Figure, **others: Any) -> Claim:
    """Make a claim of a figure over seeds; see `reporting.claim.Claim` for the others."""
    return Claim(value=figure.mean, interval=figure.interval or (-math.inf, math.inf), **others)


def figure_text(claim: Claim) -> str:
    """Write a value with its unit and interval."""
    if claim.interval is None:
        return f"{claim.value:.2f}"
    style, unit = ("+.1f", f" {claim.unit}") if claim.unit else ("+.3f", "")
    text, (low, high) = f"{claim.value:{style}}{unit}", claim.interval
    is_known = math.isfinite(low)
    return f"{text}, 95 % interval {low:{style}} to {high:{style}}" if is_known else text


def bound_text(claim: Claim) -> str:
    """Write a target."""
    return f"{claim.bound_word} {claim.target:g} {claim.unit}".rstrip()


def sentence(claim: Claim) -> str:
    """Write a claim in one line."""
    return f"{claim.name}: {figure_text(claim)} ({bound_text(claim)}: {claim.verdict})"


def record(claim: Claim) -> dict[str, Any]:
    """Give a claim as JSON values; an interval that is not known is null."""
    known = claim.interval if claim.interval and math.isfinite(claim.interval[0]) else None
    return asdict(claim) | {"interval": known, "verdict": claim.verdict}
