"""What the tests share: a miniature data set, a quick recipe, and a model of random weights."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quality.recipe import TrainingRecipe


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Write a gzipped IDX file of unsigned bytes."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes()))


@pytest.fixture(name="write_idx")
def writer() -> Callable[[Path, NDArray[np.uint8]], None]:
    """Return the function that writes a data set's file."""
    return write_idx


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Return a folder that looks like the data set: 200 images of noise in each split."""
    generator = np.random.default_rng(0)
    for stem in ("train", "t10k"):
        images = generator.integers(0, 256, (200, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / f"{stem}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{stem}-labels-idx1-ubyte.gz", np.arange(200, dtype=np.uint8) % 10)
    return tmp_path


@pytest.fixture
def tiny() -> TrainingRecipe:
    """Return a recipe for a model of two narrow blocks."""
    return TrainingRecipe(
        heads=2, head_width=8, layers=2, patch_size=8, batch_size=5, steps=8, warmup_steps=2
    )


@pytest.fixture
def checkpoint(tmp_path: Path, tiny: TrainingRecipe) -> Path:
    """Return a checkpoint of a model of two narrow blocks whose random weights all matter."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from quality.model import build_model
    from quality.weights import save_weights

    model = build_model(tiny)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    path = tmp_path / "tiny.safetensors"
    save_weights(path, model.state_dict(), {"recipe": tiny.as_dict()})
    return path
