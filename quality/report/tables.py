"""The tables of a study, policy by policy."""

from dataclasses import dataclass

from quality.harness.settings import REFERENCE
from quality.report.study import Study
from reporting.table import Table, figures_table


@dataclass(frozen=True)
class Metric:
    """How a score is shown.

    Parameters
    ----------
    title : str
    style : str
        Of Python's format language.
    scale : float
        Factor that `title` names.
    """

    title: str
    style: str
    scale: float = 1.0


METRICS = {
    "fid": Metric("FID", ".3f"),
    "fid_clean": Metric("FID, clean", ".3f"),
    "kid": Metric("KID x 1000", ".2f", 1000.0),
    "inception_score": Metric("IS", ".3f"),
    "accuracy": Metric("Class right, %", ".1f", 100.0),
    "agreement": Metric("Same class, %", ".1f", 100.0),
    "clip_score": Metric("CLIP score", ".2f"),
}
"""Scores in the order of the tables; whatever else a record holds stays in its file."""

PAIRED = ("fid", "fid_clean", "kid", "inception_score", "accuracy", "clip_score")
"""What is shown as a difference to the reference."""


def paired_table(study: Study) -> Table:
    """Tabulate what each policy costs, against the same noise in FP32."""
    metrics = [key for key in PAIRED if _present(study, "paired", key)]
    has_classes = _present(study, "paired", "agreement")
    columns = ["Policy", "Activation bits", "Weight bits"]
    columns += [f"Δ {METRICS[key].title}" for key in metrics]
    columns += [METRICS["agreement"].title] if has_classes else []
    columns += ["PSNR, dB", "One-step QSNR, dB"]
    rows = []
    for name in study.quantized:
        row = [name, *(study.figure(name, "bits", key).text(".2f")[:4] for key in WIDTHS)]
        row += [_text(study, name, "paired", key, sign="+") for key in metrics]
        row += [_text(study, name, "paired", "agreement")] if has_classes else []
        row += [study.figure(name, *key).text(".1f") for key in (PSNR, ONE_STEP)]
        rows.append(tuple(row))
    return figures_table(
        "Differences to FP32 from the same noise",
        columns,
        rows,
        f"{amount(study)}, mean ± standard deviation over seeds. "
        "Bits are means over all elements that reach a quantized GEMM. PSNR: median image. "
        "One-step QSNR: the model's output at FP32's own states.",
    )


def score_table(study: Study) -> Table:
    """Tabulate the scores themselves."""
    metrics = [key for key in METRICS if _present(study, "scores", key)]
    rows = [
        (name, *(_text(study, name, "scores", key) for key in metrics), _seconds(study, name))
        for name in study.policies
    ]
    columns = ("Policy", *(METRICS[key].title for key in metrics), "Seconds a seed")
    return figures_table("Scores", columns, rows, amount(study))


WIDTHS = ("activation", "weight")
PSNR = ("psnr", "median")
ONE_STEP = ("probe", "one_step_qsnr")
FID_LOST = ("paired", "fid")


def _present(study: Study, group: str, key: str) -> bool:
    return any(study.figure(name, group, key).values for name in study.policies)


def _text(study: Study, policy: str, group: str, key: str, sign: str = "") -> str:
    metric = METRICS[key]
    return study.figure(policy, group, key).times(metric.scale).text(sign + metric.style)


def _seconds(study: Study, policy: str) -> str:
    return study.figure(policy, "seconds").text(".0f")


def amount(study: Study) -> str:
    """Return how many seeds and images the reference has, in words."""
    count = len(study.policies[REFERENCE])
    return f"{count} seed{'s' if count > 1 else ''} of {study.any_record['images']} images"
