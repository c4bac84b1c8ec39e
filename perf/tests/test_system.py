"""Whole models on machines: hand-computed cases, conservation, monotony, and the targets."""

from dataclasses import replace
from math import inf, isclose, nan

import pytest

from golden.formats import BLOCK_SIZE
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import emit
from hw.memories import memories
from perf.gpu import RTX_3090, calibrated_efficiency, model_seconds, same_gpu_efficiency
from perf.schedule import predict, uniform_job
from perf.system import (
    POLICIES,
    Bound,
    compare,
    load_preset,
    make_preset,
    preset_names,
    run_model,
    silicon,
)
from perf.system.attention import divide_attention
from perf.system.gates import (
    ARRAY,
    NORMALIZER,
    WHOLE,
    core_gates,
    measured,
    speed_factor,
)
from perf.system.gemms import (
    attention_cycles,
    conversion_cycles,
    gemm_cycles,
    settled_groups,
    whole_gemm_cycles,
)
from perf.system.layers import Layer, LayerKind, layers_of
from perf.system.pipeline import Step, idle_seconds
from perf.system.policy import Policy
from perf.system.silicon import core_memories
from perf.system.work import beats_per_row, divide_linear, packed_bytes
from perf.vector_ops import VectorKind, VectorOp
from perf.workloads import Gemm, Kind, load_models

MODELS = load_models()
SERVER = load_preset("server")
SMALL = make_preset({"name": "small", "rows": 4, "cols": 4, "k_max": 256, "cores": 4,
                     "weight_bytes": 64, "drain_lanes": 16, "act_depth": 128, "weight_depth": 64})


def linear(m: int, n: int, k: int, samples: int = 1) -> Layer:
    gemm = Gemm("layer", Kind.LINEAR, m, k, n, bias=True)
    return Layer("block", "layer", LayerKind.LINEAR, 1, (gemm,), (), samples)


def attention(heads: int, rows: int, tokens: int, channels: int) -> Layer:
    return Layer("block", "attention", LayerKind.ATTENTION, 1, (
        Gemm("qk", Kind.QK, rows, channels, tokens, heads),
        Gemm("pv", Kind.PV, rows, tokens, channels, heads)), (), 1)


# Presets and policies


def test_every_preset_loads_and_is_named_after_its_file():
    assert {"edge", "server", "tiny"} <= set(preset_names())
    for name in preset_names():
        preset = load_preset(name)
        assert preset.name == name and preset.title


def test_a_changed_preset_has_a_changed_core():
    wide = replace(SERVER, cols=32, drain_lanes=32)
    assert wide.config.cols == 32 and wide.multipliers == 2 * SERVER.multipliers
    assert SERVER.peak_macs_per_s == 16 * 8 * 16 * 128 * 0.9e9


@pytest.mark.parametrize("text, sentence", [
    ("cores = ", "is not TOML"),
    ("lanes = 3", "a machine has no lanes, but only"),
    ("cores = 0", "cores must be above 0, not 0"),
    ("cores = 1.5", "cores must be a whole number"),
    ("dram_bytes_per_s = nan", "dram_bytes_per_s must be above 0, not nan"),
    ("tiles = 64", "tiles must be 1 to tile_slots=32"),
    ('split = "rows"', "split must be auto or tokens or columns, not 'rows'"),
    ("score_bytes = -1", "score_bytes must not be below 0"),
    ("rows = 8\ndrain_lanes = 5", "drain_lanes must be cols=8 times a power of two"),
    ('rows = "8"', "rows must be a number, not '8'"),
    ("rows = 0", "rows must be above 0"),
    ("drain_lanes = 8.5", "drain_lanes must be a whole number"),
    ("cores = true", "cores must be a number, not True"),
])
def test_an_impossible_preset_is_refused_with_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_preset(path)
    assert str(caught.value).startswith("mine.toml")


def test_a_missing_preset_names_those_that_exist():
    with pytest.raises(ValueError, match=r"no preset 'nil'.*edge.*server.*tiny"):
        load_preset("nil")


def test_auto_leaves_a_choice_open(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('tiles = "auto"\nweight_bytes = "auto"\nsplit = "auto"')
    assert load_preset(path).tiles is None and load_preset(path).config.weight_bytes == 32


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="mx6 or mixdit or mixdit-both or mx9, not 'fp16'"):
        run_model(SERVER, MODELS["dit-256"], "fp16")
    with pytest.raises(ValueError, match="linear_acts must be a share from 0 to 1"):
        Policy("p", "P", 1.5, 0, 0, 0)


