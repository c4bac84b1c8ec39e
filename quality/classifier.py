"""A small convolutional classifier, whose features judge the generated images."""

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from quality.dataset import to_signed
from quality.recipe import CLASS_NAMES
from quality.storage import read_tensors
from quality.weights import load_into, save_weights

CHANNELS = (24, 48, 96)
"""Width of the three stages; the last is also the number of features."""

Network = TypeVar("Network", bound=nn.Module)


class Classifier(nn.Module):
    """Six 3 x 3 convolutions in three stages, an average over space, and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        width = 1
        for channels in CHANNELS:
            for inputs in (width, channels):
                stages += [
                    nn.Conv2d(inputs, channels, 3, padding=1, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                ]
            stages.append(nn.MaxPool2d(2))
            width = channels
        self.body = nn.Sequential(*stages[:-1])
        self.head = nn.Linear(width, len(CLASS_NAMES))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the penultimate features, (n, 96), of images (n, 1, 32, 32) in -1..1."""
        return self.body(images).mean((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the class logits, (n, 10)."""
        return self.head(self.features(images))


def train_classifier(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    epochs: int,
    batch_size: int = 128,
    seed: int = 0,
    build: Callable[[], Network] = Classifier,
    report: Callable[[int, float], None] | None = None,
) -> tuple[Network, float]:
    """Train with AdamW on a one-cycle schedule, under bf16 autocast.

    Parameters
    ----------
    images, labels : NDArray[np.uint8]
        Shapes (n, 32, 32) and (n,).
    epochs, batch_size, seed : int
        How long, how many at a time, and the seed of weights and order.
    build : Callable
        Makes the network, whose forward returns logits (n, 10).
    report : Callable, optional
        Called after each epoch with its number from 1 and its mean loss.

    Returns
    -------
    classifier : nn.Module
        In evaluation mode.
    cpu_seconds : float
        What training took.
    """
    started = time.process_time()
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's default initialisation draws from the global generator
        classifier = build().to(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels.astype(np.int64))
    steps = len(images) // batch_size
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=epochs * steps)
    order = np.random.default_rng(seed)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for chosen in order.permutation(len(images))[: steps * batch_size].reshape(
            steps, batch_size
        ):
            batch = torch.from_numpy(to_signed(images[chosen]))[:, None]
            with torch.autocast("cpu", torch.bfloat16):
                logits = classifier(batch)
            loss = nn.functional.cross_entropy(
                logits.float(), targets[chosen], label_smoothing=0.05
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        if report is not None:
            report(epoch, total / steps)
    return classifier.eval(), time.process_time() - started


@torch.no_grad()
def judge(
    classifier: Classifier, images: NDArray[np.uint8], batch_size: int = 500
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return features (n, 96) and predicted classes (n,) of images (n, 32, 32)."""
    features, classes = [], []
    for start in range(0, len(images), batch_size):
        batch = torch.from_numpy(to_signed(images[start : start + batch_size]))[:, None]
        features.append(classifier.features(batch))
        classes.append(classifier.head(features[-1]).argmax(1))
    return torch.cat(features).double().numpy(), torch.cat(classes).numpy()


def save_classifier(path: Path, classifier: Classifier, epochs: int, test_accuracy: float) -> None:
    """Write the classifier as FP16 with its provenance."""
    provenance = {
        "data": "Fashion-MNIST, 60,000 training images",
        "epochs": epochs,
        "packages": {name: version(name) for name in ("numpy", "torch")},
        "test_accuracy": round(test_accuracy, 4),
    }
    save_weights(path, classifier.state_dict(), provenance)


def load_classifier(path: Path) -> tuple[Classifier, dict]:
    """Load what `save_classifier` wrote, in evaluation mode, with its provenance.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or holds no classifier.
    """
    weights, provenance = read_tensors(path, "mixdit quality classifier")
    classifier = Classifier()
    load_into(classifier, weights, path)
    return classifier.eval(), provenance
