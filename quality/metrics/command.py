"""Make what images are judged by: the second network, and statistics of real images."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from commands.outputs import check_file, whole
from quality.console import console, sentences
from quality.dataset import DEFAULT_FOLDER, load
from quality.metrics.judge import CLASSIFIER, EXTRACTOR, REFERENCE

DataOption = Annotated[Path, typer.Option(help="Folder with Fashion-MNIST's four .gz files.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of torch.")]


def extractor(
    data: DataOption = DEFAULT_FOLDER,
    output: Annotated[Path, typer.Option(help="Network to write.")] = EXTRACTOR,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and order.")] = 1,
    threads: ThreadsOption = 2,
) -> None:
    """Train the second network, on whose features the kernel distance is taken.

    Example: mixdit quality extractor --output build/extractor.safetensors
    """
    with sentences():
        check_file(output)
        train, test = load("train", data), load("test", data)
        from quality.metrics.extractor import Extractor
        from quality.metrics.training import train_network

        train_network(Extractor, train, test, output, epochs=epochs, seed=seed, threads=threads)


def reference(
    data: DataOption = DEFAULT_FOLDER,
    classifier_file: Annotated[
        Path, typer.Option("--classifier", help="Trained classifier.")
    ] = CLASSIFIER,
    extractor_file: Annotated[
        Path, typer.Option("--extractor", help="Trained second network.")
    ] = EXTRACTOR,
    output: Annotated[Path, typer.Option(help="Statistics to write.")] = REFERENCE,
    threads: ThreadsOption = 2,
) -> None:
    """Write the statistics of the test set, to which samples are compared.

    Example: mixdit quality reference --output build/reference.npz
    """
    with sentences():
        check_file(output)
        images, labels = load("test", data)
        import torch

        from quality.classifier import load_classifier
        from quality.metrics.extractor import load_extractor
        from quality.metrics.networks import reference_of

        torch.set_num_threads(threads)
        (one, its_origin), (other, the_others) = (
            load_classifier(classifier_file),
            load_extractor(extractor_file),
        )
        statistics = reference_of(
            images,
            labels,
            one,
            other,
            {
                "classifier_sha256": its_origin["sha256"],
                "data": "Fashion-MNIST, test set",
                "extractor_sha256": the_others["sha256"],
            },
        )
        statistics.save(output)
    console.print(
        f"{output}: {len(images)} images, {statistics.provenance['accuracy']:.2%} right, "
        f"Inception score {statistics.provenance['inception_score']:.2f}"
    )


def statistics(
    images: Annotated[Path, typer.Option(help="Folder of real images, searched throughout.")],
    weights: Annotated[Path, typer.Option(help="torch-fidelity's weights of Inception v3.")],
    output: Annotated[Path, typer.Option(help="NumPy archive to write.")],
    size: Annotated[int, typer.Option(min=8, help="Height and width of the model's images.")] = 256,
    limit: Annotated[int | None, typer.Option(min=2, help="Take so many, evenly spaced.")] = None,
    device: Annotated[str, typer.Option(help="Where torch computes.")] = "cpu",
    threads: ThreadsOption = 2,
) -> None:
    """Write the Inception statistics of real images, for the FID and KID of published models.

    Example: mixdit quality statistics --images photos --weights inception.pth --output real.npz
    """
    with sentences():
        check_file(output)
        import numpy as np
        import torch

        from quality.metrics.folder import find_images, statistics_of
        from quality.metrics.inception import Inception

        torch.set_num_threads(threads)
        files = find_images(images, limit)
        extract = Inception(weights, device)
        with Progress(*Progress.get_default_columns(), console=console) as progress:
            task = progress.add_task(f"{len(files)} images", total=len(files))
            made = statistics_of(
                files, size, extract, lambda done: progress.update(task, completed=done)
            )
        with whole(output) as file:  # given a name, np.savez would append to it
            np.savez(file, **made)
    console.print(f"{output}: {len(files)} images of {images}")
