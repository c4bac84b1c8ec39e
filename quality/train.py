"""Training, so that an interrupted run continues exactly where it stopped.

Every random number of step s comes from a generator seeded by the recipe's seed and s, and the
order of images in an epoch from the seed and the epoch, so the state to keep is the weights, their
average and the optimiser.
"""

import math
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel

from commands.outputs import whole
from quality.dataset import to_signed
from quality.model import build_model
from quality.recipe import NULL_CLASS, TrainingRecipe
from quality.schedule import noisy_image_and_velocity, signal_and_noise
from quality.weights import save_weights

STEP_STREAM, EPOCH_STREAM = 1, 2
"""Keep the seeds of steps and of epochs apart."""


def seeded(recipe: TrainingRecipe, stream: int, index: int) -> torch.Generator:
    """Return the generator of one step or one epoch, independent of all others."""
    words = np.random.SeedSequence([recipe.seed, stream, index]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Return the learning rate of `step`: linear warm-up, then half a cosine to zero."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Trainer:
    """Hold the model, its moving average and the optimiser, and take one step at a time.

    Parameters
    ----------
    recipe : TrainingRecipe
        Everything that decides the result.
    images : NDArray[np.uint8]
        Shape (n, 32, 32), at least one batch of them.
    labels : NDArray[np.uint8]
        Shape (n,).

    Raises
    ------
    ValueError
        If there are fewer images than one batch.
    """

    def __init__(
        self, recipe: TrainingRecipe, images: NDArray[np.uint8], labels: NDArray[np.uint8]
    ) -> None:
        if len(images) < recipe.batch_size:
            raise ValueError(f"a batch of {recipe.batch_size} needs more than {len(images)} images")
        self.recipe = recipe
        self.images, self.labels = images, torch.from_numpy(labels.astype(np.int64))
        self.model = build_model(recipe).train()
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=recipe.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.alpha, self.sigma = signal_and_noise(recipe)
        self.losses: list[float] = []
        self.cpu_seconds = 0.0

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return len(self.losses)

    def recent_loss(self, count: int = 100) -> float:
        """Return the mean loss of the last `count` steps, or of all if there are fewer."""
        recent = self.losses[-count:]
        return sum(recent) / max(1, len(recent))

    def batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return input and target, both (n, 1, 32, 32), timesteps and labels, both (n,), of `step`.

        Timesteps are stratified: image i draws from the i-th of `batch_size` equal parts of the
        schedule, which takes most of the noise out of the loss.
        """
        recipe = self.recipe
        epoch, position = divmod(step, len(self.images) // recipe.batch_size)
        order = torch.randperm(len(self.images), generator=seeded(recipe, EPOCH_STREAM, epoch))
        chosen = order[position * recipe.batch_size :][: recipe.batch_size]
        generator = seeded(recipe, STEP_STREAM, step)
        images = torch.from_numpy(to_signed(self.images[chosen.numpy()]))[:, None]
        noise = torch.randn(images.shape, generator=generator)
        strata = torch.arange(recipe.batch_size) + torch.rand(
            recipe.batch_size, generator=generator
        )
        timesteps = (
            (strata / recipe.batch_size * recipe.timesteps).long().clamp_(max=recipe.timesteps - 1)
        )
        dropped = torch.rand(recipe.batch_size, generator=generator) < recipe.label_dropout
        labels = torch.where(dropped, NULL_CLASS, self.labels[chosen])
        noisy, velocity = noisy_image_and_velocity(
            images, noise, self.alpha[timesteps], self.sigma[timesteps]
        )
        return noisy, velocity, timesteps, labels

    def take_step(self) -> float:
        """Take one optimiser step and return its loss (mean squared error of the velocity)."""
        started = time.process_time()
        noisy, velocity, timesteps, labels = self.batch(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step)
        autocast = torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bf16")
        # Torch's fused attention spends 45 % of a bf16 step in its backward pass on a CPU.
        with autocast, sdpa_kernel(SDPBackend.MATH):
            prediction = self.model(noisy, timesteps, labels).sample
        loss = (prediction.float() - velocity).square().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()
        self.losses.append(loss.item())
        # An average that starts at random weights would carry them for 1/(1 - decay) steps.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        self.cpu_seconds += time.process_time() - started
        return self.losses[-1]

    def save(self, path: Path) -> None:
        """Write all that is needed to continue; an interruption leaves the previous file whole."""
        state = {
            "recipe": self.recipe.as_dict(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "losses": self.losses,
            "cpu_seconds": self.cpu_seconds,
        }
        with whole(path) as file:
            torch.save(state, file)

    def restore(self, path: Path) -> None:
        """Continue from `save`'s file.

        Raises
        ------
        ValueError
            If the file was written under another recipe, or is not a training state.
        """
        try:
            state = torch.load(path, weights_only=True)
            stored = state["recipe"]
        except Exception as error:  # torch.load raises many types for a damaged file
            raise ValueError(f"{path} is not a training state: {error}") from error
        changed = [
            name for name, value in self.recipe.as_dict().items() if stored.get(name) != value
        ]
        if changed:
            raise ValueError(
                f"{path} was written with another {', '.join(changed)}: "
                "give the same settings to continue it, or --restart to begin again"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.losses = state["average"], state["losses"]
        self.cpu_seconds = state["cpu_seconds"]


def run(
    trainer: Trainer, state_path: Path, save_every: int, report: Callable[[Trainer], None]
) -> None:
    """Train to the end of the recipe, saving every `save_every` steps and at the end.

    An interruption costs the steps since the last save. Nothing is saved at the interruption
    itself, which may fall between the update of the weights and that of their average.

    Parameters
    ----------
    trainer : Trainer
        Fresh or restored.
    state_path : Path
        Where the training state is kept.
    save_every : int
        Steps between two saves, at least 1.
    report : Callable
        Called with the trainer after every step.
    """
    if save_every < 1:
        raise ValueError(f"the number of steps between saves must be at least 1, not {save_every}")
    while trainer.step < trainer.recipe.steps:
        trainer.take_step()
        report(trainer)
        if trainer.step % save_every == 0 or trainer.step == trainer.recipe.steps:
            trainer.save(state_path)


def export(trainer: Trainer, path: Path) -> None:
    """Write the averaged weights as an FP16 checkpoint that says how they came about."""
    provenance = {
        "data": "Fashion-MNIST, 60,000 training images",
        "final_loss": round(trainer.recent_loss(), 5),
        "model": "diffusers.DiTTransformer2DModel, moving average of the weights",
        "packages": {name: version(name) for name in ("diffusers", "numpy", "torch")},
        "recipe": trainer.recipe.as_dict(),
        "steps": trainer.step,
    }
    save_weights(path, trainer.average, provenance)
