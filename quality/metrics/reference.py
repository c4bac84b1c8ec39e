"""Statistics of the Fashion-MNIST test set, so that scoring needs no data set.

The file holds moments of features, from which no image can be made again.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quality.metrics.fid import Gaussian
from quality.metrics.kid import Moments
from quality.storage import read_tensors, save_tensors

REFERENCE_COMMAND = "mixdit quality reference"


@dataclass(frozen=True, eq=False)
class Reference:
    """What the images are compared with.

    Parameters
    ----------
    features : Gaussian
        Of the classifier's features of the test images, for the Fréchet distance.
    features_clean : Gaussian
        The same of the blackened test images.
    moments : Moments
        Of the second network's features, for the kernel distance.
    provenance : dict
        ``classifier_sha256`` and ``extractor_sha256`` of the networks that the statistics belong
        to, and what the test set itself scores: ``accuracy``, ``inception_score``, ``images``.
    """

    features: Gaussian
    features_clean: Gaussian
    moments: Moments
    provenance: dict

    def save(self, path: Path) -> None:
        """Write the statistics, all in float64."""
        tensors: dict[str, NDArray] = {
            "fid.mean": self.features.mean,
            "fid.covariance": self.features.covariance,
            "fid_clean.mean": self.features_clean.mean,
            "fid_clean.covariance": self.features_clean.covariance,
            "kid.third": self.moments.third,
            "kid.within": np.array([self.moments.within]),
        }
        save_tensors(path, tensors, self.provenance)


def load_reference(path: Path, networks: dict[str, str]) -> Reference:
    """Read what `Reference.save` wrote.

    Parameters
    ----------
    path : Path
        The file.
    networks : dict of str
        SHA-256 of the files of both networks: ``classifier_sha256``, ``extractor_sha256``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing or another kind of file, or if its statistics are those of other
        networks.
    """
    tensors, provenance = read_tensors(path, REFERENCE_COMMAND)
    for name, sha256 in networks.items():
        if provenance.get(name) != sha256:
            raise ValueError(
                f"{path} was made with another {name.removesuffix('_sha256')}: "
                f"make it anew with `{REFERENCE_COMMAND}`"
            )
    try:
        return Reference(
            Gaussian(tensors["fid.mean"], tensors["fid.covariance"]),
            Gaussian(tensors["fid_clean.mean"], tensors["fid_clean.covariance"]),
            Moments(tensors["kid.third"], float(tensors["kid.within"][0])),
            provenance,
        )
    except KeyError as error:
        raise ValueError(
            f"{path} lacks {error}: make it anew with `{REFERENCE_COMMAND}`"
        ) from error
