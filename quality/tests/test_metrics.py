"""Scores on pixels, paired scores, and the stored statistics of a data set."""

from pathlib import Path

import numpy as np
import pytest

from quality.metrics import Scores, blacken, psnr
from quality.metrics.fid import gaussian
from quality.metrics.kid import moments
from quality.metrics.reference import Reference, load_reference


def random_bytes(seed: int, *shape: int) -> np.ndarray:
    """Return random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_has_the_closed_form_per_image():
    reference = random_bytes(0, 3, 8, 8) // 2
    images = reference.copy()
    images[0] += 5  # a mean squared error of 25
    images[1, 0, 0] += 16  # of 256 / 64
    expected = [10 * np.log10(255**2 / 25), 10 * np.log10(255**2 / 4), np.inf]
    assert psnr(images, reference) == pytest.approx(expected)
    assert psnr(reference, images) == pytest.approx(expected)  # no byte wraps around


def test_psnr_of_signed_images_has_another_peak():
    bytes_, others = random_bytes(1, 4, 6, 6), random_bytes(2, 4, 6, 6)
    signed = [pixels / 127.5 - 1 for pixels in (bytes_, others)]
    assert psnr(*signed, peak=2.0) == pytest.approx(psnr(bytes_, others))


@pytest.mark.parametrize("shapes", [((2, 4), (3, 4)), ((0, 4), (0, 4)), ((4,), (4,))])
def test_psnr_refuses_what_cannot_be_compared(shapes: tuple):
    with pytest.raises(ValueError, match="two sets of images of one shape"):
        psnr(*(np.zeros(shape) for shape in shapes))


def test_blackening_takes_exactly_what_is_below_minus_nine_tenths():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    signed = images / 127.5 - 1
    assert np.array_equal(blacken(images), np.where(signed < -0.9, 0, images))
    assert blacken(images).dtype == np.uint8


def make_scores(seed: int, count: int = 20) -> Scores:
    """Return scores with random content."""
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 10, count)
    return Scores(*generator.normal(size=5), generator.normal(size=(count, 3)), classes)


def test_paired_scores_are_differences_of_counterparts():
    ours, theirs = make_scores(0), make_scores(1)
    difference = ours.minus(theirs)
    assert difference["fid"] == ours.fid - theirs.fid
    assert difference["inception_score"] == ours.inception_score - theirs.inception_score
    same = sum(int(a == b) for a, b in zip(ours.classes, theirs.classes, strict=True))
    assert 0 < same < 20
    assert difference["agreement"] == same / 20
    pairs = zip(ours.features, theirs.features, strict=True)
    shift = np.mean([np.sum((a - b) ** 2) for a, b in pairs])
    assert difference["feature_shift"] == pytest.approx(shift)
    assert set(difference) == {*ours.numbers(), "agreement", "feature_shift"}
    itself = ours.minus(ours)
    assert itself.pop("agreement") == 1
    assert set(itself.values()) == {0.0}


def test_other_counts_cannot_be_paired():
    with pytest.raises(ValueError, match="20 images cannot be paired with 21"):
        make_scores(0).minus(make_scores(1, 21))


@pytest.fixture
def reference() -> Reference:
    """Return statistics of random features of 50 images."""
    generator = np.random.default_rng(3)
    first, second = gaussian(generator.normal(size=(50, 4))), generator.normal(size=(50, 4))
    hashes = {"classifier_sha256": "one", "extractor_sha256": "two"}
    return Reference(first, gaussian(second), moments(second), {"images": 50, **hashes})


def test_stored_statistics_are_read_as_they_were(reference: Reference, tmp_path: Path):
    reference.save(tmp_path / "reference")
    read = load_reference(tmp_path / "reference", {"classifier_sha256": "one"})
    for name in ("features", "features_clean", "moments"):
        for ours, theirs in zip(getattr(reference, name), getattr(read, name), strict=True):
            assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()
    assert read.provenance["images"] == 50


def test_statistics_of_other_networks_are_refused(reference: Reference, tmp_path: Path):
    reference.save(tmp_path / "reference")
    networks = {"classifier_sha256": "one", "extractor_sha256": "another"}
    with pytest.raises(ValueError, match="another extractor: make it anew with `mixdit quality"):
        load_reference(tmp_path / "reference", networks)
    with pytest.raises(FileNotFoundError, match=r"mixdit quality reference"):
        load_reference(tmp_path / "missing", networks)


def test_statistics_with_a_part_missing_are_refused(reference: Reference, tmp_path: Path):
    from quality.storage import read_tensors, save_tensors

    reference.save(tmp_path / "reference")
    tensors, provenance = read_tensors(tmp_path / "reference", "")
    del tensors["kid.within"]
    save_tensors(tmp_path / "reference", tensors, provenance)
    with pytest.raises(ValueError, match=r"lacks 'kid\.within'"):
        load_reference(tmp_path / "reference", {})
