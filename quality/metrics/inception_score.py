"""Inception score (Salimans et al., NeurIPS 2016, section 4), with NumPy."""

import numpy as np
from numpy.typing import NDArray


def inception_score(logits: NDArray[np.floating], splits: int = 1) -> float:
    """Return ``exp(mean_x KL(p(y|x) || p(y)))``, averaged over parts of the images.

    Near 1 where all images look alike or none is recognised; at most the number of classes. The
    name stays although the classifier need not be Inception: compare the score only with others
    from the same classifier.

    Parameters
    ----------
    logits : NDArray
        Shape (n, classes). Computed in float64.
    splits : int
        Consecutive parts, as equal as n allows, whose scores are averaged. The paper takes 10 of
        5000 images each; every part estimates p(y) anew, so small parts bias the score down.

    Returns
    -------
    float
        From 1 to the number of classes, but for rounding.

    Raises
    ------
    ValueError
        If there are fewer images than splits, no images, or a logit is not finite.
    """
    if logits.ndim != 2 or not 1 <= splits <= len(logits):
        raise ValueError(
            f"{splits} splits need logits of shape (n, classes) with n at least {max(splits, 1)}, "
            f"not {logits.shape}"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite")
    return float(np.mean([_score(part) for part in np.array_split(logits.astype("f8"), splits)]))


def _score(logits: NDArray[np.float64]) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    log_conditional = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    conditional = np.exp(log_conditional)
    marginal = conditional.mean(0)
    # Where p(y) underflows to 0 so does every p(y|x), and 0 log 0 counts as 0.
    log_marginal = np.log(np.where(marginal > 0, marginal, 1.0))
    return float(np.exp((conditional * (log_conditional - log_marginal)).sum(1).mean()))
