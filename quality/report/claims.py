"""The best policy's figures beside their targets."""

from dataclasses import dataclass

from quality.report.study import Study

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
    met : bool
    """

    name: str
    text: str
    bound: str
    met: bool


def make_claims(study: Study) -> list[Claim]:
    """Judge `BEST`; without it, or without `BASE`, nothing is claimed."""
    if BEST not in study.policies or BASE not in study.policies:
        return []
    claims = []
    for kind in ("activation", "weight"):
        width = study.figure(BEST, "bits", kind).mean
        claims.append(
            Claim(f"mean bits of {kind}s, {BEST}", f"{width:.2f}", f"at most {WIDTH}",
                  width <= WIDTH)
        )  # fmt: skip
    loss = study.figure(BEST, "paired", "fid")
    if loss.values:
        claims.append(
            Claim("FID lost to FP32, same noise", loss.text("+.3f"), f"at most {LOSS}",
                  loss.mean <= LOSS)
        )  # fmt: skip
    one_step = ("probe", "one_step_qsnr")
    gain = study.figure(BEST, *one_step).mean - study.figure(BASE, *one_step).mean
    claims.append(
        Claim(f"one-step QSNR over {BASE}", f"{gain:+.1f} dB", f"at least {GAIN:g} dB",
              gain >= GAIN)
    )  # fmt: skip
    return claims
