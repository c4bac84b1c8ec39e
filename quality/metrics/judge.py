"""All scores of a set of images from the small transformer, and their differences to FP32's."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quality.captured import DATA_FOLDER
from quality.metrics.fid import distance, gaussian
from quality.metrics.inception_score import inception_score
from quality.metrics.kid import kernel_distance, moments
from quality.metrics.pixels import blacken
from quality.metrics.reference import Reference, load_reference

CLASSIFIER = DATA_FOLDER / "classifier.safetensors"
EXTRACTOR = DATA_FOLDER / "extractor.safetensors"
REFERENCE = DATA_FOLDER / "reference.safetensors"


@dataclass(frozen=True)
class Scores:
    """The scores of one set of images.

    Parameters
    ----------
    fid : float
        Fréchet distance to the test set on the classifier's features; lower is better.
    fid_clean : float
        The same after nearly black pixels became black in both sets.
    kid : float
        Kernel distance to the test set on the second network's features; lower is better.
    inception_score : float
        From the classifier's logits, 1 to 10; higher is better.
    accuracy : float
        Share of images that the classifier puts in the class that was asked for.
    features : NDArray[np.float64]
        The classifier's, shape (n, 96).
    classes : NDArray[np.int64]
        What the classifier takes the images for, shape (n,).
    """

    fid: float
    fid_clean: float
    kid: float
    inception_score: float
    accuracy: float
    features: NDArray[np.float64] = field(repr=False, compare=False)
    classes: NDArray[np.int64] = field(repr=False, compare=False)

    def numbers(self) -> dict[str, float]:
        """Return the five scores by name, for a file."""
        names = ("fid", "fid_clean", "kid", "inception_score", "accuracy")
        return {name: getattr(self, name) for name in names}

    def minus(self, baseline: "Scores") -> dict[str, float]:
        """Return the differences to `baseline`, whose images grew from the same noise.

        Returns
        -------
        dict of float
            The five scores less `baseline`'s; ``agreement``, the share of images that are taken for
            the same class as their counterpart; and ``feature_shift``, the mean squared distance
            of the features of counterparts.

        Raises
        ------
        ValueError
            If the counts of images differ.
        """
        if self.features.shape != baseline.features.shape:
            raise ValueError(
                f"{len(self.features)} images cannot be paired with {len(baseline.features)}"
            )
        theirs = baseline.numbers()
        differences = {name: value - theirs[name] for name, value in self.numbers().items()}
        shift = np.square(self.features - baseline.features).sum(1).mean()
        return differences | {
            "agreement": float((self.classes == baseline.classes).mean()),
            "feature_shift": float(shift),
        }


class Judge:
    """Score images with two trained networks and the statistics of the test set.

    Parameters
    ----------
    classifier, extractor, reference : Path
        Files of `mixdit quality classifier`, `mixdit quality extractor` and
        `mixdit quality reference`; the committed ones unless given.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing or of another kind, or if they do not belong together.
    """

    def __init__(
        self,
        classifier: Path = CLASSIFIER,
        extractor: Path = EXTRACTOR,
        reference: Path = REFERENCE,
    ) -> None:
        # Imported here, so that the formulas of this package work without torch.
        from quality.classifier import load_classifier
        from quality.metrics.extractor import load_extractor

        self.classifier, one = load_classifier(classifier)
        self.extractor, other = load_extractor(extractor)
        self.networks = {"classifier_sha256": one["sha256"], "extractor_sha256": other["sha256"]}
        self.reference: Reference = load_reference(reference, self.networks)

    def scores(self, images: NDArray[np.uint8], labels: NDArray[np.integer]) -> Scores:
        """Score images.

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (n, 32, 32), n at least 2; 0 is background. Below 97 images the covariance lacks
            rank and the Fréchet distance says little.
        labels : NDArray[np.integer]
            The classes that were asked for, shape (n,).

        Raises
        ------
        ValueError
            If the shapes or the type of the images are others.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"expected bytes (n, 32, 32) and n labels, "
                f"not {images.dtype} {images.shape} and {labels.shape}"
            )
        from quality.metrics.networks import run

        features, logits = run(self.classifier, images)
        clean, _ = run(self.classifier, blacken(images))
        others, _ = run(self.extractor, images)
        classes = logits.argmax(1)
        return Scores(
            fid=distance(gaussian(features), self.reference.features),
            fid_clean=distance(gaussian(clean), self.reference.features_clean),
            kid=kernel_distance(moments(others), self.reference.moments),
            inception_score=inception_score(logits),
            accuracy=float((classes == labels).mean()),
            features=features,
            classes=classes,
        )
