"""The transformer's initialisation and its stored form."""

from dataclasses import replace
from pathlib import Path

import pytest

from quality.captured import DATA_FOLDER
from quality.recipe import NULL_CLASS, TrainingRecipe
from quality.storage import save_tensors

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from quality.model import build_model, load_model  # noqa: E402
from quality.weights import save_weights  # noqa: E402


def inputs(count: int = 3) -> tuple:
    """Return images, timesteps and labels for one evaluation."""
    images = torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return images, torch.tensor([0, 500, 999])[:count], torch.tensor([0, 9, NULL_CLASS])[:count]


def randomised(recipe: TrainingRecipe) -> torch.nn.Module:
    """Return a model whose gates are open."""
    model = build_model(recipe)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=generator)
    return model


def test_the_model_of_the_study_has_2_1_million_parameters_and_64_tokens():
    assert sum(p.numel() for p in build_model(TrainingRecipe()).parameters()) == 2_123_152
    assert TrainingRecipe().tokens == 64


def test_output_is_zero_and_every_block_the_identity_before_training(tiny: TrainingRecipe):
    model = build_model(tiny)
    images, timesteps, labels = inputs()
    assert torch.count_nonzero(model(images, timesteps, labels).sample) == 0
    hidden = torch.randn(3, tiny.tokens, 16)
    block = model.transformer_blocks[1]
    assert torch.equal(block(hidden, timestep=timesteps, class_labels=labels), hidden)


def test_output_has_the_shape_of_the_images(tiny: TrainingRecipe):
    assert randomised(tiny)(*inputs()).sample.shape == (3, 1, 32, 32)


def test_labels_change_the_output_and_the_null_class_is_one_of_them(tiny: TrainingRecipe):
    model = randomised(tiny).eval()
    images, timesteps, _ = inputs()
    outputs = [
        model(images, timesteps, torch.full((3,), label)).sample for label in (0, 1, NULL_CLASS)
    ]
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_training_mode_drops_no_label_of_its_own(tiny: TrainingRecipe):
    model = randomised(tiny).train()
    images, timesteps, labels = inputs()
    first = model(images, timesteps, labels).sample
    assert all(torch.equal(model(images, timesteps, labels).sample, first) for _ in range(20))


def test_the_seed_decides_the_weights(tiny: TrainingRecipe):
    first, same = build_model(tiny).state_dict(), build_model(tiny).state_dict()
    assert all(torch.equal(first[name], same[name]) for name in first)
    other = build_model(replace(tiny, seed=1)).state_dict()
    assert not torch.equal(first["pos_embed.proj.weight"], other["pos_embed.proj.weight"])


def test_a_stored_model_is_the_fp16_rounding_of_the_original(tiny: TrainingRecipe, tmp_path: Path):
    model = randomised(tiny)
    save_weights(tmp_path / "model", model.state_dict(), {"recipe": tiny.as_dict(), "steps": 3})
    loaded, provenance = load_model(tmp_path / "model")
    assert provenance["steps"] == 3
    assert not loaded.training
    stored = loaded.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(stored[name], value.half().float())


def test_a_weight_beyond_fp16_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="w holds values that are not finite in FP16"):
        save_weights(tmp_path / "model", {"w": torch.tensor([70000.0])}, {})


def test_the_committed_checkpoint_loads_and_was_trained_to_its_end():
    model, provenance = load_model(DATA_FOLDER / "dit_fashion_mnist.safetensors")
    assert provenance["steps"] == provenance["recipe"]["steps"] == TrainingRecipe().steps
    assert provenance["final_loss"] < 0.15
    assert sum(p.numel() for p in model.parameters()) == 2_123_152


def test_a_file_that_is_no_checkpoint_is_refused(tiny: TrainingRecipe, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="mixdit quality train"):
        load_model(tmp_path / "missing")
    save_tensors(tmp_path / "other", {}, {})
    with pytest.raises(ValueError, match="is no checkpoint of"):
        load_model(tmp_path / "other")
    save_tensors(tmp_path / "empty", {}, {"recipe": tiny.as_dict()})
    with pytest.raises(ValueError, match="holds other weights than DiTTransformer2DModel's"):
        load_model(tmp_path / "empty")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"patch_size": 5}, "patch_size must divide 32"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"label_dropout": 1.5}, "label_dropout must lie"),
        ({"precision": "fp8"}, "one of bf16, fp32, not 'fp8'"),
    ],
)
def test_bad_settings_are_refused(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        TrainingRecipe(**settings)
