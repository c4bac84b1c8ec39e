"""Where the outliers are, by kind of layer, block and step, and where a policy spends its bits."""

import re
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from quality.harness.settings import REFERENCE
from quality.report.study import Study
from reporting.style import styled

Grid = dict[str, dict[int, NDArray[np.float64]]]
"""By kind of layer and block: a figure for each step."""


def split_name(site: str) -> tuple[str, int]:
    """Take ``transformer_blocks.3.attn1.to_q`` apart: ``("attn1.to_q", 3)``.

    A name without a block's number is a kind of its own, in block 0.
    """
    found = re.fullmatch(r"\w+\.(\d+)\.(.+)", site)
    return (found[2], int(found[1])) if found else (site, 0)


def draw_outliers(study: Study, policy: str | None = None) -> Figure:
    """Draw the largest channel over the median one, and a policy's mean bits, as maps.

    Parameters
    ----------
    study : Study
    policy : str, optional
        Whose bits are drawn; none leaves them out.
    """
    reference = study.policies[REFERENCE]
    maps = [(_grid([record["outliers"] for record in reference]), "Largest channel / median")]
    if policy is not None:
        probes = [record["probe"]["layer_bits"] for record in study.policies[policy]]
        maps.append((_grid(probes), f"Mean bits of an activation, {policy}"))
    with styled():
        figure = Figure(figsize=(10, sum(0.9 + 0.28 * len(grid) for grid, _ in maps)))
        heights = [len(grid) for grid, _ in maps]
        panels = figure.subplots(len(maps), 2, squeeze=False, height_ratios=heights)
        for row, (grid, title) in zip(panels, maps, strict=True):
            by_block = np.array([_by_block(grid, kind) for kind in grid])
            by_step = np.array(
                [np.median(list(blocks.values()), axis=0) for blocks in grid.values()]
            )
            both = np.concatenate([by_block.ravel(), by_step.ravel()])
            limits = [np.nanmin(both), np.nanmax(both)]
            panel = ((row[0], by_block, "block", 0), (row[1], by_step, "step", 1))
            for axes, values, label, first in panel:
                image = _draw_map(axes, values, list(grid), limits, first)
                axes.set_title(f"{title}, by {label}")
            row[1].set_yticklabels([])
            figure.colorbar(image, ax=list(row), pad=0.01)
    return figure


def _grid(records: list[Mapping[str, list[float]]]) -> Grid:
    """Average over seeds and sort by kind and block."""
    grid: Grid = {}
    for site in records[0]:
        kind, block = split_name(site)
        values = np.mean([record[site] for record in records], axis=0)
        grid.setdefault(kind, {})[block] = values
    return grid


def _by_block(grid: Grid, kind: str) -> list[float]:
    """Return the median over steps for each block of the model; NaN where a block has no such."""
    count = 1 + max(block for blocks in grid.values() for block in blocks)
    blocks = grid[kind]
    return [float(np.median(blocks[b])) if b in blocks else np.nan for b in range(count)]


def _draw_map(
    axes: Axes, values: NDArray, kinds: list[str], limits: list[float], first: int
) -> AxesImage:
    """Draw a row for each kind; columns are counted from `first`."""
    rows, columns = values.shape
    image = axes.imshow(
        values, aspect="auto", cmap="viridis", vmin=limits[0], vmax=limits[1],
        extent=(first - 0.5, first + columns - 0.5, rows - 0.5, -0.5),
    )  # fmt: skip
    axes.set_yticks(range(len(kinds)), kinds)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(False)
    axes.tick_params(length=0)
    return image
