"""Run a trained network over images, and make the statistics of a data set."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from quality.dataset import to_signed
from quality.metrics.fid import gaussian
from quality.metrics.inception_score import inception_score
from quality.metrics.kid import moments
from quality.metrics.pixels import blacken
from quality.metrics.reference import Reference


class Network(Protocol):
    """What `quality.classifier.Classifier` and `quality.metrics.extractor.Extractor` have alike."""

    head: torch.nn.Module

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return what `head` classifies by, (n, d), of images (n, 1, 32, 32) in -1..1."""


@torch.no_grad()
def run(
    network: Network, images: NDArray[np.uint8], batch_size: int = 100
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features (n, d) and logits (n, 10) of images (n, 32, 32)."""
    features, logits = [], []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(to_signed(images[start : start + batch_size]))[:, None]
        batch = batch.contiguous(memory_format=torch.channels_last)  # nearly twice as fast on a CPU
        features.append(network.features(batch))
        logits.append(network.head(features[-1]))
    return torch.cat(features).double().numpy(), torch.cat(logits).double().numpy()


def reference_of(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classifier: Network,
    extractor: Network,
    provenance: dict,
) -> Reference:
    """Make the statistics of a data set.

    Parameters
    ----------
    images, labels : NDArray[np.uint8]
        Shapes (n, 32, 32) and (n,).
    classifier, extractor : Network
        The two networks.
    provenance : dict
        Says where networks and images come from; what the images score is added.

    Returns
    -------
    Reference
        Of all images.
    """
    features, logits = run(classifier, images)
    scores = {
        "accuracy": round(float((logits.argmax(1) == labels).mean()), 4),
        "images": len(images),
        "inception_score": round(inception_score(logits), 4),
    }
    return Reference(
        features=gaussian(features),
        features_clean=gaussian(run(classifier, blacken(images))[0]),
        moments=moments(run(extractor, images)[0]),
        provenance=provenance | scores,
    )
