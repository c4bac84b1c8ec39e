"""Pictures of a study: quality against width, and where along a trajectory the errors arise."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from quality.report.study import Study
from quality.report.tables import ONE_STEP, PSNR
from reporting.style import COLOURS, MARKERS, styled


def draw_widths(study: Study) -> Figure:
    """Draw what each policy loses against the mean width of its activations.

    Left the FID, or the images' PSNR where there is no FID; right the one-step QSNR.
    """
    with styled():
        figure = Figure(figsize=(10, 4.2))
        left, right = figure.subplots(1, 2)
        if has_fid(study):
            _scatter(left, study, ("paired", "fid"))
            left.set_yscale("symlog", linthresh=0.01)
            left.axhline(0, color="#444", linewidth=0.8)
            left.set_title("FID minus FP32's, same noise")
        else:
            _scatter(left, study, PSNR)
            left.set_title("PSNR to FP32's image, median, dB")
        _scatter(right, study, ONE_STEP)
        right.set_title("One-step QSNR, dB")
        for axes in (left, right):
            axes.set_xlabel("Mean bits of an activation")
    return figure


def draw_steps(study: Study, policies: Sequence[str]) -> Figure:
    """Draw errors by step: of one evaluation alone, and of the state that the sampler reaches."""
    with styled():
        figure = Figure(figsize=(10, 4.4))
        left, right = figure.subplots(1, 2, sharex=True)
        for name in policies:
            look = _look(study, name)
            for axes, key in ((left, "step_qsnr"), (right, "state_qsnr")):
                values = study.series(name, key)
                axes.plot(range(1, len(values) + 1), values, label=name, markersize=4, **look)
        left.set_title("QSNR of each evaluation at FP32's state, dB")
        right.set_title("QSNR of the state after each step, dB")
        for axes in (left, right):
            axes.set_xlabel("Step, from noise to image")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=7)
    return figure


def has_fid(study: Study) -> bool:
    """Whether the images were judged by their distance to a data set."""
    return any(study.figure(name, "paired", "fid").values for name in study.quantized)


def _scatter(axes: Axes, study: Study, path: tuple[str, ...]) -> None:
    for name in study.quantized:
        figure = study.figure(name, *path)
        if figure.values:
            width = study.figure(name, "bits", "activation").mean
            look = {key: value for key, value in _look(study, name).items() if key != "linestyle"}
            axes.errorbar(width, figure.mean, figure.spread, capsize=3, **look)
            axes.annotate(name, (width, figure.mean), xytext=(6, 3), textcoords="offset points",
                          fontsize=8)  # fmt: skip


def _look(study: Study, name: str) -> dict[str, str]:
    index = study.quantized.index(name)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": "-" if index < len(COLOURS) else "--",
    }
