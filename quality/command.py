"""The commands of ``mixdit quality`` for the small DiT: train, sample, capture, classifier."""

from pathlib import Path
from typing import Annotated

import typer

from commands.outputs import check_file
from quality.captured import CAPTURE_FILE, DATA_FOLDER
from quality.console import KEPT, console, sentences, training_report
from quality.dataset import DEFAULT_FOLDER, load
from quality.recipe import CLASS_NAMES, TrainingRecipe

CHECKPOINT = DATA_FOLDER / "dit_fashion_mnist.safetensors"
CLASSIFIER = DATA_FOLDER / "classifier.safetensors"
PICTURES = (".png", ".svg", ".pdf")
USUAL = TrainingRecipe()
TRAINING_STATE = Path("build") / "quality" / "train.state"

DataOption = Annotated[Path, typer.Option(help="Folder with Fashion-MNIST's four .gz files.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="Threads of torch.")]
CheckpointOption = Annotated[Path, typer.Option(help="Trained model to use.")]
StepsOption = Annotated[int, typer.Option(min=1, help="Sampling steps.")]
GuidanceOption = Annotated[float, typer.Option(help="Guidance scale; 1 is none.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the starting noise.")]


def train(
    data: DataOption = DEFAULT_FOLDER,
    output: Annotated[Path, typer.Option(help="Checkpoint to write.")] = CHECKPOINT,
    state: Annotated[Path, typer.Option(help="State of an unfinished run.")] = TRAINING_STATE,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = USUAL.steps,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.")] = USUAL.batch_size,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = USUAL.seed,
    precision: Annotated[str, typer.Option(help="bf16 (autocast) or fp32.")] = USUAL.precision,
    threads: ThreadsOption = 2,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between saves of the state.")] = 100,
    restart: Annotated[bool, typer.Option(help="Ignore the state of an unfinished run.")] = False,
) -> None:
    """Train the model; an interrupted run continues when the command is given again.

    Example: mixdit quality train --steps 2000 --output build/model.safetensors
    """
    with sentences(KEPT):
        check_file(output)
        check_file(state)
        recipe = TrainingRecipe(steps=steps, batch_size=batch_size, seed=seed, precision=precision)
        images, labels = load("train", data)
        import torch

        from quality.train import Trainer, export, run

        torch.set_num_threads(threads)
        trainer = Trainer(recipe, images, labels)
        if state.exists() and not restart:
            trainer.restore(state)
            console.print(f"continuing {state} at step {trainer.step}")
        with training_report(trainer) as report:
            run(trainer, state, save_every, report)
        export(trainer, output)
    console.print(
        f"{output}: {trainer.step} steps, loss {trainer.recent_loss():.4f}, "
        f"{trainer.cpu_seconds:.0f} CPU-seconds"
    )


def sample(
    checkpoint: CheckpointOption = CHECKPOINT,
    output: Annotated[Path, typer.Option(help="Picture to write.")] = DATA_FOLDER / "samples.png",
    per_class: Annotated[int, typer.Option(min=1, help="Images of each class.")] = 8,
    steps: StepsOption = 10,
    guidance: GuidanceOption = 1.5,
    seed: SeedOption = 0,
    threads: ThreadsOption = 2,
) -> None:
    """Sample images and write them as one labelled picture.

    Example: mixdit quality sample --per-class 4 --output build/samples.png
    """
    with sentences():
        check_file(output)
        if output.suffix not in PICTURES:
            raise ValueError(f"a picture ends in {', '.join(PICTURES)}, unlike {output}")
        import torch

        from quality import sample as sampling
        from quality.model import load_model

        torch.set_num_threads(threads)
        model, provenance = load_model(checkpoint)
        labels = sampling.balanced_labels(len(CLASS_NAMES) * per_class)
        sampler = sampling.Sampler(steps=steps, guidance=guidance, seed=seed)
        images = sampling.sample(model, TrainingRecipe(**provenance["recipe"]), sampler, labels)
        sampling.save_picture(output, images)
    console.print(f"{output}: {per_class} images of each class")


def capture(
    checkpoint: CheckpointOption = CHECKPOINT,
    output: Annotated[Path, typer.Option(help="File to write.")] = CAPTURE_FILE,
    block: Annotated[int, typer.Option(help="Transformer block.")] = 3,
    step: Annotated[int, typer.Option(help="Sampling step, counted from 0.")] = 5,
    steps: StepsOption = 10,
    guidance: GuidanceOption = 1.5,
    seed: SeedOption = 1,
    calibration_seed: Annotated[int, typer.Option(min=0, help="Seed of the calibration rows.")] = 2,
    threads: ThreadsOption = 2,
) -> None:
    """Record the inputs of a block's linear layers during sampling, with the layers' weights.

    Example: mixdit quality capture --block 3 --output build/activations.safetensors
    """
    with sentences():
        check_file(output)
        import torch

        from quality import capture as capturing
        from quality.model import load_model
        from quality.sample import Sampler
        from quality.storage import save_tensors

        torch.set_num_threads(threads)
        model, provenance = load_model(checkpoint)
        sampler = Sampler(steps=steps, guidance=guidance, seed=seed)
        tensors, record = capturing.capture(
            model, provenance, sampler, block=block, step=step, calibration_seed=calibration_seed
        )
        save_tensors(output, tensors, record)
    for name, values in sorted(tensors.items()):
        console.print(f"{name:18} {values.shape!s:12} largest magnitude {abs(values).max():.3f}")
    console.print(f"{output}: block {block} at timestep {record['timestep']}")


def classifier(
    data: DataOption = DEFAULT_FOLDER,
    output: Annotated[Path, typer.Option(help="Classifier to write.")] = CLASSIFIER,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and order.")] = 0,
    threads: ThreadsOption = 2,
) -> None:
    """Train the classifier whose features `evaluate` uses.

    Example: mixdit quality classifier --output build/classifier.safetensors
    """
    with sentences():
        check_file(output)
        train, test = load("train", data), load("test", data)
        from quality.classifier import Classifier
        from quality.metrics.training import train_network

        train_network(Classifier, train, test, output, epochs=epochs, seed=seed, threads=threads)
