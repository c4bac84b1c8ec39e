"""Whole models on a machine: conservation, monotony, the targets, and the rivals."""

from dataclasses import replace
from math import isclose

import pytest

from golden.formats import BLOCK_SIZE
from perf.studies.gpu import RTX_3090, calibrated_efficiency, model_seconds, same_gpu_efficiency
from perf.studies.system import POLICIES, Bound, compare, load_preset, run_model, silicon
from perf.workloads import load_models

MODELS = load_models()
SERVER = load_preset("server")


@pytest.fixture(scope="module")
def runs():
    return {(model, policy): run_model(SERVER, MODELS[model], policy)
            for model in MODELS for policy in POLICIES}


def test_runs_conserve_macs_beats_and_bytes(runs):
    for (name, policy), run in runs.items():
        assert run.macs == MODELS[name].macs
        assert isclose(run.energy.dram_bytes, run.traffic.total)
        for layer in run.layers:
            assert BLOCK_SIZE * layer.beats >= layer.macs
            assert layer.cycles * SERVER.rows * SERVER.cols * SERVER.cores >= layer.beats
            assert layer.memory >= layer.least_memory and layer.compute >= layer.least_compute
            assert layer.utilisation <= 1 and layer.exposed >= 0
            assert policy != "mx9" or layer.beats % 4 == 0
        assert run.step_seconds >= run.roofline_seconds
        assert isclose(sum(run.seconds_by_bound().values()), run.step_seconds)
        assert 0 < run.vector_hidden_seconds <= run.vector_seconds
        assert run.images[20] * 5 == pytest.approx(run.images[100])
        assert run.image_seconds() == run.images[MODELS[name].steps]


def test_mx9_takes_four_times_the_beats_of_mx6(runs):
    for name in MODELS:
        mx6, mx9 = (sum(layer.count * layer.beats for layer in runs[name, policy].layers)
                    for policy in ("mx6", "mx9"))
        assert mx9 == 4 * mx6


@pytest.mark.parametrize("model", ["dit-256", "pixart-1024"])
@pytest.mark.parametrize("field, factor", [
    ("dram_bytes_per_s", 1.5), ("vector_lanes", 2), ("clock_hz", 1.25), ("cores", 2),
    ("turnaround_s", 0.5)])
def test_more_of_anything_is_never_slower(runs, model, field, factor):
    value = getattr(SERVER, field)
    better = replace(SERVER, **{field: type(value)(value * factor)})
    assert run_model(better, MODELS[model]).step_seconds <= runs[model, "mixdit"].step_seconds


def test_little_bandwidth_makes_every_layer_wait_for_memory():
    slow = run_model(replace(SERVER, dram_bytes_per_s=1e9), MODELS["dit-512"])
    assert {layer.bound for layer in slow.layers} == {Bound.MEMORY}
    assert slow.step_seconds == pytest.approx(slow.traffic.total / 1e9, rel=0.01)


def test_few_lanes_make_attention_wait_for_its_output():
    """Of 256 tokens: 72 numbers of a head's row take as many cycles in one lane per core."""
    slow = run_model(replace(SERVER, vector_lanes=1), MODELS["dit-256"])
    assert all(layer.bound is Bound.VECTOR for layer in slow.layers if layer.kind == "attention")


SLOWER = {"dit-512", "pixart-1024", "sd3-1024"}
"""Models of which the server misses a target: they take more than 1.10 times its own roofline."""


def test_the_server_reaches_its_targets_but_the_one_that_docs_name(runs):
    estimate = silicon(SERVER)
    assert estimate.area <= RTX_3090.area / 4
    for name in MODELS:
        run, mx6 = runs[name, "mixdit"], runs[name, "mx6"]
        compared = compare(run, estimate=estimate)
        assert compared.perfect >= 2.10 and compared.calibrated >= 5.32, name
        assert compared.same_gpu >= 5.32, name
        assert (run.roofline_ratio <= 1.10) == (name not in SLOWER), name
        assert run.step_seconds <= 1.08 * mx6.step_seconds, name


def test_comparison_divides_by_the_run(runs):
    run = runs["sd3-1024", "mixdit"]
    compared = compare(run)
    perfect = model_seconds(RTX_3090, run.model) / run.step_seconds
    assert compared.perfect == perfect
    assert compared.calibrated == pytest.approx(
        model_seconds(RTX_3090, run.model, efficiency=calibrated_efficiency()) / run.step_seconds)
    assert compared.same_gpu == pytest.approx(perfect / same_gpu_efficiency())
    assert compared.int8 < compared.int8_linear < compared.perfect
    assert compared.area == silicon(SERVER).area
    assert compared.perfect_per_area == pytest.approx(perfect * 628.4 / compared.area)
