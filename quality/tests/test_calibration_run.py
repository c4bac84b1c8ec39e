"""A whole calibration, of a model of two narrow blocks."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import quality.calibration.run as running  # noqa: E402
from commands.tests.calling import call  # noqa: E402
from golden.formats import MX6  # noqa: E402
from golden.torch import Clock, fake_quantize, quantize_  # noqa: E402
from quality.calibration.record import load_calibration  # noqa: E402
from quality.calibration.run import Settings, calibrate  # noqa: E402
from quality.model import load_model  # noqa: E402
from quality.models.options import ModelOptions  # noqa: E402
from quality.policies import NAMES, build  # noqa: E402


@pytest.fixture
def settings(checkpoint):
    return Settings(model=ModelOptions(name=str(checkpoint), steps=3), images=4)


def quiet(done: int, total: int, what: str) -> None:
    pass


def contents(calibration):
    """All arrays of a calibration, by name."""
    found = {"timesteps": calibration.timesteps}
    for name, record in calibration.operands.items():
        found |= {f"{name}.{key}": value for key, value in vars(record).items()}
    for name, record in calibration.weights.items():
        found |= {f"{name}.{key}": value for key, value in vars(record).items()}
    return found


def test_an_interrupted_calibration_goes_on_to_the_same_result(settings, tmp_path, monkeypatch):
    whole = contents(calibrate(settings, tmp_path / "whole.notes", quiet))
    measure, measured = running.operand_noise, []

    def interrupted(model, operand, *rest):
        measured.append(operand.name)
        if len(measured) == 5:
            raise KeyboardInterrupt
        return measure(model, operand, *rest)

    monkeypatch.setattr(running, "operand_noise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calibrate(settings, tmp_path / "x.notes", quiet)
    resumed = contents(calibrate(settings, tmp_path / "x.notes", quiet))
    assert len(measured) - 1 == len(set(measured))  # only what was interrupted came twice
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        assert np.array_equal(resumed[name], value), name
    assert not (tmp_path / "x.notes").exists()


def test_what_is_measured_fits_the_model(settings, tmp_path):
    found = calibrate(settings, tmp_path / "x.notes", quiet)
    block = [f"transformer_blocks.{number}." for number in range(2)]
    inputs = ("attn1.to_q.a", "attn1.to_out.0.a", "ff.net.0.proj.a", "ff.net.2.a")
    products = ("attn1.qk.a", "attn1.qk.b", "attn1.pv.a", "attn1.pv.b")
    assert set(found.operands) == {each + name for each in block for name in inputs + products}
    assert len(found.weights) == 12
    rows = 8 * 16  # 4 images with and without label, 16 tokens
    for name, record in found.operands.items():
        units = 2 if name.endswith(("qk.a", "qk.b", "pv.a", "pv.b")) else record.noise.shape[1]
        assert record.noise.shape == (3, units)
        assert np.all(record.noise >= 0) and np.all(record.noise.sum(axis=1) > 0)
        assert record.threshold.shape == (3,) and np.all(record.threshold > 0)
    shared = found.operands["transformer_blocks.0.attn1.to_q.a"]
    assert shared.elements == 3 * rows * 16
    assert found.operands["transformer_blocks.0.attn1.pv.a"].elements == rows * 16
    assert np.all(np.diff(found.timesteps) < 0)


def test_noise_is_what_rounding_that_operand_does_to_the_output(settings, tmp_path):
    found = calibrate(settings, tmp_path / "x.notes", quiet)
    model, calls = running._trajectory(settings)
    layer = model.transformer_blocks[1].ff.net[2]
    record = found.operands["transformer_blocks.1.ff.net.2.a"]
    back = np.argsort(record.order)
    hook = layer.register_forward_pre_hook(
        lambda _, inputs: (fake_quantize(inputs[0][..., record.order], MX6)[..., back],)
    )
    with torch.no_grad():
        output = calls[2].repeat(model)
    hook.remove()
    expected = (output - calls[2].output).square().sum() / calls[2].output.square().sum()
    assert record.noise[2].sum() == pytest.approx(float(expected), rel=1e-4)


def test_the_command_writes_a_file_that_every_policy_reads(checkpoint, tmp_path):
    path = tmp_path / "calibration.safetensors"
    result = call(
        "quality", "calibrate", "--model", checkpoint, "--steps", 2, "--images", 2,
        "--output", path, "--threads", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "16 operands and 12 weights, 2 steps" in result.output
    assert load_calibration(path).provenance["images"] == 2
    for name in NAMES:
        model, _ = load_model(checkpoint)
        clock = Clock()
        quantize_(model, build(name, model, path, clock), clock=clock) if name != "fp32" else None


def test_a_model_that_is_not_there_is_one_sentence(tmp_path):

    missing = str(tmp_path / "none.safetensors")
    result = call("quality", "calibrate", "--model", missing, "--output", tmp_path / "x")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_another_seed_measures_anew(settings):
    assert settings.record() != replace(settings, seed=101).record()
