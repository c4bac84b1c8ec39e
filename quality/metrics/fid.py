"""Fréchet distance between two sets of features (Heusel et al., NeurIPS 2017), with NumPy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quality.metrics.features import check_features


class Gaussian(NamedTuple):
    """The two moments that the distance compares.

    Attributes
    ----------
    mean : NDArray[np.float64]
        Shape (d,).
    covariance : NDArray[np.float64]
        Shape (d, d), unbiased.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def gaussian(features: NDArray[np.float64]) -> Gaussian:
    """Fit a Gaussian to features (n, d).

    Raises
    ------
    ValueError
        If there are fewer than two rows, or a value is not finite.
    """
    check_features(features, "a covariance needs")
    covariance = np.cov(features, rowvar=False).reshape(features.shape[1], -1)
    return Gaussian(features.mean(0), covariance)


def distance(first: Gaussian, second: Gaussian) -> float:
    """Return the squared Fréchet distance of two Gaussians.

    ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``. The trace of the root is the sum of
    the roots of the eigenvalues of ``R C2 R`` with ``R = C1^(1/2)``: a symmetric matrix, so a
    covariance without full rank does no harm. Compare the number only with others from the same
    features and the same counts of images.

    Returns
    -------
    float
        At least 0, but for rounding.

    Raises
    ------
    ValueError
        If the feature counts differ.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"feature counts differ: {len(first.mean)} against {len(second.mean)} features"
        )
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    product = root @ second.covariance @ root
    cross = np.sqrt(np.linalg.eigvalsh(product).clip(min=0)).sum()
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * cross
    return float(np.square(first.mean - second.mean).sum() + spread)


def frechet_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return `distance` of the Gaussians fitted to features (n, d) and (m, d).

    Raises
    ------
    ValueError
        As `gaussian` and `distance`.
    """
    return distance(gaussian(first), gaussian(second))
