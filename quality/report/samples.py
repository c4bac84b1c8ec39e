"""The same noise under several policies, side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from quality.harness.store import read_shard
from quality.report.study import Study
from reporting.style import styled

SHOWN = 10
"""Images of each policy."""

AMPLIFIED = 4
"""Factor of the drawn distance."""


def first_images(study: Study, policy: str) -> NDArray[np.uint8] | None:
    """Return the first images of the first seed, if the batches are still there."""
    seed = study.policies[policy][0]["seed"]
    files = sorted((study.folder / policy / f"seed-{seed}").glob("images-000000-*.safetensors"))
    return read_shard(files[-1])[0]["images"][:SHOWN] if files else None


def draw_samples(study: Study, policies: Sequence[str]) -> Figure | None:
    """Draw a row of images for each policy, and below it its distance from the first, amplified.

    None where no images are stored.
    """
    rows = {name: images for name in policies if (images := first_images(study, name)) is not None}
    if len(rows) < 2:
        return None
    (_, reference), *_ = rows.items()
    with styled():
        figure = Figure(figsize=(10, 1.02 * (2 * len(rows) - 1)))
        axes = figure.subplots(2 * len(rows) - 1, 1, squeeze=False)[:, 0]
        panels = iter(axes)
        for name, images in rows.items():
            _draw_row(next(panels), images, name)
            if images is not reference:
                distance = np.abs(images.astype(int) - reference) * AMPLIFIED
                _draw_row(next(panels), 255 - distance.clip(max=255), f"{AMPLIFIED}x\nerror")
    return figure


def _draw_row(axes: Axes, images: NDArray, label: str) -> None:
    tiles = np.concatenate(list(images), axis=1)
    axes.imshow(tiles, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_yticks([tiles.shape[0] / 2], [label])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(False)
    axes.set_frame_on(False)