# Layers


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_layers_keep_every_mac_and_every_vector_operation(model):
    layers = layers_of(model)
    assert sum(layer.count * layer.macs for layer in layers) == model.macs
    assert sum(layer.count * layer.vector_operations for layer in layers) == sum(
        block.count * op.operations for block in model.blocks for op in block.vector_ops)
    assert all(not layer.residual_elements or layer.kind is not LayerKind.ATTENTION
               for layer in layers)


def test_gemms_of_the_same_activations_are_one_layer():
    layer = next(each for each in layers_of(MODELS["dit-256"]) if "to_q" in each.name)
    assert (layer.rows, layer.columns, layer.depth, layer.samples) == (256, 3 * 1152, 1152, 2)


# Cycles


def test_a_compute_bound_gemm_takes_its_beats():
    # 32 token tiles x 72 column tiles x (72 K-blocks + 3 of them in MX9).
    assert gemm_cycles(SERVER.config, 256, 1152, 1152, 4, 0.05, 0.0) == 32 * 72 * 75


@pytest.mark.parametrize("tiles", [2, 4, 8])
@pytest.mark.parametrize("n, k", [(144, 1152), (72, 72), (20, 16), (288, 300)])
def test_groups_that_are_not_followed_take_as_long_as_those_that_are(n, k, tiles):
    m = 8 * tiles * (settled_groups(SERVER.config, tiles) + 5) + 3
    shares = (0.05, 0.05, k == 1152)
    assert gemm_cycles(SERVER.config, m, n, k, tiles, *shares) == whole_gemm_cycles(
        SERVER.config, m, n, k, tiles, *shares)


def test_scores_and_output_alternate_as_the_schedule_has_it():
    config = SERVER.config
    qk = uniform_job(config, 16, 256, 72, tiles=2, output=1)
    pv = uniform_job(config, 16, 72, 256, tiles=2, output=1)
    counts = predict(config, [qk, pv] * 8)
    assert attention_cycles(config, 16, 256, 72, 2, False, False) == (
        counts[8].cycles + counts[9].cycles)


@pytest.mark.parametrize("a, b, beats", [
    (0, 0, 5), (1, 0, 10), (0, 1, 10), (1, 1, 20), (0.2, 0, 6), (0.2, 0.2, 8), (0.1, 0, 5)])
def test_beats_of_five_blocks(a, b, beats):
    assert beats_per_row(72, a, b) == beats


# Division over cores


def test_a_linear_layer_over_tokens_by_hand():
    # 64 rows over 4 cores are 4 tiles of 4 rows each, by 8 column tiles, by 8 blocks.
    work = divide_linear(replace(SMALL, split="tokens", tiles=4), linear(64, 32, 128),
                         POLICIES["mx6"], False)
    assert work.cycles == 4 * 8 * 8 and work.groups == 1
    assert work.beats == 64 * 32 * 8 == work.cycles * 4 * 16
    assert work.traffic.activations == 2 * 64 * 128 and work.traffic.results == 2 * 64 * 32
    assert work.traffic.weights == 32 * 8 * 12 + 4 * 32
    assert work.least_bytes == work.traffic.total


def test_fewer_resident_tiles_stream_weights_more_often():
    preset = replace(SMALL, split="tokens")
    once, twice = (divide_linear(replace(preset, tiles=tiles), linear(64, 16, 32),
                                 POLICIES["mx6"], False) for tiles in (4, 2))
    assert twice.traffic.weights == 2 * once.traffic.weights
    assert twice.least_bytes == once.least_bytes
    assert twice.traffic.activations == once.traffic.activations


def test_columns_over_cores_stream_weights_per_group_of_all_tokens():
    work = divide_linear(replace(SMALL, split="columns", tiles=4), linear(64, 16, 32),
                         POLICIES["mx6"], False)
    assert work.groups == 4 and work.traffic.weights == 4 * (16 * 2 * 12 + 4 * 16)


