"""The harness: the same files whoever computes them, and figures that can be had another way."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden.metrics import qsnr
from quality.harness.settings import Settings, Shard
from quality.models.options import ModelOptions

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from golden.torch import quantize_, uniform  # noqa: E402
from quality.harness.layers import LayerProbe, channel_maxima  # noqa: E402
from quality.harness.probe import decibels, probe_steps, probe_trajectory  # noqa: E402
from quality.harness.run import evaluate  # noqa: E402
from quality.harness.store import read_shard  # noqa: E402
from quality.metrics import psnr  # noqa: E402
from quality.models.subject import Subject, load_subject  # noqa: E402

SEED = 3


@pytest.fixture
def settings(checkpoint: Path, tmp_path: Path) -> Settings:
    """Return a run of seven images in three batches."""
    return Settings(
        model=ModelOptions(name=str(checkpoint), steps=2), out=tmp_path / "out", images=7, batch=3,
        probe=2,
    )  # fmt: skip


@pytest.fixture
def subject(settings: Settings) -> Subject:
    """Return the tiny model."""
    return load_subject(settings.model)


@pytest.fixture
def quantized(settings: Settings) -> torch.nn.Module:
    """Return the tiny transformer in MX6."""
    transformer = load_subject(settings.model).transformer
    quantize_(transformer, uniform("mx6"))
    return transformer


def content(folder: Path) -> dict[str, object]:
    """Return everything that a run left, but how long it took and what depends on that."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            found[name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "seconds"}
        elif path.is_file():
            tensors, facts = read_shard(path)
            facts = {k: v for k, v in facts.items() if k not in ("seconds", "sha256")}
            found[name] = (facts, {k: (v.shape, v.tobytes()) for k, v in tensors.items()})
    return found


def run(settings: Settings, policy: str = "mx6", **options) -> list[Path]:
    return evaluate(settings, [policy], [SEED], **options)


class Interrupt:
    """Progress that is interrupted after some shards; it counts them."""

    def __init__(self, after: int | None = None) -> None:
        self.after, self.shards = after, 0

    def __call__(self, done: int, total: int, what: str) -> None:
        self.shards += 1
        assert done == self.shards <= total
        if done == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_run_goes_on_to_the_same_files(settings: Settings, tmp_path: Path):
    whole = replace(settings, out=tmp_path / "whole")
    run(whole, progress=(every := Interrupt()))
    assert every.shards == 8  # three batches and a probe, of the reference and of MX6
    with pytest.raises(KeyboardInterrupt):
        run(settings, progress=Interrupt(after=3))
    run(settings, progress=(rest := Interrupt()))
    assert rest.shards == 5
    assert content(settings.folder) == content(whole.folder)
    run(settings, progress=(nothing := Interrupt()))
    assert nothing.shards == 0


def test_two_processes_leave_the_files_of_one(settings: Settings, tmp_path: Path):
    alone = replace(settings, out=tmp_path / "alone")
    run(alone)
    run(settings, jobs=2)
    assert content(settings.folder) == content(alone.folder)


def test_a_file_cut_short_is_written_again(settings: Settings):
    run(settings)
    before = content(settings.folder)
    shard = settings.folder / Shard("mx6", SEED, False, 3, 3).file
    shard.write_bytes(shard.read_bytes()[:-9])
    run(settings, progress=(again := Interrupt()))
    assert again.shards == 1
    assert content(settings.folder) == before


def test_more_images_keep_the_batches_that_are_there(settings: Settings):
    run(settings)
    run(replace(settings, images=10), progress=(more := Interrupt()))
    assert more.shards == 4  # images 6 to 8 and 9, whose first batch was cut at 7
    (record,) = settings.folder.glob("mx6/*.json")
    assert json.loads(record.read_text())["images"] == 10


def test_other_weights_make_everything_stale(settings: Settings, checkpoint: Path):
    run(settings)
    before = content(settings.folder)
    checkpoint.write_bytes(_with_another_seed(checkpoint))
    run(settings, progress=(again := Interrupt()))
    assert again.shards == 8
    assert content(settings.folder).keys() == before.keys()
    assert content(settings.folder) != before


def test_another_calibration_leaves_the_reference_as_it_is(settings: Settings, tmp_path: Path):
    calibration = tmp_path / "calibration"
    calibration.write_bytes(b"one")
    calibrated = replace(settings, calibration=calibration)
    run(calibrated)
    calibration.write_bytes(b"two")
    run(calibrated, progress=(again := Interrupt()))
    assert again.shards == 4


def test_a_calibration_that_is_not_there_is_missed(settings: Settings):
    with pytest.raises(FileNotFoundError, match="mixdit quality calibrate"):
        run(replace(settings, calibration=Path("nowhere")))


def test_images_do_not_depend_on_how_they_are_batched(subject: Subject):
    together = subject.draw(subject.transformer, SEED, 0, 5)
    apart = [subject.draw(subject.transformer, SEED, first, 1) for first in range(5)]
    assert np.abs(together - np.concatenate(apart)).max() < 1e-5  # GEMMs sum in another order
    assert np.abs(together[1:] - together[:-1]).max() > 0.1
    assert subject.conditions(8, 4) == [8, 9, 0, 1]


