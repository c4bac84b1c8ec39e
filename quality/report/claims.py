"""The best policy's figures beside their targets."""

from dataclasses import dataclass

from quality.report.differences import range_text
from quality.report.study import Figure, Study
from quality.report.tables import FID_LOST, ONE_STEP

BEST, BASE = "best", "mx6"
"""The policy that is judged, and the one whose loss it is to close."""

WIDTH, LOSS, GAIN = 6.5, 0.015, 4.0
"""Most mean bits of activations and of weights; most FID lost to FP32; least dB over `BASE`."""


@dataclass(frozen=True)
class Claim:
    """A figure beside its target.

    Parameters
    ----------
    name : str
    text : str
        The figure with its unit.
    bound : str
        The target in words.
    verdict : {"met", "missed", "open"}
        Open where the figure's 95 % interval holds the target, or one seed gives no interval.
    """

    name: str
    text: str
    bound: str
    verdict: str


def make_claims(study: Study) -> list[Claim]:
    """Judge `BEST`; without it, or without `BASE`, nothing is claimed."""
    if BEST not in study.policies or BASE not in study.policies:
        return []
    claims = []
    for kind in ("activation", "weight"):
        width = study.figure(BEST, "bits", kind).mean  # counted, not estimated
        verdict = "met" if width <= WIDTH else "missed"
        name = f"mean bits of {kind}s, {BEST}"
        claims.append(Claim(name, f"{width:.2f}", f"at most {WIDTH}", verdict))
    loss = study.figure(BEST, *FID_LOST)
    if loss.values:
        verdict = judge(loss, LOSS)
        text = _with_interval(loss, "+.3f")
        claims.append(Claim("FID lost to FP32, same noise", text, f"at most {LOSS}", verdict))
    gain = study.difference(BEST, BASE, *ONE_STEP)
    verdict = judge(gain.times(-1), -GAIN)
    text = _with_interval(gain, "+.1f", " dB")
    claims.append(Claim(f"one-step QSNR over {BASE}", text, f"at least {GAIN:g} dB", verdict))
    return claims


def judge(figure: Figure, most: float) -> str:
    """Say whether a figure is shown to be at most `most`; see `Claim`."""
    if figure.interval is None:
        return "open"
    low, high = figure.interval
    return "met" if high <= most else "missed" if low > most else "open"


def _with_interval(figure: Figure, style: str, unit: str = "") -> str:
    text = f"{figure.mean:{style}}{unit}"
    return f"{text}, 95 % interval {range_text(figure, style)}" if figure.interval else text
