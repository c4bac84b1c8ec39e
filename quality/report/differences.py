"""Whether the seeds tell two policies apart."""

from collections.abc import Sequence

from quality.report.study import Figure, Study
from quality.report.tables import FID_LOST, ONE_STEP, amount
from reporting.table import Table, figures_table

COMPARED = (
    ("mixdit", "mx6"),
    ("mixdit_order", "mixdit"),
    ("mixdit_order", "mx6"),
    ("rounded", "mx6"),
    ("random", "rounded"),
    ("best", "mx6"),
    ("best", "mixdit_order"),
    ("best", "random"),
    ("best", "rounded"),
    ("best", "int8"),
    ("best", "mx9"),
    ("int8", "mx9"),
)
"""Pairs of policies whose difference is a question of the study."""


def difference_table(study: Study) -> Table:
    """Tabulate the differences between policies, seed by seed, with what chance leaves open.

    Without rows where no pair of `COMPARED` was judged on two seeds.
    """
    pairs = [pair for pair in COMPARED if set(pair) <= set(study.policies)]
    figures = {
        pair: [study.difference(*pair, *path) for path in (FID_LOST, ONE_STEP)] for pair in pairs
    }
    figures = {pair: each for pair, each in figures.items() if all(f.interval for f in each)}
    adjusted = holm([fid.p for fid, _ in figures.values()])
    rows = [
        (f"{first} - {second}", f"{fid.mean:+.3f}", range_text(fid, "+.3f"), f"{fid.p:.3f}",
         f"{holms:.2f}", f"{qsnr.mean:+.2f}", range_text(qsnr, "+.2f"))
        for ((first, second), (fid, qsnr)), holms in zip(figures.items(), adjusted, strict=True)
    ]  # fmt: skip
    columns = ("Policies", "Δ FID", "95 % interval", "p", "p, Holm", "Δ one-step QSNR, dB",
               "95 % interval of it")  # fmt: skip
    return figures_table(
        "Differences between policies, seed by seed",
        columns,
        rows,
        "Mean over seeds and its interval by Student's t. An interval that holds 0 says that these "
        f"seeds do not tell the two policies apart. p: paired t-test of Δ FID; Holm: for all "
        f"{len(rows)} at once. {amount(study)}: the test supposes that seeds scatter normally.",
    )


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are (Holm, Scand. J. Statist. 6, 1979)."""
    order = sorted(range(len(probabilities)), key=lambda index: probabilities[index])
    adjusted, least = [0.0] * len(probabilities), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        adjusted[index] = least
    return adjusted


def range_text(figure: Figure, style: str) -> str:
    """Write a figure's interval, such as ``-0.054 to +0.030``."""
    low, high = figure.interval
    return f"{low:{style}} to {high:{style}}"
