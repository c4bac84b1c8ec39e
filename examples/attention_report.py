"""An attention's numbers as a table and as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.outputs import whole
from examples.attention_run import StepRow
from examples.gemms import Style
from examples.picture import COLORS
from examples.report import totals

HEAD_OPERANDS = {"Q": "Q·Kᵀ", "K": "Kᵀ", "P": "P·V", "V": "V"}
"""What is cut into heads, and the step that chooses their precision."""

_COLUMNS = (("Step", "left"), ("Jobs", "right"), ("M × K × N", "right"), ("Format", "left"),
            ("A MX9", "right"), ("B MX9", "right"), ("Cycles", "right"), ("Array", "right"),
            ("QSNR", "right"), ("Bits", "left"))


def print_steps(console: Console, rows: Sequence[StepRow]) -> None:
    """Print a line per step and style, the styles of a step together, then the styles' sums."""
    table = Table(caption=(
        "MX9: share of the blocks of A and of B in MX9. Cycles: sum over the jobs. Array: beats "
        "that entered it over these cycles. QSNR: of all up to here, against the attention in FP64 "
        "with nothing quantized. Bits: every result and packet, against the golden model."),
        caption_justify="left")
    for name, justify in _COLUMNS:
        table.add_column(name, justify=justify, no_wrap=True)
    for step in dict.fromkeys(row.layer for row in rows):
        for number, row in enumerate(row for row in rows if row.layer == step):
            shape = " × ".join(str(size) for size in row.shape if size)
            table.add_row(
                *("" if number else text for text in (step, str(row.jobs), shape)),
                row.style.title, _share(row.mx9_share), _share(row.weight_mx9_share),
                f"{row.cycles:,}" if row.counters else "–",
                _share(row.utilization if row.expected_beats else None),
                "–" if row.qsnr is None else f"{row.qsnr:.1f} dB",
                Text("equal", "green") if row.difference is None else Text("DIFFER", "bold red"))
        table.add_section()
    for style, sums in totals(rows).items():
        table.add_row("", "", "all steps", style.title, "", "", f"{sums['cycles']:,}",
                      _share(sums["utilization"]), "", "")
    console.print(table)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def draw_attention(path: Path, rows: Sequence[StepRow], heads: int, machine: str) -> None:
    """Draw quality along the steps, cycles by step, and which heads MixDiT put in MX9.

    Parameters
    ----------
    path : Path
        PNG file to write.
    rows : sequence of StepRow
        All steps in all styles, with counters.
    heads : int
        Of a sequence.
    machine : str
        For the title, such as "8 × 8".
    """
    figure, (quality, cycles, units) = plt.subplots(
        3, 1, figsize=(9, 8.4), layout="constrained", height_ratios=(3, 1.7, 1.5))
    styles = list(dict.fromkeys(row.style for row in rows))
    draw_quality(quality, rows, styles)
    quality.set_title(f"A DiT block's attention on the {machine} array", loc="left",
                      fontweight="bold")
    draw_cycles(cycles, rows, styles)
    _draw_units(units, [row for row in rows if row.style is Style.MIXDIT], heads)
    with whole(path) as file:
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    plt.close(figure)


class Quality(Protocol):
    """What a step's numbers are worth, in one style."""

    layer: str
    style: Style
    qsnr: float | None


class Cost(Protocol):
    """What a step takes, in one style."""

    layer: str
    style: Style
    cycles: int | None


def draw_quality(axes: Axes, rows: Sequence[Quality], styles: Sequence[Style]) -> None:
    """Draw a line per style through its steps."""
    for style in styles:
        own = [row for row in rows if row.style is style]
        axes.plot([row.layer for row in own], [row.qsnr for row in own], "o-", color=COLORS[style],
                  label=style.title)
        above = style is not Style.MX6  # MixDiT's points are close above those of MX6
        for row in own:
            axes.annotate(f"{row.qsnr:.1f}", (row.layer, row.qsnr), (0, 6 if above else -6),
                          textcoords="offset points", ha="center", fontsize=7.5, color="#444444",
                          va="bottom" if above else "top")
    axes.set_ylabel("QSNR against FP64 (dB)")
    axes.margins(y=0.15)
    axes.grid(axis="y", color="#e5e5e5")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(styles), loc="center left")


def draw_cycles(axes: Axes, rows: Sequence[Cost], styles: Sequence[Style]) -> None:
    """Draw a bar per style, of its steps' cycles one after the other."""
    steps = list(dict.fromkeys(row.layer for row in rows))
    counts = {(row.layer, row.style): row.cycles for row in rows}
    left = np.zeros(len(styles))
    names = [style.title for style in styles]
    for step in steps:
        widths = np.array([counts[step, style] / 1000 for style in styles])
        bars = axes.barh(names, widths, left=left, edgecolor="white",
                         color=[COLORS[style] for style in styles])
        axes.bar_label(bars, [step] * len(styles), label_type="center", fontsize=7.5, color="white")
        left += widths
    axes.invert_yaxis()
    axes.set_xlabel("Cycles (thousands)")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_units(axes: Axes, rows: Sequence[StepRow], heads: int) -> None:
    by_step = {row.layer: row for row in rows}
    grid = np.zeros((len(HEAD_OPERANDS), by_step["V"].jobs))
    for line, step in enumerate(HEAD_OPERANDS.values()):
        grid[line, by_step[step].mx9_jobs] = 1
    axes.pcolormesh(grid, cmap="Blues", vmax=1.6, edgecolors="white", linewidth=1)
    axes.set_yticks(np.arange(len(HEAD_OPERANDS)) + 0.5, list(HEAD_OPERANDS))
    axes.set_xticks(np.arange(0, grid.shape[1], heads),
                    [f"seq. {number}" for number in range(grid.shape[1] // heads)], ha="left")
    axes.invert_yaxis()
    axes.set_title(f"MixDiT: heads in MX9, {heads} to a sequence", loc="left", fontsize=9,
                   color="#555555")
    axes.tick_params(length=0)
