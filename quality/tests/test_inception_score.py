"""The Inception score against its definition and its limits."""

import math

import numpy as np
import pytest

from quality.metrics import inception_score


def by_definition(logits: np.ndarray) -> float:
    """Return exp of the mean divergence of p(y|x) from p(y), number by number."""
    conditional = []
    for row in logits:
        weights = [math.exp(value) for value in row]
        conditional.append([weight / sum(weights) for weight in weights])
    marginal = [sum(row[c] for row in conditional) / len(logits) for c in range(logits.shape[1])]
    divergences = [
        sum(p * math.log(p / q) for p, q in zip(row, marginal, strict=True)) for row in conditional
    ]
    return math.exp(sum(divergences) / len(divergences))


def test_equals_its_definition():
    logits = np.random.default_rng(0).normal(size=(37, 5)) * 3
    assert inception_score(logits) == pytest.approx(by_definition(logits), rel=1e-12)


def test_splits_are_consecutive_and_averaged():
    logits = np.random.default_rng(1).normal(size=(11, 4)) * 2
    expected = np.mean([by_definition(part) for part in (logits[:4], logits[4:8], logits[8:])])
    assert inception_score(logits, splits=3) == pytest.approx(expected, rel=1e-12)


def test_certain_and_evenly_spread_images_score_the_number_of_classes():
    logits = np.tile(np.eye(10) * 1000, (7, 1))  # exp(1000) overflows unless it is shifted
    assert inception_score(logits) == pytest.approx(10, rel=1e-12)


def test_images_that_look_alike_score_one():
    assert inception_score(np.tile([5.0, -2.0, 900.0], (8, 1))) == pytest.approx(1, rel=1e-12)
    assert inception_score(np.zeros((8, 3))) == pytest.approx(1, rel=1e-12)


def test_single_precision_logits_are_widened():
    logits = np.random.default_rng(2).normal(size=(50, 10)).astype(np.float32)
    assert inception_score(logits) == inception_score(logits.astype(np.float64))


@pytest.mark.parametrize(
    ("logits", "splits", "message"),
    [
        (np.zeros((3, 2)), 4, "4 splits need"),
        (np.zeros((0, 2)), 1, "n at least 1"),
        (np.zeros((3, 2)), 0, "0 splits need"),
        (np.zeros(3), 1, "shape"),
        (np.full((3, 2), np.nan), 1, "must be finite"),
    ],
)
def test_bad_logits_are_refused(logits: np.ndarray, splits: int, message: str):
    with pytest.raises(ValueError, match=message):
        inception_score(logits, splits)
