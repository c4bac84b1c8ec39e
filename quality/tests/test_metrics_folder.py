"""Statistics of a folder of images."""

from pathlib import Path

import numpy as np
import pytest

from commands.tests.calling import call

Image = pytest.importorskip("PIL.Image")

from quality.metrics.folder import find_images, read_image, statistics_of  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with five images of several sizes and kinds, and a file that is none."""
    generator = np.random.default_rng(0)
    for index, suffix in enumerate((".png", ".JPEG", ".webp", ".png", ".png")):
        (tmp_path / f"class{index % 2}").mkdir(exist_ok=True)
        pixels = generator.integers(0, 256, (20 + index, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"class{index % 2}" / f"{index}{suffix}")
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def brightness(images: np.ndarray) -> tuple[np.ndarray, None]:
    """Stand in for Inception: the means of the three colours."""
    return images.mean((1, 2)), None


def test_all_images_are_found_in_order(folder: Path):
    assert [path.stem for path in find_images(folder)] == ["0", "2", "4", "1", "3"]
    assert [path.stem for path in find_images(folder, 2)] == ["0", "4"]
    assert len(find_images(folder, 99)) == 5
    with pytest.raises(FileNotFoundError, match="holds 0 images"):
        find_images(folder / "class0" / "nothing")


def test_an_image_becomes_its_middle_square(tmp_path: Path):
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = (10, 20, 30)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    assert np.array_equal(read_image(tmp_path / "image.png", 8), pixels[:, 8:16])
    half = read_image(tmp_path / "image.png", 4)
    assert half.shape == (4, 4, 3)
    assert (half[1:3, 1:3] == (10, 20, 30)).all()  # the filter reaches over the edges
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png", 8) == 10).all()
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.png is no readable image"):
        read_image(tmp_path / "text.png", 8)


def test_statistics_are_those_of_all_images(folder: Path):
    files, done = find_images(folder), []
    made = statistics_of(files, 16, brightness, done.append, batch_size=2)
    assert done == [2, 4, 5]
    features = np.stack([read_image(path, 16).mean((0, 1)) for path in files])
    assert np.abs(made["features"] - features).max() < 1e-4  # stored in FP32
    assert made["mu"] == pytest.approx(features.mean(0))
    centred = features - features.mean(0)
    assert made["sigma"] == pytest.approx(centred.T @ centred / 4)


def test_mistakes_get_a_sentence(folder: Path):
    pytest.importorskip("torch")
    pytest.importorskip("torch_fidelity")
    options = ["statistics", "--images", str(folder), "--output", str(folder / "made.npz")]
    result = call("quality", *options, "--weights", "/nowhere")
    assert result.exit_code == 2
    assert "releases of torch-fidelity" in result.output
    assert len(result.output.strip().splitlines()) == 1
