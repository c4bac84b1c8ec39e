"""Pictures of one machine's study: speedups, where the time goes, energy."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from perf.studies.report import style
from perf.studies.report.breakdown import Part, parts_of_model
from perf.studies.report.claims import CALIBRATED, PERFECT
from perf.studies.report.estimates import EnergyRow
from perf.studies.report.study import Entry, Study, rivals
from reporting.style import styled

WIDTH = 11.0
"""Of every picture, inches."""

RIVAL_COLOURS = dict(zip(
    ("perfect", "calibrated", "same_gpu", "int8_linear", "int8", "dacapo"),
    (style.BLUE, style.SKY, style.GREEN, style.ORANGE, style.RED, style.GREY), strict=True))

PART_COLOURS = {
    Part.LINEAR: style.BLUE, Part.ATTENTION: style.SKY, Part.CONVERSION: style.GREEN,
    Part.MEMORY: style.RED, Part.VECTOR: style.ORANGE, Part.EXPOSED: style.GREY}

ENERGY_COLOURS = {"arithmetic": style.BLUE, "SRAM on chip": style.SKY, "DRAM": style.ORANGE}

Stacks = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By panel and bar, the values of its parts."""


def draw_speedups(entries: Sequence[Entry]) -> Figure:
    """Draw, for every model, how often faster than each rival one policy is.

    Parameters
    ----------
    entries : sequence of Entry
        One for each model.
    """
    with styled():
        figure = Figure((WIDTH, 4.4))
        axes = figure.subplots()
        shown = rivals()
        width = 0.84 / len(shown)
        places = np.arange(len(entries))
        for index, rival in enumerate(shown):
            values = [getattr(entry.comparison, rival.field) for entry in entries]
            bars = axes.bar(places + (index - (len(shown) - 1) / 2) * width, values, 0.92 * width,
                            color=RIVAL_COLOURS[rival.field], label=rival.title)
            axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=2, fontsize=8,
                           path_effects=[withStroke(linewidth=2.5, foreground="white")])
        axes.axhline(1, color="black", linewidth=1.2)
        lines = [axes.axhline(target, color=RIVAL_COLOURS[rival], linewidth=1.2, zorder=0.5,
                              linestyle=(0, (4, 3)), label=f"target over {words}: {target:.2f}")
                 for target, rival, words in ((PERFECT, "perfect", "the perfect roofline"),
                                              (CALIBRATED, "calibrated", "the calibrated GPU"))]
        axes.set_xlim(-0.5, len(entries) - 0.5)
        axes.set_xticks(places, [entry.run.model.title for entry in entries])
        axes.set_ylabel("Speedup, times (higher is faster)")
        axes.grid(axis="x", visible=False)
        axes.set_title(f"Speedup of {entries[0].run.preset.name}, {entries[0].run.policy.title}")
        figure.legend(handles=[*axes.containers, *lines], loc="outside lower center", ncols=2)
    return figure


def draw_breakdown(study: Study) -> Figure:
    """Draw where the milliseconds of an evaluation go, for every model under every policy."""
    stacks: dict[str, dict[str, dict[str, float]]] = {}
    for entry in study.entries:
        stacks.setdefault(entry.run.model.title, {})[entry.run.policy.title] = {
            part.value: 1e3 * seconds for part, seconds in parts_of_model(entry.run).items()}
    return _draw_stacks(stacks, {part.value: PART_COLOURS[part] for part in Part}, "ms",
                        "Time of one evaluation (two samples), ms")


def draw_energy(rows: Mapping[str, Sequence[EnergyRow]]) -> Figure:
    """Draw the energy estimates of an evaluation, stacked by where the energy goes.

    Parameters
    ----------
    rows : mapping of str to sequence of EnergyRow
        By the model's title.
    """
    stacks = {
        title: {row.title: dict(zip(ENERGY_COLOURS, (
            row.estimate.arithmetic, row.estimate.sram, row.estimate.dram), strict=True))
            for row in machines}
        for title, machines in rows.items()}
    return _draw_stacks(stacks, ENERGY_COLOURS, "J",
                        "ESTIMATED energy of one evaluation (two samples), J")


def _draw_stacks(stacks: Stacks, colours: Mapping[str, str], unit: str, label: str) -> Figure:
    """Draw a panel for each model, with a scale of its own and a bar for each machine."""
    with styled():
        figure = Figure((WIDTH, 1.2 + sum(0.62 + 0.3 * len(bars) for bars in stacks.values())))
        panels = figure.subplots(len(stacks), squeeze=False, height_ratios=[
            len(bars) for bars in stacks.values()])[:, 0]
        for axes, (title, bars) in zip(panels, stacks.items(), strict=True):
            left = np.zeros(len(bars))
            for part, colour in colours.items():
                values = np.array([parts[part] for parts in bars.values()])
                axes.barh(list(bars), values, 0.74, left, color=colour)
                left += values
            for place, total in enumerate(left):
                axes.annotate(f" {style.significant(total)} {unit}", (total, place), va="center",
                              fontsize=9)
            axes.set_xlim(0, 1.1 * left.max())
            axes.set_title(title)
            axes.invert_yaxis()
            axes.grid(axis="y", visible=False)
        panels[-1].set_xlabel(label)
        figure.legend([Patch(color=colour) for colour in colours.values()], list(colours),
                      loc="outside lower center", ncols=3)
    return figure
