"""What is measured on the pixels themselves."""

import numpy as np
from numpy.typing import NDArray

DARK = 12
"""The largest byte below -0.9 on the scale of -1 to 1 that the model works on: 12.75 is -0.9."""


def psnr(images: NDArray, reference: NDArray, peak: float = 255.0) -> NDArray[np.float64]:
    """Return each image's peak signal-to-noise ratio to its reference, in decibels.

    Parameters
    ----------
    images, reference : NDArray
        Shape (n, ...), image i against reference i; computed in float64.
    peak : float
        Distance from black to white: 255 for bytes, 2 for values from -1 to 1.

    Returns
    -------
    NDArray[np.float64]
        Shape (n,); infinite where two images are equal, NaN where either holds a NaN.

    Raises
    ------
    ValueError
        If the shapes differ, or there is nothing to compare.
    """
    if images.shape != reference.shape or images.ndim < 2 or images.size == 0:
        raise ValueError(
            f"expected two sets of images of one shape (n, ...), "
            f"not {images.shape} and {reference.shape}"
        )
    difference = images.astype(np.float64) - reference.astype(np.float64)
    error = np.square(difference).reshape(len(images), -1).mean(1)
    with np.errstate(divide="ignore"):  # equal images: infinite by definition
        return 10 * np.log10(peak**2 / error)


def blacken(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Set every nearly black pixel, at most `DARK`, to 0; the shape stays.

    Quantization noise shows first as faint speckle on Fashion-MNIST's black background, which an
    eye does not see and the Fréchet distance does. The distance on blackened images tells the two
    kinds of damage apart.
    """
    return np.where(images <= DARK, np.uint8(0), images)
