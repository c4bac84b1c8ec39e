"""The registry of policies, and what its best one keeps of the small model's output."""

import copy
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

import golden  # noqa: E402
from golden.torch import (  # noqa: E402
    Clock,
    MXScheme,
    QuantizedLinear,
    find_sites,
    load_quantized,
    quantize_,
    save_quantized,
)
from quality.calibration.budget import SHARE  # noqa: E402
from quality.calibration.record import CALIBRATION, load_calibration  # noqa: E402
from quality.harness.calls import recorded  # noqa: E402
from quality.harness.command import parse_policies  # noqa: E402
from quality.harness.meters import mean_widths, read_meters  # noqa: E402
from quality.harness.probe import decibels, probe_steps  # noqa: E402
from quality.model import load_model  # noqa: E402
from quality.models.identity import CHECKPOINT  # noqa: E402
from quality.models.options import ModelOptions  # noqa: E402
from quality.models.subject import load_subject  # noqa: E402
from quality.policies import FORMATS, NAMES, build  # noqa: E402
from quality.policies.budgeted import best_tags, random_tags  # noqa: E402
from quality.policies.timed import by_timestep  # noqa: E402

HELD_OUT_SEED = 7
BUDGET = 6.5


@pytest.fixture(scope="module")
def study():
    """The small model, and its evaluations for two images that were not calibrated on."""
    subject = load_subject(ModelOptions())
    with recorded(subject.transformer) as calls:
        subject.draw(subject.transformer, HELD_OUT_SEED, 0, 2)
    return subject.transformer, calls


@pytest.fixture(scope="module")
def calibration():
    return load_calibration(CALIBRATION)


def quantized(model, name):
    model, clock = copy.deepcopy(model), Clock()
    quantize_(model, build(name, model, CALIBRATION, clock), clock=clock)
    return model


@pytest.fixture(scope="module")
def results(study):
    """By policy: pooled one-step QSNR, mean bits of activations and of weights."""
    model, calls = study
    found = {}
    for name in ("mx6", "mixdit", "mixdit_order", "best", "random", "rounded"):
        candidate = quantized(model, name)
        qsnr = decibels(probe_steps(calls, candidate).sum(0))
        found[name] = (qsnr, *mean_widths(read_meters(candidate)))
    return found


def test_every_name_makes_a_policy_that_the_model_takes(study):
    model, calls = study
    for name in (*NAMES, *FORMATS):
        if name == "fp32":
            continue
        candidate = quantized(model, name)
        output = calls[0].repeat(candidate)
        assert torch.isfinite(output).all(), name
        assert not torch.equal(output, calls[0].output), name


WIDTHS = {"mxfp8_e4m3": 8.25, "mxfp8_e5m2": 8.25, "mxint8": 8.25, "mxfp6_e2m3": 6.25,
          "mxfp6_e3m2": 6.25, "mxfp4": 4.25, "nvfp4": 4.5}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_quantizes_every_site_at_its_width(study, name):
    model, calls = study
    candidate = quantized(model, name)
    calls[0].repeat(candidate)
    counts = read_meters(candidate)
    assert set(counts) == {site.name for site in find_sites(model)}
    for count in counts.values():  # every K of this model is a whole number of blocks
        for width in (count.a_width, count.b_width):
            assert WIDTHS[name] <= width < WIDTHS[name] + 0.01
            assert name == "nvfp4" or width == WIDTHS[name]


def test_formats_are_judged_only_when_they_are_asked_for():
    groups = {"all": NAMES, "formats": tuple(FORMATS)}
    assert parse_policies(["all"], groups) == list(NAMES)
    assert parse_policies(["mxfp4, mx6", "mx6"], groups) == ["mxfp4", "mx6"]
    assert parse_policies(["mx6,formats"], groups) == ["mx6", *FORMATS]
    assert parse_policies(["all", "formats"], groups) == [*NAMES, *FORMATS]
    assert not set(NAMES) & set(FORMATS)
    with pytest.raises(ValueError, match=r"no policy 'mxfp5'; .*, nvfp4 and, for many, all and"):
        parse_policies(["mxfp5"], groups)


def test_fp32_leaves_every_site_alone(study):
    assert build("fp32", study[0], CALIBRATION, Clock())(None) is None


def test_the_best_policy_keeps_to_the_budget(results):
    _, activations, weights = results["best"]
    assert BUDGET - 0.01 < activations <= BUDGET
    assert BUDGET - 0.01 < weights <= BUDGET


def test_the_best_policy_is_far_above_mx6_and_above_its_controls(results):
    qsnr = {name: result[0] for name, result in results.items()}
    assert qsnr["best"] > qsnr["mx6"] + 8
    assert qsnr["best"] > qsnr["random"] + 5
    assert qsnr["random"] > qsnr["rounded"] > qsnr["mx6"] + 1