def test_the_best_grid_is_no_slower_than_either_split():
    layer = linear(256, 1152, 1152)
    cycles = {split: divide_linear(replace(SERVER, split=split), layer, POLICIES["mixdit"],
                                   True).cycles for split in ("auto", "tokens", "columns")}
    assert cycles["auto"] < cycles["tokens"] and cycles["auto"] < cycles["columns"]


def test_samples_take_turns_and_what_stays_on_chip_moves_nothing():
    one, two = (divide_linear(SMALL, linear(64 * samples, 16, 32, samples), POLICIES["mx6"], True)
                for samples in (1, 2))
    assert two.cycles == 2 * one.cycles and two.traffic.weights == 2 * one.traffic.weights
    assert two.least_bytes == one.least_bytes == one.traffic.weights / one.groups
    assert one.traffic.activations == one.traffic.results == 0


def test_residuals_are_read_once():
    plain = linear(64, 16, 32)
    added = replace(plain, vector_ops=(VectorOp("", VectorKind.GATE_ADD, 64 * 16, 16, 1),))
    bytes_of = [divide_linear(SMALL, layer, POLICIES["mx6"], False).traffic.total
                for layer in (plain, added)]
    assert bytes_of[1] - bytes_of[0] == 2 * 64 * 16


def test_packed_weights_take_12_or_18_bytes_per_block():
    assert packed_bytes(10, 72, 0) == 10 * 5 * 12
    assert packed_bytes(10, 72, 1) == 10 * 5 * 18
    assert packed_bytes(10, 72, 0.2) == 10 * (5 * 12 + 6)


def test_attention_bytes_by_hand_with_and_without_memories():
    layer = attention(4, 32, 48, 16)
    roomy = replace(SMALL, score_bytes=1 << 16, shared_bytes=1 << 20)
    bare = replace(roomy, score_bytes=0, shared_bytes=0)
    packed = 4 * (48 * 1 * 12 + 16 * 3 * 12)
    inside = divide_attention(roomy, layer, POLICIES["mx6"], False)
    assert inside.traffic.weights == 0
    assert inside.traffic.conversions == 2 * 4 * 2 * 48 * 16
    assert inside.traffic.activations == inside.traffic.results == 2 * 4 * 32 * 16
    outside = divide_attention(bare, layer, POLICIES["mx6"], False)
    scores = 2 * 4 * 32 * 48
    assert outside.traffic.results - inside.traffic.results == 2 * scores
    assert outside.traffic.activations - inside.traffic.activations == 2 * scores
    assert outside.traffic.conversions - inside.traffic.conversions == packed
    assert outside.traffic.weights % packed == 0 and outside.traffic.weights > 0
    assert inside.least_bytes == outside.least_bytes == inside.traffic.total


