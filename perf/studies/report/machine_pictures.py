"""Pictures of machines: one machine's roofline with its layers, and many machines by area."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from golden.formats import BLOCK_SIZE
from perf.studies.gpu import RTX_3090
from perf.studies.report import style
from perf.studies.report.claims import AREA_SHARE
from perf.studies.report.pareto import Design, front
from perf.studies.report.pictures import WIDTH
from perf.studies.report.study import Entry
from reporting.style import styled

MODEL_COLOURS = (style.BLUE, style.SKY, style.ORANGE, style.RED)
MARKERS = {"linear": "o", "attention": "s", "condition": "^"}
BANDWIDTH_STYLES = ((style.ORANGE, "^"), (style.BLUE, "o"), (style.GREEN, "s"), (style.PINK, "D"),
                    (style.GREY, "v"))


def draw_roofline(entries: Sequence[Entry]) -> Figure:
    """Draw a machine's roofline, and every layer that its arrays compute as a point.

    Work is counted in 4x4-bit products, one for a product of two MX6 elements and four for two of
    MX9: so layers of all precisions have the same roof. The size of a point grows with the layer's
    share of its model's time. A layer whose operands stay on chip stands at the right edge.

    Parameters
    ----------
    entries : sequence of Entry
        One for each model.
    """
    preset = entries[0].run.preset
    peak, bandwidth = preset.multipliers * preset.clock_hz, preset.dram_bytes_per_s
    with styled():
        figure = Figure((WIDTH, 6.0))
        axes = figure.subplots()
        balance = peak / bandwidth
        reach = np.geomspace(balance / 200, balance * 12, 200)
        colours = dict(zip((entry.run.model.title for entry in entries),
                           MODEL_COLOURS * len(entries), strict=False))
        for run in (entry.run for entry in entries):
            for kind, marker in MARKERS.items():
                layers = [layer for layer in run.layers if layer.kind == kind]
                work = np.array([BLOCK_SIZE * layer.beats for layer in layers])
                # What moves no bytes, or hardly any, stands at the right edge.
                x = work / np.maximum([layer.traffic.total for layer in layers], work / reach[-1])
                y = work / np.array([layer.seconds for layer in layers]) / 1e12
                size = [24 + 900 * layer.total_seconds / run.step_seconds for layer in layers]
                axes.scatter(x, y, size, colours[run.model.title], marker=marker, alpha=0.65,
                             edgecolors="white", linewidths=0.7, zorder=3)
        axes.plot(reach, np.minimum(peak, bandwidth * reach) / 1e12, color="black", linewidth=1.6)
        macs = RTX_3090.fp16_flops / 2
        axes.plot(reach, np.minimum(macs, RTX_3090.bandwidth * reach) / 1e12, color=style.GREY,
                  linewidth=1.2, linestyle=(0, (4, 3)))
        style.set_log(axes)
        axes.set_xlabel("4x4-bit products per byte to or from DRAM")
        axes.set_ylabel("4x4-bit products per second, T/s")
        axes.set_title(f"Roofline of {preset.name}: {preset.multipliers:,} multipliers at "
                       f"{preset.clock_hz / 1e9:g} GHz, {bandwidth / 1e9:g} GB/s")
        handles = [Line2D([], [], linestyle="", marker="o", markersize=9, color=colour, label=title)
                   for title, colour in colours.items()]
        handles += [Line2D([], [], linestyle="", marker=marker, markersize=8, color="black",
                           markerfacecolor="none", label=kind) for kind, marker in MARKERS.items()]
        handles += [Line2D([], [], color="black", linewidth=1.6, label=f"roof of {preset.name}"),
                    Line2D([], [], color=style.GREY, linewidth=1.2, linestyle=(0, (4, 3)),
                           label=f"{RTX_3090.name}, FP16 multiply-accumulates")]
        figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def draw_pareto(designs: Sequence[Design], chosen: Design) -> Figure:
    """Draw area against latency of a sweep's machines, with a front for each bandwidth.

    Parameters
    ----------
    designs : sequence of Design
    chosen : Design
        Is marked by its name.
    """
    with styled():
        figure = Figure((WIDTH, 5.6))
        axes = figure.subplots()
        bandwidths = sorted({design.bandwidth for design in designs})
        for bandwidth, (colour, marker) in zip(bandwidths, BANDWIDTH_STYLES * len(bandwidths),
                                               strict=False):
            some = [design for design in designs if design.bandwidth == bandwidth]
            best = front(some)
            axes.scatter([each.area for each in some], [1e3 * each.seconds for each in some], 14,
                         colour, marker=marker, alpha=0.35, linewidths=0)
            axes.plot([each.area for each in best], [1e3 * each.seconds for each in best],
                      color=colour, marker=marker, markersize=5, linewidth=1.5,
                      drawstyle="steps-post", label=f"best at {bandwidth / 1e9:g} GB/s")
        axes.plot(chosen.area, 1e3 * chosen.seconds, "*", color="black", markersize=15,
                  label=f"preset {chosen.name}, {chosen.bandwidth / 1e9:g} GB/s")
        limit = AREA_SHARE * RTX_3090.area
        axes.axvline(limit, color=style.GREY, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(f"{AREA_SHARE:.0%} of an {RTX_3090.name} ", (limit, 1), (-3, -4),
                      xycoords=("data", "axes fraction"), textcoords="offset points", ha="right",
                      va="top", fontsize=9, color="#555555")
        style.set_log(axes)
        axes.set_xlabel("Area, mm² (estimated)")
        axes.set_ylabel("Time of one evaluation, ms\n(geometric mean of the models)")
        axes.set_title("Area against latency; a machine on a line beats all others of its "
                       "bandwidth in one of them")
        figure.legend(loc="outside lower center", ncols=4)
    return figure
