"""Published models: all three classes of transformer, tiny, with random weights, without network.

PixArt and Stable Diffusion 3 need transformers (the extra ``real``) to be loaded at all.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from safetensors.torch import load_file, save_file  # noqa: E402

from quality.harness.run import evaluate  # noqa: E402
from quality.harness.settings import Settings  # noqa: E402
from quality.models.identity import identify  # noqa: E402
from quality.models.options import ModelOptions  # noqa: E402
from quality.models.subject import load_subject  # noqa: E402
from quality.tests.tiny_pipelines import TINY, write_tiny  # noqa: E402

SITES = {"dit": 2 * 8, "pixart": 2 * 14, "sd3": 14 + 11}
"""Of two blocks; the last block of SD3 has no output or MLP for the text."""


@pytest.fixture(params=list(TINY))
def options(request: pytest.FixtureRequest, tmp_path: Path) -> ModelOptions:
    """Return how to sample each kind of model in three steps."""
    if request.param != "dit":
        pytest.importorskip("transformers")
    folder, embeddings = write_tiny(request.param, tmp_path)
    return ModelOptions(name=str(folder), embeddings=embeddings, steps=3)


@pytest.fixture
def dit(tmp_path: Path) -> Path:
    """Return the folder of a tiny DiT."""
    return write_tiny("dit", tmp_path)[0]


@pytest.fixture
def pixart(tmp_path: Path) -> tuple[Path, Path]:
    """Return the folder of a tiny PixArt, and its embeddings."""
    pytest.importorskip("transformers")
    return write_tiny("pixart", tmp_path)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to reach a network fail."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a test tried to reach a network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def test_images_have_noise_of_their_own_whatever_the_batch(options: ModelOptions):
    model = load_subject(options)
    images = model.draw(model.transformer, 1, 0, 3)
    assert images.shape == (3, 32, 32, 3)
    assert (images.min() >= -1, images.max() <= 1) == (True, True)
    again = model.draw(model.transformer, 1, 2, 1)
    assert np.abs(images[2] - again[0]).max() < 1e-4  # GEMMs sum in another order
    others = [images[1], model.draw(model.transformer, 2, 2, 1)[0]]
    assert all(np.abs(images[2] - other).max() > 0.1 for other in others)


def test_seeds_beyond_the_generators_are_refused(dit: Path):
    model = load_subject(ModelOptions(name=str(dit)))
    with pytest.raises(ValueError, match="seeds go to 4293"):
        model.draw(model.transformer, 4295, 0, 1)


def test_a_run_measures_every_site(options: ModelOptions, tmp_path: Path):
    settings = Settings(model=options, out=tmp_path / "out", images=3, batch=2, probe=2)
    reference, record = (json.loads(path.read_text()) for path in evaluate(settings, ["mx6"], [0]))
    kind = Path(options.name).name
    assert record["model"]["name"] == kind
    assert len(record["bits"]["sites"]) == SITES[kind]
    assert (record["bits"]["activation"], record["bits"]["weight"]) == (6, 6)
    quality = record["probe"]["layer_qsnr"]
    assert len(quality) == SITES[kind]
    assert all(15 < value < 45 for value in quality.values())  # MX6 has 4 bits and a sign
    assert len(record["probe"]["step_qsnr"]) == 3
    assert 15 < record["probe"]["one_step_qsnr"] < 60
    assert record["scores"] == reference["scores"] == {}
    assert "paired" not in record
    assert str(tmp_path) not in json.dumps([reference, record])


def test_classes_are_spread_over_all_of_imagenet(dit: Path):
    model = load_subject(ModelOptions(name=str(dit)))
    classes = model.conditions(0, 1000)
    assert sorted(classes) == list(range(1000))
    assert len({label // 100 for label in classes[:30]}) > 5
    assert model.conditions(1000, 3) == classes[:3]


def test_embeddings_follow_their_prompts(pixart: tuple[Path, Path]):
    folder, path = pixart
    tensors = load_file(path)
    changed = path.with_name("changed")
    model = load_subject(ModelOptions(name=str(folder), embeddings=path, steps=2))
    before = model.draw(model.transformer, 0, 0, 3)
    save_file({**tensors, "prompt_embeds": tensors["prompt_embeds"] * torch.tensor([1, 3]).view(
        2, 1, 1)}, changed)  # fmt: skip
    model = load_subject(ModelOptions(name=str(folder), embeddings=changed, steps=2))
    after = model.draw(model.transformer, 0, 0, 3)
    distance = np.abs(after - before).reshape(3, -1).max(1)
    assert (distance > 1e-3).tolist() == [False, True, False]


def test_the_identity_changes_with_weights_and_conditions(pixart: tuple[Path, Path]):
    folder, embeddings = pixart
    options = ModelOptions(name=str(folder), embeddings=embeddings)
    first = identify(options)
    embeddings.write_bytes(embeddings.read_bytes()[:-1] + b"\1")
    second = identify(options)
    (weights,) = (folder / "transformer").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    third = identify(options)
    assert first["conditions_sha256"] != second["conditions_sha256"]
    assert first["weights_sha256"] == second["weights_sha256"] != third["weights_sha256"]
    assert (first["steps"], first["guidance"]) == (20, 4.5)


def _index(folder: Path) -> None:
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')


def _remove_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(_index, "holds a FluxPipeline, and only DiTPipeline"), (_remove_index, "is no pipeline")],
)
def test_folders_of_another_kind_are_told(dit: Path, spoil: Callable, sentence: str):
    spoil(dit)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        identify(ModelOptions(name=str(dit)))


def test_a_model_that_is_not_here_is_not_fetched():
    with pytest.raises(FileNotFoundError, match="--download fetches it"):
        identify(ModelOptions(name="nobody/no-such-model"))


def test_a_class_model_reads_no_prompts_and_a_text_model_needs_them(
    dit: Path, tmp_path: Path, request: pytest.FixtureRequest
):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\n")
    with pytest.raises(ValueError, match="DiTPipeline, which reads no prompts"):
        identify(ModelOptions(name=str(dit), prompts=prompts))
    folder, _ = request.getfixturevalue("pixart")
    with pytest.raises(ValueError, match="needs --prompts or --embeddings"):
        identify(ModelOptions(name=str(folder)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"more": torch.zeros(2)}, "instead of prompt_embeds, prompt_attention_mask"),
        ({"prompt_attention_mask": torch.ones(3, 6)}, "3 rows of prompt_attention_mask for 2"),
    ],
)
def test_embeddings_that_do_not_fit_are_told(
    pixart: tuple[Path, Path], change: dict, sentence: str
):
    folder, path = pixart
    tensors = load_file(path)
    save_file({**tensors, **change}, path)
    with pytest.raises(ValueError, match=sentence):
        load_subject(ModelOptions(name=str(folder), embeddings=path))


def test_a_file_that_is_no_safetensors_is_told(pixart: tuple[Path, Path]):
    folder, path = pixart
    path.write_text("embeddings")
    with pytest.raises(ValueError, match="is no safetensors file"):
        load_subject(ModelOptions(name=str(folder), embeddings=path))


def test_as_many_prompts_as_embeddings(pixart: tuple[Path, Path], tmp_path: Path):
    folder, path = pixart
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\n\na dog\na bird\n")
    with pytest.raises(ValueError, match=r"holds 3 prompts and .* embeds 2"):
        load_subject(ModelOptions(name=str(folder), embeddings=path, prompts=prompts))