def test_a_fifth_of_the_heads_costs_a_fifth_of_the_beats():
    layer = attention(10, 32, 64, 16)
    beats = {name: divide_attention(SMALL, layer, policy, True).beats
             for name, policy in POLICIES.items()}
    assert beats["mx6"] == 10 * 32 * 64 * (1 + BLOCK_SIZE * 4 // 64)
    assert beats["mixdit"] * 10 == beats["mx6"] * 12
    assert beats["mixdit-both"] * 10 == beats["mx6"] * 16
    assert beats["mx9"] == 4 * beats["mx6"]


def test_heads_in_mx9_go_to_the_cores_that_have_least_to_do():
    # Alone on a core: 7 heads in MX6 and 1 in MX9 on 4 groups of cores, 2 heads each.
    layer = attention(8, 4, 64, 16)
    preset = replace(SMALL, score_bytes=1 << 16, shared_bytes=1 << 20, tiles=1)
    work = divide_attention(preset, layer, Policy("one", "One", 0, 0, 0.125, 0), True)
    conversion, alone = conversion_cycles(SMALL.config, 64, 16, False), [
        attention_cycles(SMALL.config, 4, 64, 16, 1, mx9, False) for mx9 in (False, True)]
    assert work.division.startswith("4 heads x 1")
    assert alone[1] > alone[0] and work.conversions == 2 * conversion
    assert work.cycles == sum(alone) + 2 * conversion


def test_attention_needs_room_for_its_tokens():
    with pytest.raises(ValueError, match="300 tokens, which is more than k_max=256"):
        divide_attention(SMALL, attention(1, 4, 300, 16), POLICIES["mx6"], True)


# Samples that take turns


def test_one_sample_waits_for_all_of_its_results():
    steps = [Step(3.0, 1.0), Step(2.0, 0.5)]
    assert idle_seconds(steps, 1, True) == pytest.approx([1.0, 0.5])
    assert idle_seconds(steps, 1, False) == pytest.approx([1.0, 0.5])


def test_two_samples_hide_what_the_other_takes():
    # While one of them waits 1, the other runs 3 or 2.
    assert idle_seconds([Step(3.0, 1.0), Step(2.0, 1.0)], 2, True) == pytest.approx([0, 0])
    # Only once does the first block wait, since nothing runs before.
    assert idle_seconds([Step(3.0, 1.0)], 2, False) == pytest.approx([1.0])
    # A wait of 5 minus the other's 2 remains.
    assert idle_seconds([Step(2.0, 5.0)], 2, True) == pytest.approx([3.0])


def test_rows_that_are_ready_early_hide_the_rest():
    assert idle_seconds([Step(4.0, 2.0, usable=0.5)], 1, True) == pytest.approx([0.0])
    assert idle_seconds([Step(4.0, 3.0, usable=0.5)], 1, True) == pytest.approx([1.0])


# Whole models


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


def test_few_lanes_make_attention_wait_for_its_softmax():
    slow = run_model(replace(SERVER, vector_lanes=1000), MODELS["pixart-1024"])
    assert all(layer.bound is Bound.VECTOR for layer in slow.layers if layer.kind == "attention")


def test_the_server_reaches_its_targets(runs):
    estimate = silicon(SERVER)
    assert estimate.area <= RTX_3090.area / 4
    for name in MODELS:
        run, mx6 = runs[name, "mixdit"], runs[name, "mx6"]
        compared = compare(run, estimate=estimate)
        assert compared.perfect >= 2.10 and compared.calibrated >= 5.32, name
        assert compared.same_gpu >= 5.32, name
        assert run.roofline_ratio <= 1.10, name
        assert run.step_seconds <= 1.08 * mx6.step_seconds, name


# Comparison and silicon


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


def test_gates_of_the_measured_accelerator_are_those_measured():
    config = Config.sized(rows=4, cols=4)
    units = {ARRAY: 64_000.0, NORMALIZER: 1_000.0, WHOLE: 300_000.0}
    assert sum(core_gates(config, units).values()) == pytest.approx(300_000)
    assert core_gates(config, units)["array"] == 16_000


def test_measured_gates_come_from_the_report(tmp_path):
    path = tmp_path / "figures.json"
    path.write_text('{"units": {"normalizer": {"gate_equivalents": 7.0}, "cell, cell_stages=1": '
                    '{"gate_equivalents": 4.0, "fastest": {"gate_equivalents": 5.0}}}}')
    assert measured(path)[NORMALIZER] == 7.0 and speed_factor(path) == 1.25


@pytest.mark.parametrize("config", [
    Config.sized(rows=4, cols=4, k_max=1152, float_formats=("fp16",)),
    Config.sized(rows=2, cols=16, k_max=512, float_formats=("fp16", "fp32"))])
def test_memories_are_those_of_the_verilog(config):
    listed = sum(each.bits for each in memories(emit(Accelerator(config), "mixdit")))
    assert 0.95 <= sum(core_memories(config).values()) / listed <= 1


def test_area_by_hand():
    bare = replace(SERVER, score_bytes=0, shared_bytes=0)
    extra = silicon(replace(bare, shared_bytes=10**6)).area - silicon(bare).area
    assert extra == pytest.approx(8e6 * 0.040 / 0.60 * 1e-6)
    assert silicon(SERVER).sram_bits["scores"] == 8 * 128 * SERVER.score_bytes
    assert silicon(SERVER).sram_bits["shared"] == 8 * SERVER.shared_bytes
    lanes = silicon(replace(bare, vector_lanes=2 * bare.vector_lanes))
    assert lanes.sram_area == silicon(bare).sram_area
    assert lanes.gates["vector lanes"] == 2 * silicon(bare).gates["vector lanes"]
    assert silicon(replace(bare, cores=64)).gates["array"] * 2 == silicon(bare).gates["array"]


def test_numbers_that_are_none_are_refused():
    for value in (nan, -inf, 0):
        with pytest.raises(ValueError, match="clock_hz must be above 0"):
            replace(SERVER, clock_hz=value)
