"""The table of single evaluations of the model."""

from collections.abc import Sequence

from quality.harness.one_step import OneStep
from quality.report.differences import range_text
from quality.report.study import Figure
from reporting.table import Table, figures_table


def one_step_table(results: Sequence[OneStep], images: int) -> Table:
    """Tabulate results by falling width, the better of two equal ones first."""
    order = sorted(
        results,
        key=lambda each: (-round(each.activation_bits + each.weight_bits, 1), -min(each.pooled)),
    )
    rows = [
        (each.policy, f"{each.activation_bits:.2f}", f"{each.weight_bits:.2f}",
         *_cells(each.pooled), *_cells(each.last))
        for each in order
    ]  # fmt: skip
    columns = ("Policy", "Activation bits", "Weight bits", "QSNR, dB", "95 % interval",
               "Last step, dB", "95 % interval of it")  # fmt: skip
    count = len(results[0].pooled) if results else 0
    return figures_table(
        "Single evaluations at FP32's own states",
        columns,
        rows,
        f"{count} seed{'s' if count != 1 else ''} of {images} images. QSNR: of the model's output, "
        "all steps pooled; mean over seeds and its interval by Student's t.",
    )


def _cells(values: tuple[float, ...]) -> tuple[str, str]:
    figure = Figure(values)
    return f"{figure.mean:.1f}", range_text(figure, ".1f") if figure.interval else ""