def test_an_order_helps_mixdit_at_the_same_share(results):
    assert results["mixdit_order"][0] > results["mixdit"][0] + 0.5
    assert results["mixdit_order"][1] == pytest.approx(results["mixdit"][1], abs=0.02)
    assert results["mixdit"][2] == 6


@pytest.mark.parametrize(
    ("name", "key"), [("mixdit", "threshold"), ("mixdit_order", "ordered_threshold")]
)
def test_mixdit_takes_each_steps_threshold_for_its_order(study, calibration, name, key):
    model = quantized(study[0], name)
    for site in calibration.inputs:
        ranges = model.get_submodule(site).scheme.ranges
        found = [scheme.a.threshold for _, scheme in ranges]
        expected = getattr(calibration.input_of(site), key)[::-1]  # limits rise, timesteps fall
        assert found == expected.tolist()


def test_the_control_spends_as_much_as_the_best_policy(calibration):
    costs = {name: record.elements for name, record in calibration.operands.items()}
    total = sum(record.noise.size * costs[name] for name, record in calibration.operands.items())
    spent = [
        sum(chosen.sum() * costs[name] for name, chosen in tags(calibration, SHARE).items())
        for tags in (best_tags, random_tags)
    ]
    for each in spent:
        assert SHARE * total - max(costs.values()) < each <= SHARE * total


def test_the_calibration_is_of_the_committed_checkpoint(calibration):
    _, provenance = load_model(CHECKPOINT)
    assert calibration.provenance["model"]["weights_sha256"] == provenance["sha256"]
    assert len(calibration.timesteps) == calibration.provenance["model"]["steps"]


def test_a_layer_holds_the_rounded_weight_to_the_bit(study, calibration):
    model = quantized(study[0], "best")
    for site, weight in calibration.weights.items():
        layer = model.get_submodule(site)
        assert isinstance(layer, QuantizedLinear)
        order = calibration.input_of(site).order
        assert np.array_equal(layer.weight.numpy(), weight.values[:, order])
        assert np.array_equal(layer.codes.dequantize(), weight.values[:, order])


def test_the_exact_mode_multiplies_the_rounded_weight(study, calibration):
    model, _ = study
    site = "transformer_blocks.3.ff.net.0.proj"
    layer = quantized(model, "best").get_submodule(site)
    x = torch.randn(1, 16, 128, generator=torch.Generator().manual_seed(0))
    scheme = layer.scheme.ranges[4][1]
    expected = golden.gemm(
        golden.apply_policy(x[0].numpy(), scheme.a),
        golden.quantize_weight(
            calibration.weights[site].values.T, calibration.weights[site].outliers, scheme.b
        ),
    )
    original = model.get_submodule(site).weight
    assert np.array_equal(scheme.exact(x, original)[0].numpy(), expected)


@torch.no_grad()
def test_the_best_policy_is_saved_and_loaded_to_the_bit(study, tmp_path):
    model, calls = study
    candidate = quantized(model, "best")
    save_quantized(tmp_path / "best.safetensors", candidate)
    again = copy.deepcopy(model)
    load_quantized(tmp_path / "best.safetensors", again)
    for call in (calls[0], calls[-1]):
        assert torch.equal(call.repeat(again), call.repeat(candidate))


@pytest.mark.parametrize(
    ("timestep", "step"), [(2000, 0), (900, 0), (501, 0), (499, 1), (100, 1), (0, 1)]
)
def test_a_timestep_is_served_by_the_nearest_calibrated_one(timestep, step):
    clock = Clock()
    schemes = [MXScheme("MX6", "MX6"), MXScheme("MX9", "MX6")]
    scheme = by_timestep(clock, np.array([900.0, 100.0]), lambda index: schemes[index])
    clock.timestep = timestep
    assert scheme.current is schemes[step]


def test_a_timestep_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        by_timestep(Clock(), np.array([5.0, 5.0]), lambda _: MXScheme("MX6", "MX6"))


def test_an_unknown_name_is_refused(study):
    with pytest.raises(ValueError, match="there is no policy 'mx5'"):
        build("mx5", study[0], CALIBRATION, Clock())


def test_a_missing_calibration_is_refused_in_a_sentence(study, tmp_path):
    make = partial(build, "best", study[0], tmp_path / "none.safetensors", Clock())
    with pytest.raises(FileNotFoundError, match="mixdit quality calibrate"):
        make()


def test_a_calibration_of_another_model_is_refused(checkpoint):
    model, _ = load_model(checkpoint)
    with pytest.raises(ValueError, match="another model"):
        quantized(model, "best")
