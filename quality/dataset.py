"""Fashion-MNIST as Debian ships it: four gzipped IDX files, read with NumPy alone."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quality.recipe import IMAGE_SIZE

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""

SPLITS = {"train": "train", "test": "t10k"}
IDX_UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one gzipped IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
        A file of the MNIST family.

    Returns
    -------
    NDArray[np.uint8]
        The array, with the dimensions the header states.

    Raises
    ------
    FileNotFoundError
        If the file is missing.
    ValueError
        If it is not a gzipped IDX file of unsigned bytes, or is cut short.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: install it with `apt-get install dataset-fashion-mnist` (Debian), "
            "or name the folder that holds Fashion-MNIST's four .gz files with --data"
        )
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a readable gzip file: {error}") from error
    if len(content) < 4 or content[:3] != bytes([0, 0, IDX_UNSIGNED_BYTE]):
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    header_length = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:header_length], dtype=">u4"))
    body = np.frombuffer(content, dtype=np.uint8, offset=min(header_length, len(content)))
    if body.size != int(np.prod(shape)):
        raise ValueError(f"{path} promises {shape} bytes and holds {body.size}")
    return body.reshape(shape)


def load(split: str, folder: Path = DEFAULT_FOLDER) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load one split, padded to the size the model works on.

    Parameters
    ----------
    split : str
        ``"train"`` (60,000 images) or ``"test"`` (10,000).
    folder : Path
        Folder with the four files.

    Returns
    -------
    images : NDArray[np.uint8]
        Shape (n, 32, 32), 0 is background.
    labels : NDArray[np.uint8]
        Shape (n,), 0 to 9, in the order of `quality.recipe.CLASS_NAMES`.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_idx`, or if images and labels do not belong together.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, not {split!r}")
    stem = SPLITS[split]
    images = read_idx(folder / f"{stem}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{stem}-labels-idx1-ubyte.gz")
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise ValueError(
            f"expected (n, 28, 28) images and (n,) labels in {folder}, "
            f"found {images.shape} and {labels.shape}"
        )
    margin = (IMAGE_SIZE - 28) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin))), labels


def to_signed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map bytes 0..255 to -1..1, the range the model works in; the shape stays."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map -1..1 to bytes, rounding half to even; values outside are clipped, the shape stays."""
    return np.rint((np.clip(images, -1, 1) + 1) * 127.5).astype(np.uint8)
