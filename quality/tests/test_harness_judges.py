"""Who judges published models: files decide which scores there are, and those decide the record.

Inception and CLIP themselves are tested beside their modules; here stand-ins take their places.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

from quality.harness.judges import JudgeFiles, PublishedScores, judge_hash, make_scorer
from quality.metrics import inception_score
from quality.models.options import ModelOptions

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
IMAGES = SimpleNamespace(pixels=PIXELS)


class FlatInception:
    """Takes the pixels themselves for features, and the first of them for logits."""

    def __init__(self, weights: Path, device: str) -> None:
        pass

    def __call__(self, images: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
        flat = images.reshape(len(images), -1) / 64.0
        return flat, flat[:, :5]


class LengthClip:
    """Gives each image the length of its prompt."""

    def __init__(self, folder: Path, device: str) -> None:
        pass

    def __call__(self, images: NDArray[np.uint8], prompts: list[str]) -> NDArray[np.float64]:
        assert len(images) == len(prompts)
        return np.array([float(len(prompt)) for prompt in prompts])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModelOptions, JudgeFiles]:
    """Return a text model with two prompts, and files for stand-ins of both networks."""
    monkeypatch.setattr("quality.metrics.inception.Inception", FlatInception)
    monkeypatch.setattr("quality.metrics.clip.ClipJudge", LengthClip)
    (tmp_path / "prompts").write_text("a cat\ntwo dogs\n")
    (tmp_path / "inception").write_bytes(b"weights")
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "model").write_bytes(b"weights")
    model = ModelOptions(name="some/model", prompts=tmp_path / "prompts")
    return model, JudgeFiles(inception=tmp_path / "inception", clip=tmp_path / "clip")


def test_prompts_are_repeated_in_turn_and_scores_averaged(files: tuple[ModelOptions, JudgeFiles]):
    scores = make_scorer(*files)(IMAGES)
    assert scores.numbers()["clip_score"] == (5 + 8) / 2
    logits = PIXELS.reshape(40, -1)[:, :5] / 64.0
    assert scores.numbers()["inception_score"] == inception_score(logits, 10)


def test_differences_are_paired(files: tuple[ModelOptions, JudgeFiles]):
    scorer = make_scorer(*files)
    other = SimpleNamespace(pixels=PIXELS ^ np.uint8(64))
    first, second = scorer(IMAGES), scorer(other)
    differences = second.minus(first)
    assert differences["clip_score"] == 0
    assert differences["feature_shift"] == 8 * 8 * 3  # every feature moves by 64 / 64
    gain = second.values["inception_score"] - first.values["inception_score"]
    assert differences["inception_score"] == gain != 0


def test_without_files_there_are_no_scores(files: tuple[ModelOptions, JudgeFiles]):
    assert make_scorer(files[0], JudgeFiles())(IMAGES) is None


def test_scores_without_features_have_no_shift():
    assert PublishedScores({"clip_score": 3.0}).minus(PublishedScores({"clip_score": 1.0})) == {
        "clip_score": 2.0
    }


@pytest.mark.parametrize("name", ["inception", "clip/model"])
def test_another_file_makes_records_stale(files: tuple[ModelOptions, JudgeFiles], name: str):
    before = judge_hash(*files)
    path = files[1].inception.parent / name
    path.write_bytes(b"others")
    assert judge_hash(*files) != before
    path.unlink()
    if name == "inception":
        with pytest.raises(FileNotFoundError, match="inception is missing"):
            judge_hash(*files)


def test_clip_needs_the_prompts(files: tuple[ModelOptions, JudgeFiles]):
    with pytest.raises(ValueError, match="name their file with --prompts"):
        make_scorer(ModelOptions(name="some/model"), files[1])
