"""Reading Fashion-MNIST."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quality.dataset import load, read_idx, to_bytes, to_signed


def test_images_are_padded_with_background(data_folder: Path):
    images, labels = load("train", data_folder)
    assert images.shape == (200, 32, 32)
    assert labels.tolist() == [i % 10 for i in range(200)]
    inner = read_idx(data_folder / "train-images-idx3-ubyte.gz")
    assert images[:, 2:-2, 2:-2].tobytes() == inner.tobytes()
    assert images.sum(dtype=np.int64) == inner.sum(dtype=np.int64)


def test_every_byte_survives_the_way_to_the_model_and_back():
    values = np.arange(256, dtype=np.uint8)
    signed = to_signed(values)
    assert (signed.min(), signed.max()) == (-1, 1)
    assert to_bytes(signed).tolist() == values.tolist()


def test_values_out_of_range_are_clipped():
    assert to_bytes(np.array([-3, 3], np.float32)).tolist() == [0, 255]


def test_missing_files_say_what_to_install(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        load("test", tmp_path)


def test_unknown_split_is_refused(data_folder: Path):
    with pytest.raises(ValueError, match="one of train, test, not 'validation'"):
        load("validation", data_folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plain", "not a readable gzip file"),
        (gzip.compress(b"\0\0\x0d\1\0\0\0\1a"), "not an IDX file of unsigned bytes"),
        (gzip.compress(b""), "not an IDX file"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\5abc"), r"promises \(5,\) bytes and holds 3"),
        (gzip.compress(b"\0" * 1000)[:-9], "not a readable gzip file"),
    ],
    # The bytes hold the time, so they are no name for a test.
    ids=["plain", "no unsigned bytes", "empty", "too few bytes", "cut short"],
)
def test_damaged_file_is_refused(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(path)


def test_images_and_labels_must_belong_together(data_folder: Path, write_idx: Callable):
    write_idx(data_folder / "train-labels-idx1-ubyte.gz", np.zeros(199, np.uint8))
    with pytest.raises(ValueError, match=r"\(200, 28, 28\) and \(199,\)"):
        load("train", data_folder)
