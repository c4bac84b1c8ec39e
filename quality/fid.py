"""Fréchet distance between two sets of features (Heusel et al., NeurIPS 2017), with NumPy."""

import numpy as np
from numpy.typing import NDArray


def gaussian(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean (d,) and unbiased covariance (d, d) of features (n, d).

    Raises
    ------
    ValueError
        If there are fewer than two rows, or a value is not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"a covariance needs features of shape (n, d) with n at least 2, not {features.shape}"
        )
    if not np.isfinite(features).all():
        raise ValueError("features must be finite")
    return features.mean(0), np.cov(features, rowvar=False).reshape(features.shape[1], -1)


def frechet_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the squared Fréchet distance of the Gaussians fitted to two sets of features.

    ``|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))``. The trace of the root is the sum of
    the roots of the eigenvalues of ``R C2 R`` with ``R = C1^(1/2)``: a symmetric matrix, so a
    covariance without full rank does no harm. Compare the number only with others from the same
    features and the same counts of images.

    Parameters
    ----------
    first, second : NDArray[np.float64]
        Shapes (n, d) and (m, d).

    Returns
    -------
    float
        At least 0, but for rounding.

    Raises
    ------
    ValueError
        As `gaussian`, or if the feature counts differ.
    """
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"feature counts differ: {first.shape} against {second.shape}")
    (mean_1, covariance_1), (mean_2, covariance_2) = gaussian(first), gaussian(second)
    values, vectors = np.linalg.eigh(covariance_1)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_2 @ root).clip(min=0)).sum()
    spread = np.trace(covariance_1) + np.trace(covariance_2) - 2 * cross
    return float(np.square(mean_1 - mean_2).sum() + spread)
