"""The kernel distance against the sums that define it."""

import numpy as np
import pytest

from quality.metrics import kernel_distance, moments
from quality.metrics.kid import Moments, wide_kernel_distance


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    """Return the polynomial kernel of two feature vectors, from its definition."""
    return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3


def by_definition(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased estimate, pair by pair (Gretton et al., JMLR 2012, lemma 6)."""
    within = [
        np.mean([kernel(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
        for s in (first, second)
    ]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in first for b in second])


def random_features(seed: int, count: int, width: int, shift: float = 0.0) -> np.ndarray:
    """Return correlated, skewed features (count, width)."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(count, width)) @ generator.normal(size=(width, width))
    return np.maximum(mixed, 0) + shift


@pytest.mark.parametrize(("first", "second", "width"), [(2, 2, 1), (5, 9, 2), (13, 7, 6)])
def test_equals_the_sum_over_pairs(first: int, second: int, width: int):
    a, b = random_features(1, first, width), random_features(2, second, width, 0.5)
    expected = by_definition(a, b)
    # Rounding of float64 sums whose terms are up to the largest kernel value.
    scale = max(kernel(x, x) for x in (*a, *b))
    assert abs(kernel_distance(moments(a), moments(b)) - expected) < 1e-12 * scale
    assert abs(kernel_distance(moments(b), moments(a)) - expected) < 1e-12 * scale
    assert abs(wide_kernel_distance(a, b) - expected) < 1e-12 * scale


def test_batches_do_not_change_the_moments():
    features = random_features(3, 1203, 4)  # three batches, the last one short
    generator = np.random.default_rng(4)
    shuffled = moments(features[generator.permutation(1203)])
    whole = moments(features)
    assert np.abs(shuffled.third - whole.third).max() < 1e-12 * np.abs(whole.third).max()
    halves = (moments(features[:601]).third * 601 + moments(features[601:]).third * 602) / 1203
    assert np.abs(halves - whole.third).max() < 1e-12 * np.abs(whole.third).max()


def test_blocks_of_pairs_do_not_change_the_distance():
    first, second = random_features(7, 1203, 5), random_features(8, 601, 5, 0.2)
    expected = kernel_distance(moments(first), moments(second))
    scale = max(((x @ x / 5 + 1) ** 3) for x in first)
    assert abs(wide_kernel_distance(first, second) - expected) < 1e-12 * scale


def test_two_samples_of_one_distribution_are_at_no_distance_on_average():
    distances = [
        kernel_distance(
            moments(random_sample[:40]),
            moments(random_sample[40:]),
        )
        for random_sample in np.random.default_rng(5).normal(size=(200, 100, 3))
    ]
    error = np.std(distances) / np.sqrt(len(distances))
    assert abs(np.mean(distances)) < 4 * error
    assert min(distances) < 0 < max(distances)


def test_a_difference_beyond_mean_and_covariance_is_seen():
    generator = np.random.default_rng(6)
    skewed = generator.exponential(size=(4000, 1)) - 1
    normal = generator.normal(size=(4000, 1))
    other = generator.normal(size=(4000, 1))
    base = moments(normal)
    assert kernel_distance(moments(skewed), base) > 50 * abs(kernel_distance(moments(other), base))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((1, 3)), "n at least 2"),
        (np.zeros(3), "n at least 2"),
        (np.full((5, 3), np.inf), "must be finite"),
    ],
)
def test_bad_features_are_refused(features: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        moments(features)


def test_features_of_other_widths_are_refused():
    with pytest.raises(ValueError, match="feature counts differ"):
        kernel_distance(moments(np.eye(3)), moments(np.eye(4)))
    for others in (np.eye(4), np.zeros((1, 3))):
        with pytest.raises(ValueError, match="need features"):
            wide_kernel_distance(np.eye(3), others)
    with pytest.raises(ValueError, match="no width of features"):
        kernel_distance(Moments(np.zeros(5), 0.0), Moments(np.zeros(5), 0.0))
