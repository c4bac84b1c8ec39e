"""A second network that judges images, unlike the classifier in all but its task.

Where the classifier stacks plain convolutions between poolings, with normalisation after them and
ReLU, this one has residual blocks with normalisation before them (He et al., ECCV 2016), strides
instead of poolings, and SiLU. What both networks agree on is not an artefact of either.
"""

from pathlib import Path

import torch
from torch import nn

from quality.recipe import CLASS_NAMES
from quality.storage import read_tensors
from quality.weights import load_into

EXTRACTOR_COMMAND = "mixdit quality extractor"
NARROW, WIDTH = 32, 48
"""Channels of the two resolutions; the second is also the number of features."""


class Block(nn.Module):
    """Two 3 x 3 convolutions, added to what they read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for _ in range(2):
            convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
            steps += [nn.BatchNorm2d(width), nn.SiLU(), convolution]
        self.inner = nn.Sequential(*steps)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return (n, width, h, w) from the same."""
        return hidden + self.inner(hidden)


class Extractor(nn.Module):
    """One residual block at half the resolution, two at a quarter, and an average over space."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, NARROW, 5, stride=2, padding=2, bias=False),
            Block(NARROW),
            nn.Conv2d(NARROW, WIDTH, 2, stride=2, bias=False),
            Block(WIDTH),
            Block(WIDTH),
            nn.BatchNorm2d(WIDTH),
            nn.SiLU(),
        )
        self.head = nn.Linear(WIDTH, len(CLASS_NAMES))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the penultimate features, (n, 48), of images (n, 1, 32, 32) in -1..1."""
        return self.body(images).mean((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the class logits, (n, 10)."""
        return self.head(self.features(images))


def load_extractor(path: Path) -> tuple[Extractor, dict]:
    """Load a trained extractor in evaluation mode, with its provenance.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or holds no extractor.
    """
    weights, provenance = read_tensors(path, EXTRACTOR_COMMAND)
    extractor = Extractor()
    load_into(extractor, weights, path)
    return extractor.eval(), provenance
