"""What every distance asks of the features it is given."""

import numpy as np
from numpy.typing import NDArray


def check_features(features: NDArray[np.float64], user: str) -> None:
    """Refuse features that no distance can be taken of.

    Parameters
    ----------
    features : NDArray[np.float64]
        Shape (n, d).
    user : str
        Who needs them, with the verb: the beginning of the sentence.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or a value is not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"{user} features of shape (n, d) with n at least 2, not {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite")
