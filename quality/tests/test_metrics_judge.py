"""The judge of the small model's images, on the committed networks."""

import os
from copy import copy
from pathlib import Path

import numpy as np
import pytest

from commands.tests.calling import call
from quality.dataset import DEFAULT_FOLDER, load
from quality.metrics import Judge, blacken, inception_score
from quality.metrics.fid import gaussian
from quality.metrics.kid import kernel_distance, moments
from quality.metrics.reference import Reference

pytest.importorskip("torch")

from quality.metrics.networks import reference_of, run


def random_bytes(seed: int, *shape: int) -> np.ndarray:
    """Return random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """Return the judge with the committed files."""
    return Judge()


def test_the_committed_files_belong_together(judge: Judge):
    provenance = judge.reference.provenance
    assert provenance["images"] == 10_000
    assert provenance["accuracy"] > 0.92
    for moment in (*judge.reference.features, *judge.reference.features_clean):
        assert moment.dtype == np.float64


@pytest.mark.skipif(
    os.environ.get("MIXDIT_FULL", "0") in ("", "0"), reason="10,000 images: set MIXDIT_FULL=1"
)
def test_the_committed_statistics_are_those_of_the_test_set(judge: Judge):
    if not DEFAULT_FOLDER.is_dir():
        pytest.skip("needs Fashion-MNIST, Debian's package dataset-fashion-mnist")
    made = reference_of(*load("test"), judge.classifier, judge.extractor, {})
    for name in ("features", "features_clean", "moments"):
        pairs = zip(getattr(made, name), getattr(judge.reference, name), strict=True)
        for ours, stored in pairs:  # another processor sums in another order
            assert np.abs(ours - stored).max() < 1e-4 * np.abs(stored).max()


def test_scores_are_the_formulas_on_the_networks_outputs(judge: Judge):
    images, labels = random_bytes(4, 12, 32, 32), np.arange(12) % 10
    images[:, :8] //= 16  # pixels to blacken
    scores = judge.scores(images, labels)
    features, logits = run(judge.classifier, images)
    assert np.array_equal(scores.features, features)
    assert scores.accuracy == np.mean(logits.argmax(1) == labels)
    assert scores.inception_score == inception_score(logits)
    clean, _ = run(judge.classifier, blacken(images))
    assert not np.array_equal(clean, features)
    own = Reference(
        gaussian(features), gaussian(clean), moments(run(judge.extractor, images)[0]), {}
    )
    matching = copy(judge)
    matching.reference = own
    matched = matching.scores(images, labels)
    # The roots of eigenvalues that are zero but for rounding limit what is left.
    assert abs(matched.fid) < 1e-4 * np.trace(own.features.covariance)
    assert abs(matched.fid_clean) < 1e-4 * np.trace(own.features_clean.covariance)
    assert matched.kid == kernel_distance(own.moments, own.moments)


def test_the_networks_run_in_batches(judge: Judge):
    images = random_bytes(5, 7, 32, 32)
    for network in (judge.classifier, judge.extractor):
        whole, parts = run(network, images), run(network, images, batch_size=3)
        for a, b in zip(whole, parts, strict=True):
            assert np.abs(a - b).max() < 1e-4 * np.abs(a).max()  # order of FP32 sums


def test_a_reference_is_of_the_images_it_is_made_of(judge: Judge):
    images, labels = random_bytes(6, 30, 32, 32), np.arange(30, dtype=np.uint8) % 10
    made = reference_of(images, labels, judge.classifier, judge.extractor, {"data": "noise"})
    features, logits = run(judge.classifier, images)
    assert np.array_equal(made.features.mean, features.mean(0))
    assert made.provenance["images"] == 30
    assert made.provenance["data"] == "noise"
    assert made.provenance["inception_score"] == round(inception_score(logits), 4)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((4, 32, 32)), np.zeros(4, int)),
        (np.zeros((4, 1, 32, 32), np.uint8), np.zeros(4, int)),
        (np.zeros((4, 32, 32), np.uint8), np.zeros(5, int)),
    ],
)
def test_other_images_are_refused(judge: Judge, images: np.ndarray, labels: np.ndarray):
    with pytest.raises(ValueError, match=r"expected bytes \(n, 32, 32\) and n labels"):
        judge.scores(images, labels)


def test_the_commands_make_files_that_a_judge_reads(data_folder: Path, tmp_path: Path):
    network, statistics = tmp_path / "extractor", tmp_path / "reference"
    data = ["--data", str(data_folder), "--threads", "1"]
    training = ["extractor", *data, "--output", str(network), "--epochs", "1"]
    result = call("quality", *training)
    assert "of the test images right" in result.output
    making = ["reference", *data, "--extractor", str(network), "--output", str(statistics)]
    assert "200 images" in call("quality", *making).output
    judge = Judge(extractor=network, reference=statistics)
    scores = judge.scores(random_bytes(7, 100, 32, 32), np.zeros(100, int))
    assert np.isfinite(list(scores.numbers().values())).all()
    with pytest.raises(ValueError, match="made with another extractor"):
        Judge(reference=statistics)
    missing = call("quality", "reference", "--data", "/nowhere")
    assert missing.exit_code == 2
    assert "apt-get install dataset-fashion-mnist" in missing.output
    assert len(missing.output.strip().splitlines()) == 1
