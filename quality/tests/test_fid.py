"""The Fréchet distance against closed forms and a second formulation."""

import numpy as np
import pytest

from quality.metrics.fid import frechet_distance

# Tolerances below are those of double-precision eigenvalues; the distance is not an exact quantity.
CLOSE = 1e-9


def test_a_set_is_at_no_distance_from_itself():
    features = np.random.default_rng(0).normal(size=(300, 24))
    assert abs(frechet_distance(features, features)) < CLOSE


def test_a_shift_costs_its_squared_length():
    features = np.random.default_rng(1).normal(size=(300, 3))
    assert frechet_distance(features, features + np.array([1, 2, -2])) == pytest.approx(
        9, abs=CLOSE
    )


def test_one_feature_has_the_closed_form():
    first = np.random.default_rng(2).normal(1, 2, (500, 1))
    second = np.random.default_rng(3).normal(4, 5, (400, 1))
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected, abs=CLOSE)


def test_matches_the_eigenvalues_of_the_product():
    generator = np.random.default_rng(4)
    first = generator.normal(size=(200, 12)) @ generator.normal(size=(12, 12))
    second = generator.normal(size=(150, 12)) @ generator.normal(size=(12, 12)) + 1
    c1, c2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    cross = np.sqrt(np.linalg.eigvals(c1 @ c2).real).sum()
    shift = np.square(first.mean(0) - second.mean(0)).sum()
    expected = shift + np.trace(c1) + np.trace(c2) - 2 * cross
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-8)


def test_a_covariance_without_full_rank_does_no_harm():
    features = np.random.default_rng(5).normal(size=(8, 40))
    # The roots of 33 eigenvalues that are zero but for rounding, 1e-8 each, limit what is left.
    assert frechet_distance(features, features + 0.5) == pytest.approx(10, abs=1e-4)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), "feature counts differ"),
        (np.zeros((1, 3)), np.zeros((5, 3)), "n at least 2"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "must be finite"),
    ],
)
def test_bad_features_are_refused(first: np.ndarray, second: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        frechet_distance(first, second)
