"""Statistics of a folder of real images, to which published models' images are compared."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from quality.metrics.fid import gaussian

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Extract(Protocol):
    """What `quality.metrics.inception.Inception` is to this module."""

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], object]:
        """Return features (n, d), and something else, of images (n, height, width, 3)."""


def find_images(folder: Path, limit: int | None = None) -> list[Path]:
    """Return the image files of a folder and of those in it, in the order of their names.

    Parameters
    ----------
    folder : Path
    limit : int, optional
        Evenly spaced files, if there are more: a data set sorted by class keeps all its classes.

    Raises
    ------
    FileNotFoundError
        If there are fewer than two.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < 2:
        raise FileNotFoundError(f"{folder} holds {len(files)} images ({', '.join(SUFFIXES)})")
    if limit is not None and limit < len(files):
        files = [files[index * len(files) // limit] for index in range(limit)]
    return files


def read_image(path: Path, size: int) -> NDArray[np.uint8]:
    """Return the middle square of an image, (size, size, 3), RGB.

    Resized with an antialiasing filter, as Parmar et al. (CVPR 2022) ask for.

    Raises
    ------
    ValueError
        If the file is no image.
    """
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is no readable image: {error}") from error
    return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))


def statistics_of(
    files: Sequence[Path],
    size: int,
    extract: Extract,
    report: Callable[[int], None],
    batch_size: int = 32,
) -> dict[str, NDArray]:
    """Return ``mu``, ``sigma`` and ``features`` of images, as `load_statistics` reads them.

    Parameters
    ----------
    files : sequence of Path
    size : int
        Height and width to which they are brought: those of the model's images.
    extract : Extract
    report : Callable
        Called after each batch with the number of images that are done.
    batch_size : int
        Images at a time.
    """
    features = []
    for start in range(0, len(files), batch_size):
        part = files[start : start + batch_size]
        features.append(extract(np.stack([read_image(path, size) for path in part]))[0])
        report(start + len(part))
    everything = np.concatenate(features)
    moments = gaussian(everything)
    return {
        "mu": moments.mean,
        "sigma": moments.covariance,
        "features": everything.astype(np.float32),
    }
