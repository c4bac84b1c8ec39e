"""Judge sampled images: Fréchet distance to the test set and accuracy of the requested class."""

from dataclasses import dataclass, replace

import numpy as np
from diffusers import DiTTransformer2DModel
from numpy.typing import NDArray

from quality.classifier import Classifier, judge
from quality.dataset import to_bytes
from quality.fid import frechet_distance
from quality.recipe import Recipe
from quality.sample import Sampler, balanced_labels, sample


@dataclass(frozen=True)
class Scores:
    """The result for one set of images.

    Parameters
    ----------
    distance : float
        Fréchet distance to the test set on the classifier's features; lower is better.
    accuracy : float
        Share of images that the classifier puts in the class that was asked for.
    """

    distance: float
    accuracy: float


def score(
    classifier: Classifier,
    images: NDArray[np.uint8],
    labels: NDArray,
    reference: NDArray[np.float64],
) -> Scores:
    """Score images (n, 32, 32) against their labels (n,) and the test set's features (m, 96)."""
    features, classes = judge(classifier, images)
    return Scores(frechet_distance(features, reference), float((classes == labels).mean()))


def score_samples(
    model: DiTTransformer2DModel,
    recipe: Recipe,
    sampler: Sampler,
    classifier: Classifier,
    reference: NDArray[np.float64],
    *,
    count: int,
    seeds: int,
) -> list[Scores]:
    """Score `count` samples for each of `seeds` consecutive seeds of the starting noise."""
    labels = balanced_labels(count)
    return [
        score(
            classifier,
            to_bytes(sample(model, recipe, replace(sampler, seed=sampler.seed + index), labels)),
            labels,
            reference,
        )
        for index in range(seeds)
    ]


def balanced_subset(labels: NDArray[np.uint8], count: int, seed: int) -> NDArray[np.int64]:
    """Return indices of `count` images with the classes of `balanced_labels`, chosen by `seed`.

    Raises
    ------
    ValueError
        If a class has too few images.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    chosen = []
    for label, needed in enumerate(np.bincount(balanced_labels(count), minlength=10)):
        members = order[labels[order] == label]
        if len(members) < needed:
            raise ValueError(f"class {label} has {len(members)} images and {needed} are asked for")
        chosen.append(members[:needed])
    return np.concatenate(chosen)
