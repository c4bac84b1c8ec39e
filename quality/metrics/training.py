"""Train one of the networks that judge images, tell how it goes, and write it."""

from collections.abc import Callable
from pathlib import Path

import torch
from numpy.typing import NDArray

from quality.classifier import judge, save_classifier, train_classifier
from quality.console import console

Labelled = tuple[NDArray, NDArray]
"""Images (n, 32, 32) and their classes (n,)."""


def train_network(
    build: Callable[[], torch.nn.Module],
    train: Labelled,
    test: Labelled,
    output: Path,
    *,
    epochs: int,
    seed: int,
    threads: int,
) -> None:
    """Train the network that `build` makes; write it with the share of `test` it gets right."""
    torch.set_num_threads(threads)
    network, cpu_seconds = train_classifier(
        *train,
        epochs=epochs,
        seed=seed,
        build=build,
        report=lambda epoch, loss: console.print(f"epoch {epoch} of {epochs}: loss {loss:.4f}"),
    )
    images, labels = test
    accuracy = float((judge(network, images)[1] == labels).mean())
    save_classifier(output, network, epochs, accuracy)
    console.print(
        f"{output}: {accuracy:.2%} of the test images right, {cpu_seconds:.0f} CPU-seconds"
    )
