"""Sampling: the same seed gives the same image, and the trained model gives what was asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quality.captured import DATA_FOLDER
from quality.dataset import to_bytes
from quality.recipe import NULL_CLASS, TrainingRecipe

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from quality.classifier import judge, load_classifier  # noqa: E402
from quality.model import build_model, load_model  # noqa: E402
from quality.sample import Sampler, balanced_labels, sample, save_picture  # noqa: E402
from quality.schedule import build_scheduler, signal_and_noise  # noqa: E402

LABELS = np.array([3, 1, 4])


@pytest.fixture
def draw(tiny: TrainingRecipe) -> Callable[..., np.ndarray]:
    """Return a function that samples `LABELS` from a model with random weights."""
    model = build_model(tiny).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)

    def draw(sampler: Sampler, **options) -> np.ndarray:
        return sample(model, tiny, sampler, LABELS, **options)

    draw.model, draw.recipe = model, tiny
    return draw


def test_a_seed_gives_the_same_images_again_and_another_seed_others(draw: Callable):
    sampler = Sampler(steps=4, seed=7)
    first = draw(sampler)
    assert first.shape == (3, 32, 32)
    assert first.tobytes() == draw(sampler).tobytes()
    assert first.tobytes() != draw(replace(sampler, seed=8)).tobytes()


def test_the_noise_of_an_image_does_not_depend_on_how_many_are_drawn():
    sampler = Sampler(seed=3)
    assert torch.equal(sampler.noise(5)[:2], sampler.noise(2))


def test_images_drawn_in_two_calls_are_those_of_one(draw: Callable):
    sampler = Sampler(steps=2, seed=4)
    whole = draw(sampler, batch_size=1)
    rest = sample(draw.model, draw.recipe, sampler, LABELS[1:], batch_size=1, first=1)
    assert whole[1:].tobytes() == rest.tobytes()


def test_the_global_random_state_plays_no_part(draw: Callable):
    torch.manual_seed(0)
    first = draw(Sampler(steps=3))
    torch.manual_seed(1)
    assert first.tobytes() == draw(Sampler(steps=3)).tobytes()


def test_the_model_is_evaluated_once_per_step_on_labelled_and_unlabelled_pairs(draw: Callable):
    seen, steps = [], []
    hook = draw.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    draw(Sampler(steps=5), before_step=lambda index, timestep: steps.append((index, timestep)))
    hook.remove()
    assert [index for index, _ in steps] == [0, 1, 2, 3, 4]
    timesteps = [timestep for _, timestep in steps]
    assert timesteps == sorted(timesteps, reverse=True)
    for (images, timestep, labels), expected in zip(seen, timesteps, strict=True):
        assert labels.tolist() == [3, 1, 4, NULL_CLASS, NULL_CLASS, NULL_CLASS]
        assert timestep.tolist() == [expected] * 6
        assert torch.equal(images[:3], images[3:])


@torch.no_grad()
@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.0])
def test_one_step_returns_the_image_that_the_guided_velocity_predicts(
    draw: Callable, tiny: TrainingRecipe, guidance: float
):
    sampler, timesteps = Sampler(steps=1, guidance=guidance, seed=5), []
    images = draw(sampler, before_step=lambda index, timestep: timesteps.append(timestep))
    noise, timestep = sampler.noise(3), torch.tensor(timesteps).expand(3)
    labelled = draw.model(noise, timestep, torch.from_numpy(LABELS)).sample
    unlabelled = draw.model(noise, timestep, torch.full((3,), NULL_CLASS)).sample
    alpha, sigma = (values[timesteps[0]] for values in signal_and_noise(tiny))
    velocity = guidance * labelled + (1 - guidance) * unlabelled
    expected = (alpha * noise - sigma * velocity)[:, 0].numpy()
    assert (labelled - unlabelled).abs().max() > 1e-2
    assert np.abs(images - expected).max() < 1e-4  # FP32 rounding in another order


def test_the_solver_is_the_one_the_readme_names(tiny: TrainingRecipe):
    config = build_scheduler(tiny).config
    assert (config.algorithm_type, config.solver_order) == ("dpmsolver++", 2)
    assert config.prediction_type == "v_prediction"


@pytest.mark.parametrize("labels", [[], [10], [-1]])
def test_labels_that_are_no_class_are_refused(tiny: TrainingRecipe, labels: list[int]):
    with pytest.raises(ValueError, match="classes 0 to 9"):
        sample(build_model(tiny), tiny, Sampler(), np.array(labels, dtype=np.int64))


def test_a_sampler_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        Sampler(steps=0)


def test_the_picture_shows_a_row_per_class(tmp_path: Path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    labels = balanced_labels(20)
    images = np.broadcast_to((labels / 4.5 - 1)[:, None, None], (20, 32, 32)).astype(np.float32)
    save_picture(tmp_path / "picture.png", images)
    picture = pyplot.imread(tmp_path / "picture.png")[..., 0]
    rightmost = np.flatnonzero(picture.min(axis=0) == 0)[-5]  # in the image, not in its labels
    column = picture[:, rightmost]
    shades = column[np.argmin(column) :]  # below the white margin
    assert (np.diff(shades) >= 0).all()
    assert (shades.min(), shades.max()) == (0, 1)
    assert len(set(np.round(shades * 9, 1)) & set(range(10))) == 10  # every class has its row


def test_the_committed_model_draws_the_classes_it_is_asked_for():
    model, provenance = load_model(DATA_FOLDER / "dit_fashion_mnist.safetensors")
    classifier, _ = load_classifier(DATA_FOLDER / "classifier.safetensors")
    labels = balanced_labels(30)
    images = sample(model, TrainingRecipe(**provenance["recipe"]), Sampler(seed=11), labels)
    _, classes = judge(classifier, to_bytes(images))
    assert (classes == labels).mean() > 0.8
