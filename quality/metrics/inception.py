"""Scores of published models' images, on the features of Inception v3 (torch-fidelity's port).

The network is the one that the FID was defined on (Heusel et al., NeurIPS 2017), with TensorFlow's
resizing; the formulas are this package's. Weights and reference statistics are the user's files.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from quality.metrics.fid import Gaussian, distance, gaussian
from quality.metrics.inception_score import inception_score
from quality.metrics.kid import wide_kernel_distance

WEIGHTS_NAME = "weights-inception-2015-12-05-6726825d.pth"
"""The file in torch-fidelity's release v0.2.0."""

FEATURES, CLASSES = 2048, 1008
SPLITS = 10
"""Parts of the images whose Inception scores are averaged, as in the paper."""


@dataclass(frozen=True, eq=False)
class Statistics:
    """What the images of a data set look like to Inception.

    Parameters
    ----------
    gaussian : Gaussian
        For the FID.
    features : NDArray[np.float64] or None
        Of some of the images, shape (m, 2048), for the KID.
    """

    gaussian: Gaussian
    features: NDArray[np.float64] | None = None


def load_statistics(path: Path) -> Statistics:
    """Read the statistics of a data set's features.

    Parameters
    ----------
    path : Path
        A NumPy archive with ``mu``, shape (2048,), and ``sigma``, shape (2048, 2048): what
        `mixdit quality statistics` and pytorch-fid write, and the reference batches of
        OpenAI's guided-diffusion hold. The first adds ``features``, (m, 2048).

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: make it with `mixdit quality statistics`")
    try:
        with np.load(path) as archive:
            moments = Gaussian(archive["mu"].astype("f8"), archive["sigma"].astype("f8"))
            features = archive["features"].astype("f8") if "features" in archive else None
    except (KeyError, ValueError, BadZipFile, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds no mu and sigma of image features: {error}") from error
    shapes = [array.shape for array in moments]
    if shapes != [(FEATURES,), (FEATURES, FEATURES)]:
        raise ValueError(
            f"{path} must hold mu ({FEATURES},) and sigma ({FEATURES}, {FEATURES}), "
            f"not {shapes[0]} and {shapes[1]}"
        )
    return Statistics(moments, features)


class Inception:
    """Turn images into what the scores are computed from.

    Parameters
    ----------
    weights : Path
        torch-fidelity's `WEIGHTS_NAME`. Nothing is downloaded.
    device : str
        Where torch computes.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or holds other weights.
    """

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        if not weights.is_file():
            raise FileNotFoundError(
                f"{weights} is missing: get {WEIGHTS_NAME} from the releases of torch-fidelity"
            )
        try:
            torch.load(weights, weights_only=True)  # torch-fidelity itself would run what it holds
            network = FeatureExtractorInceptionV3(
                "inception-v3-compat",
                [str(FEATURES), "logits_unbiased"],
                feature_extractor_weights_path=str(weights),
            )
        except Exception as error:  # torch.load raises many types for a damaged file
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{weights} holds no weights of Inception v3: {reason}") from error
        self.network, self.device = network.to(device), device

    @torch.no_grad()
    def __call__(
        self, images: NDArray[np.uint8], batch_size: int = 32
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return features (n, 2048) and logits without bias (n, 1008).

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (n, height, width, 3), of any size: RGB.
        batch_size : int
            Images at a time.

        Raises
        ------
        ValueError
            If these are no such images.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not len(images):
            raise ValueError(f"expected bytes (n, height, width, 3), not {images.shape}")
        features, logits = [], []
        for start in range(0, len(images), batch_size):
            batch = torch.from_numpy(images[start : start + batch_size]).to(self.device)
            outputs = self.network(batch.permute(0, 3, 1, 2))
            features.append(outputs[0].double().cpu())
            logits.append(outputs[1].double().cpu())
        return torch.cat(features).numpy(), torch.cat(logits).numpy()


def inception_scores(
    features: NDArray[np.float64], logits: NDArray[np.float64], reference: Statistics | None
) -> dict[str, float]:
    """Return ``inception_score`` and, as far as the reference goes, ``fid`` and ``kid``.

    Parameters
    ----------
    features, logits : NDArray[np.float64]
        What `Inception` returns, of all images.
    reference : Statistics or None
        From `load_statistics`.
    """
    scores = {"inception_score": inception_score(logits, min(SPLITS, len(logits)))}
    if reference is not None:
        scores["fid"] = distance(gaussian(features), reference.gaussian)
        if reference.features is not None:
            scores["kid"] = wide_kernel_distance(features, reference.features)
    return scores
