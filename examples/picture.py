"""The demo's picture: quality and cycles of every layer, the three styles side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from commands.outputs import whole
from examples.gemms import Style
from examples.report import Row, totals

COLORS = {Style.MX6: "#9db4c8", Style.MIXDIT: "#c8553d", Style.MX9: "#2f4858"}
_BAR_WIDTH = 0.27


def draw(path: Path, rows: Sequence[Row], machine: str) -> None:
    """Draw the rows of a run in which every layer ran in the same styles.

    Parameters
    ----------
    path : Path
        PNG file to write.
    rows : sequence of Row
    machine : str
        For the title, such as "8 x 8".
    """
    figure, (quality, cycles) = plt.subplots(
        2, 1, figsize=(9, 7.2), sharex=True, layout="constrained", gridspec_kw={"hspace": 0.06})
    _bars(quality, rows, lambda row: row.qsnr, lambda row: f"{row.qsnr:.1f}")
    quality.set_ylabel("QSNR against FP64 GEMM (dB)")
    quality.set_title(f"A DiT block's linear layers on the {machine} array", loc="left",
                      fontweight="bold", pad=30)
    _bars(cycles, rows, lambda row: row.cycles / 1000, lambda row: f"{row.utilization:.0%}")
    cycles.set_ylabel("Cycles (thousands)")
    cycles.set_title("On each bar: share of its cycles in which the array took a beat", loc="left",
                     fontsize=9, color="#555555")
    names = list(dict.fromkeys(row.layer for row in rows))
    shapes = {row.layer: "×".join(map(str, row.shape)) for row in rows}
    cycles.set_xticks(range(len(names)), [f"{name}\n{shapes[name]}" for name in names])
    sums = totals(rows)
    handles, _ = quality.get_legend_handles_labels()
    labels = [f"{style.title}: {entry['cycles']:,} cycles" for style, entry in sums.items()]
    quality.legend(handles, labels, ncols=3, frameon=False, loc="lower left",
                   bbox_to_anchor=(-0.01, 1.0), borderaxespad=0.2)
    with whole(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)


def _bars(
    axes: Axes, rows: Sequence[Row], height: Callable[[Row], float], label: Callable[[Row], str]
) -> None:
    styles = list(dict.fromkeys(row.style for row in rows))
    for number, style in enumerate(styles):
        own = [row for row in rows if row.style is style]
        places = np.arange(len(own)) + (number - (len(styles) - 1) / 2) * _BAR_WIDTH
        bars = axes.bar(places, [height(row) for row in own], _BAR_WIDTH * 0.94,
                        color=COLORS[style], label=style.title)
        axes.bar_label(bars, [label(row) for row in own], fontsize=7.5, padding=2, color="#444444")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0)
    axes.margins(x=0.02, y=0.1)
