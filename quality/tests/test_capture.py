"""Capturing: the hooks see what the layers see, and the committed file is what they saw."""

from dataclasses import replace

import numpy as np
import pytest

from quality.captured import CAPTURE_FILE, DATA_FOLDER, LAYER_INPUTS
from quality.recipe import NULL_CLASS, TrainingRecipe
from quality.storage import read_tensors

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from quality.capture import (  # noqa: E402
    LAYER_MODULES,
    Recorder,
    capture,
    record_steps,
)
from quality.model import build_model, load_model  # noqa: E402
from quality.sample import Sampler  # noqa: E402


@pytest.fixture
def model(tiny: TrainingRecipe) -> torch.nn.Module:
    """Return a model with random weights, so that no gate is shut."""
    model = build_model(tiny).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=generator)
    return model


@torch.no_grad()
def test_recorded_inputs_times_weights_are_the_layers_outputs(model: torch.nn.Module):
    recorder = Recorder()
    block = model.transformer_blocks[1]
    images = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    with recorder.attached(block):
        model(images, torch.tensor([3, 400]), torch.tensor([5, NULL_CLASS]))
    for name, path in LAYER_MODULES.items():
        layer = block.get_submodule(path)
        again = torch.nn.functional.linear(recorder.inputs[name], layer.weight, layer.bias)
        assert torch.equal(again, recorder.outputs[name])
        inputs, weight, bias = (
            values.double() for values in (recorder.inputs[name], layer.weight.T, layer.bias)
        )
        exact = inputs @ weight + bias
        assert (exact - recorder.outputs[name]).abs().max() < 1e-5 * exact.abs().max()
    assert torch.equal(recorder.inputs["q"], recorder.inputs["k"])
    assert torch.equal(recorder.inputs["q"], recorder.inputs["v"])


def test_hooks_are_gone_afterwards(model: torch.nn.Module):
    recorder = Recorder()
    with recorder.attached(model.transformer_blocks[0]):
        pass
    model(torch.zeros(1, 1, 32, 32), torch.tensor([1]), torch.tensor([1]))
    assert recorder.inputs == {}


def test_each_step_records_its_own_inputs(model: torch.nn.Module, tiny: TrainingRecipe):
    recorded, timesteps = record_steps(model, tiny, Sampler(steps=4), (0, 1), 1)
    assert len(recorded) == len(timesteps) == 4
    for name in LAYER_MODULES:
        steps = [step[name] for step in recorded]
        assert all(values.shape[:2] == (4, tiny.tokens) for values in steps)  # with the pair
        assert not any(torch.equal(steps[i], steps[i + 1]) for i in range(3))


def test_capture_holds_the_chosen_step_of_every_layer(model: torch.nn.Module, tiny: TrainingRecipe):
    provenance = {"recipe": tiny.as_dict(), "steps": 8, "sha256": "0"}
    sampler = Sampler(steps=3, seed=1)
    tensors, record = capture(model, provenance, sampler, block=0, step=1, calibration_seed=2)
    steps, timesteps = record_steps(model, tiny, sampler, tuple(record["classes"]), 0)
    other = replace(sampler, seed=2)
    others, _ = record_steps(model, tiny, other, tuple(record["calibration"]["classes"]), 0)
    assert record["timestep"] == timesteps[1]
    for name, source in LAYER_INPUTS.items():
        width = steps[1][name].shape[-1]
        for kind, recorded in (("input", steps), ("calibration", others)):
            expected = recorded[1][name].reshape(8 * tiny.tokens, width).half().numpy()
            assert tensors[f"{source}.{kind}"].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block": 2, "step": 0, "calibration_seed": 5}, "block must be 0 to 1, not 2"),
        ({"block": 0, "step": 3, "calibration_seed": 5}, "step must be 0 to 2, not 3"),
        ({"block": 0, "step": 0, "calibration_seed": 4}, "another seed than 4"),
    ],
)
def test_a_capture_that_cannot_be_is_refused(
    model: torch.nn.Module, tiny: TrainingRecipe, options: dict, message: str
):
    provenance = {"recipe": tiny.as_dict(), "steps": 8, "sha256": "0"}
    with pytest.raises(ValueError, match=message):
        capture(model, provenance, Sampler(steps=3, seed=4), **options)


def test_the_committed_capture_is_what_the_committed_model_computes():
    committed, record = read_tensors(CAPTURE_FILE, "")
    model, provenance = load_model(DATA_FOLDER / "dit_fashion_mnist.safetensors")
    settings = {key: record["sampler"][key] for key in ("steps", "guidance", "seed")}
    tensors, _ = capture(
        model,
        provenance,
        Sampler(**settings),
        block=record["block"],
        step=record["step"],
        calibration_seed=record["calibration"]["seed"],
    )
    assert sorted(tensors) == sorted(committed)
    for name, values in tensors.items():
        # Not bits: torch sums in another order on another processor, and sampling feeds that back.
        difference = np.abs(values.astype(np.float64) - committed[name])
        assert difference.max() <= 0.02 * np.abs(committed[name]).max(), name
