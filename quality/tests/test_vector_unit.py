"""The small DiT with the vector unit: float64 is diffusers' model, and the unit is near it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import golden  # noqa: E402
from golden.formats import MX6  # noqa: E402
from quality import vector_unit as study  # noqa: E402
from quality.model import load_model  # noqa: E402
from quality.recipe import TrainingRecipe  # noqa: E402
from quality.sample import Sampler, sample  # noqa: E402
from quality.vector_unit_command import CHECKPOINT  # noqa: E402


@pytest.fixture(scope="module")
def drawn():
    """A model, two states of its sampler, and float64's evaluations there."""
    model, provenance = load_model(CHECKPOINT)
    recipe = TrainingRecipe(**provenance["recipe"])
    run = lambda: sample(model, recipe, Sampler(steps=2), np.array([7]))  # noqa: E731
    steps = list(study.states(model, run))
    return model, steps, [study.evaluate(model, study.VectorUnit(()), *step) for step in steps]


def test_float64_is_the_model_of_diffusers(drawn):
    model, steps, exact = drawn
    assert len(steps) == 2 and steps[0][0].shape == (2, 1, 32, 32)
    for state, wanted in zip(steps, exact, strict=True):
        with torch.no_grad():
            assert golden.qsnr(wanted.numpy(), model(*state).sample.numpy()) > 120


@pytest.mark.parametrize("parts", [study.PARTS, *((part,) for part in study.PARTS)])
def test_the_vector_unit_is_far_below_the_formats_error(drawn, parts):
    model, steps, exact = drawn
    assert study.decibels(model, study.VectorUnit(parts), steps, exact).min() > 84


def test_beside_mx6_the_vector_unit_changes_little(drawn):
    model, steps, exact = drawn
    alone, both = (study.decibels(model, study.VectorUnit(parts, MX6), steps, exact)
                   for parts in ((), study.PARTS))  # fmt: skip
    assert np.abs(alone - both).max() < 0.5 and both.max() < 40


def test_a_unit_that_draws_is_float64s_picture_nearly_and_leaves_the_model_as_it_was(drawn):
    model, steps, _ = drawn
    recipe = TrainingRecipe(**load_model(CHECKPOINT)[1]["recipe"])
    pictures = []
    for parts in ((), study.PARTS):
        with study.in_its_place(model, study.VectorUnit(parts)):
            pictures.append(sample(model, recipe, Sampler(steps=2), np.array([7])))
    assert 0 < np.abs(pictures[0] - pictures[1]).max() < 1e-3
    with torch.no_grad():
        assert torch.equal(model(*steps[0]).sample, load_model(CHECKPOINT)[0](*steps[0]).sample)
