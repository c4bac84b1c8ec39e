"""Training: what a batch holds, and that an interruption leaves no trace."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quality.dataset import load
from quality.recipe import NULL_CLASS, TrainingRecipe

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from quality.model import load_model  # noqa: E402
from quality.train import Trainer, export, learning_rate, run  # noqa: E402


@pytest.fixture
def build(data_folder: Path) -> Callable[[TrainingRecipe], Trainer]:
    """Return a function that builds a trainer on the miniature data set."""
    return lambda recipe: Trainer(recipe, *load("train", data_folder))


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    build: Callable, tiny: TrainingRecipe, tmp_path: Path, precision: str
):
    recipe = replace(tiny, precision=precision)
    whole = build(recipe)
    losses = [whole.take_step() for _ in range(recipe.steps)]

    class InterruptionError(Exception):
        pass

    def interrupt(trainer: Trainer) -> None:
        if trainer.step == 5:  # one step after the last save
            raise InterruptionError

    with pytest.raises(InterruptionError):
        run(build(recipe), tmp_path / "state", 2, interrupt)
    resumed = build(recipe)
    resumed.restore(tmp_path / "state")
    assert resumed.step == 4
    run(resumed, tmp_path / "state", 2, lambda trainer: None)
    assert resumed.losses == losses
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])
        assert torch.equal(whole.average[name], resumed.average[name])


def test_the_loss_falls(tiny: TrainingRecipe):
    recipe = replace(tiny, head_width=16, patch_size=4, steps=100, learning_rate=1e-2)
    trainer = Trainer(recipe, np.zeros((50, 32, 32), np.uint8), np.zeros(50, np.uint8))
    losses = [trainer.take_step() for _ in range(recipe.steps)]
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])


def test_timesteps_are_stratified(build: Callable, tiny: TrainingRecipe):
    trainer = build(replace(tiny, batch_size=20))
    for step in range(10):
        timesteps = trainer.batch(step)[2]
        assert (timesteps // 50).tolist() == list(range(20))


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order(
    build: Callable, tiny: TrainingRecipe
):
    trainer = build(replace(tiny, label_dropout=0.0))
    trainer.labels = torch.arange(200)  # so that labels say which image it is
    first, second = (
        torch.cat([trainer.batch(40 * epoch + step)[3] for step in range(40)]).tolist()
        for epoch in range(2)
    )
    assert sorted(first) == sorted(second) == list(range(200))
    assert first != second


def test_the_asked_share_of_labels_is_dropped(build: Callable, tiny: TrainingRecipe):
    trainer = build(replace(tiny, batch_size=100, label_dropout=0.3))
    labels = torch.cat([trainer.batch(step)[3] for step in range(50)])
    share = (labels == NULL_CLASS).double().mean().item()
    assert 0.27 < share < 0.33  # four standard deviations of 5,000 draws are 0.026


def test_input_and_velocity_give_back_image_and_noise(build: Callable, tiny: TrainingRecipe):
    trainer = build(tiny)
    noisy, velocity, timesteps, _ = trainer.batch(0)
    alpha, sigma = (
        values[timesteps].view(-1, 1, 1, 1) for values in (trainer.alpha, trainer.sigma)
    )
    images = alpha * noisy - sigma * velocity
    assert images.abs().max() < 1 + 1e-5  # real-valued identity, so not exact in FP32
    assert (images[:, 0, 0, 0] + 1).abs().max() < 1e-5  # the padding


def test_the_average_starts_near_the_weights_and_then_lags(build: Callable, tiny: TrainingRecipe):
    trainer = build(tiny)
    name = "proj_out_2.weight"
    trainer.take_step()
    trainer.take_step()
    weights, average = trainer.model.state_dict()[name], trainer.average[name]
    assert 0 < (weights - average).norm() < weights.norm()


def test_the_learning_rate_rises_and_falls_to_zero():
    recipe = TrainingRecipe(steps=1000, warmup_steps=100)
    rates = [learning_rate(recipe, step) for step in range(1001)]
    assert max(rates) == rates[100] == recipe.learning_rate
    assert rates[0] == recipe.learning_rate / 100
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[1000] == 0


def test_export_writes_the_average(build: Callable, tiny: TrainingRecipe, tmp_path: Path):
    trainer = build(tiny)
    run(trainer, tmp_path / "state", 100, lambda trainer: None)
    export(trainer, tmp_path / "model")
    model, provenance = load_model(tmp_path / "model")
    assert provenance["steps"] == tiny.steps
    for name, value in model.state_dict().items():
        assert torch.equal(value, trainer.average[name].half().float())


def test_another_recipe_does_not_continue_a_run(
    build: Callable, tiny: TrainingRecipe, tmp_path: Path
):
    build(tiny).save(tmp_path / "state")
    with pytest.raises(ValueError, match=r"another batch_size, seed.*--restart"):
        build(replace(tiny, batch_size=3, seed=9)).restore(tmp_path / "state")


def test_a_damaged_state_is_refused(build: Callable, tiny: TrainingRecipe, tmp_path: Path):
    (tmp_path / "state").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="state is not a training state"):
        build(tiny).restore(tmp_path / "state")


def test_too_few_images_are_refused(tiny: TrainingRecipe):
    with pytest.raises(ValueError, match="a batch of 5 needs more than 4 images"):
        Trainer(tiny, np.zeros((4, 32, 32), np.uint8), np.zeros(4, np.uint8))