def test_a_record_holds_what_its_images_say(settings: Settings):
    reference, mx6 = (json.loads(path.read_text()) for path in run(settings))
    assert (reference["policy"], mx6["policy"]) == ("fp32", "mx6")
    assert "paired" not in reference
    for name, score in mx6["scores"].items():
        assert mx6["paired"][name] == score - reference["scores"][name]
    images = [_images(settings, policy) for policy in ("mx6", "fp32")]
    assert images[0].shape == (7, 32, 32)
    assert mx6["psnr"]["median"] == pytest.approx(np.median(psnr(*images)), abs=1e-3)
    assert mx6["psnr"]["worst"] < mx6["psnr"]["median"]
    assert (mx6["bits"]["activation"], mx6["bits"]["weight"]) == (6, 6)
    assert (reference["bits"]["activation"], reference["bits"]["sites"]) == (32, {})
    assert len(mx6["bits"]["sites"]) == len(mx6["probe"]["layer_qsnr"]) == 2 * 8
    assert min(min(rows) for rows in reference["outliers"].values()) >= 1


@torch.no_grad()
def test_one_step_errors_are_those_at_the_states_of_the_reference(
    subject: Subject, quantized: torch.nn.Module
):
    calls, seen = _trajectory(subject, quantized)
    energies = probe_steps(calls, quantized)
    expected = [qsnr(call.output.numpy(), quantized(**call.arguments)[0].numpy()) for call in calls]
    assert decibels(energies) == pytest.approx(np.array(expected), abs=1e-6)
    assert [call.timestep for call in calls] == sorted(seen["timesteps"], reverse=True)
    assert len(set(seen["timesteps"])) == len(calls) == 2


def test_the_last_state_is_the_image(subject: Subject, quantized: torch.nn.Module):
    _, errors = _trajectory(subject, quantized)
    images = [subject.draw(version, SEED, 0, 2) for version in (subject.transformer, quantized)]
    assert decibels(errors["state"])[-1] == pytest.approx(qsnr(*images), abs=1e-6)
    assert errors["state"].shape == (2, 2)


@torch.no_grad()
def test_a_layer_is_compared_on_the_input_that_the_reference_gives_it(
    subject: Subject, quantized: torch.nn.Module
):
    calls, _ = _trajectory(subject, quantized)
    probe = LayerProbe(subject.transformer, quantized)
    probe_steps(calls, quantized, after=probe.compare(calls))
    measured = dict(zip(probe.sites, decibels(probe.results()["layer"])[1], strict=True))
    name = "transformer_blocks.1.ff.net.2"
    inputs = []
    layer, twin = (model.get_submodule(name) for model in (subject.transformer, quantized))
    handle = layer.register_forward_hook(lambda module, args, output: inputs.append(args[0]))
    calls[1].repeat(subject.transformer)
    handle.remove()
    expected = qsnr(layer(inputs[0]).numpy(), twin(inputs[0]).numpy())
    assert measured[name] == pytest.approx(expected, abs=1e-6)
    assert (probe.results()["layer_bits"] == 6).all()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["qk", "pv"])
def test_attention_products_are_compared_too(
    subject: Subject, quantized: torch.nn.Module, kind: str, monkeypatch: pytest.MonkeyPatch
):
    calls, _ = _trajectory(subject, quantized)
    operands, attention = [], torch.nn.functional.scaled_dot_product_attention

    def spy(query, key, value, **options):
        operands.append((query, key, value))
        return attention(query, key, value, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
        calls[0].repeat(subject.transformer)
    query, key, value = operands[1]  # of block 1
    weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
    a, b = {"qk": (query, key), "pv": (weights, value.mT)}[kind]
    scheme = uniform("mx6")(None)
    expected = qsnr((a @ b.mT).numpy(), (scheme.activation(a) @ scheme.weight(b).mT).numpy())

    before = calls[0].repeat(subject.transformer)
    probe = LayerProbe(subject.transformer, quantized)
    probe_steps(calls, quantized, after=probe.compare(calls))
    measured = dict(zip(probe.sites, decibels(probe.results()["layer"])[0], strict=True))
    assert measured[f"transformer_blocks.1.attn1.{kind}"] == pytest.approx(expected, abs=1e-3)
    assert torch.equal(calls[0].repeat(subject.transformer), before)  # nothing was left behind


@torch.no_grad()
def test_channel_maxima_are_those_of_the_inputs(subject: Subject):
    def draw() -> None:
        subject.draw(subject.transformer, SEED, 0, 2)

    inputs = []
    layer = subject.transformer.transformer_blocks[0].ff.net[2]
    handle = layer.register_forward_hook(lambda module, args, output: inputs.append(args[0]))
    maxima = channel_maxima(subject.transformer, draw)
    handle.remove()
    expected = torch.stack([each.abs().flatten(0, 1).amax(0) for each in inputs])
    assert maxima["transformer_blocks.0.ff.net.2"].tobytes() == expected.numpy().tobytes()
    assert len(maxima) == 2 * 6


def test_counts_below_one_are_refused(settings: Settings):
    with pytest.raises(ValueError, match="probe must be at least 1, not 0"):
        replace(settings, probe=0)


def _trajectory(subject: Subject, quantized: torch.nn.Module) -> tuple[list, dict]:
    draw: Callable = lambda version: subject.draw(version, SEED, 0, 2)  # noqa: E731
    errors, calls = probe_trajectory(subject.transformer, quantized, draw)
    return calls, errors


def _images(settings: Settings, policy: str) -> np.ndarray:
    shards = [shard for shard in settings.shards(policy, SEED) if not shard.is_probe]
    return np.concatenate(
        [read_shard(settings.folder / shard.file)[0]["images"] for shard in shards]
    )


def _with_another_seed(checkpoint: Path) -> bytes:
    """Return the checkpoint with one weight changed."""
    from quality.storage import read_tensors, save_tensors

    tensors, provenance = read_tensors(checkpoint, "")
    name = "transformer_blocks.0.ff.net.2.bias"
    tensors[name] = tensors[name] + np.float16(1)
    del provenance["sha256"]
    other = checkpoint.with_name("other")
    save_tensors(other, tensors, provenance)
    return other.read_bytes()
