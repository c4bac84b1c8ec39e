"""Layers of a model, and how cores divide each: cycles and bytes by hand."""

from dataclasses import replace

import pytest

from golden.formats import BLOCK_SIZE
from perf.studies.system import POLICIES, load_preset, make_preset
from perf.studies.system.attention import divide_attention
from perf.studies.system.gemms import attention_cycles, conversion_cycles
from perf.studies.system.layers import Layer, LayerKind, layers_of
from perf.studies.system.precision_shares import PrecisionShares
from perf.studies.system.work import divide_linear, packed_bytes
from perf.workloads import Gemm, GemmKind, load_models
from perf.workloads.vector_ops import VectorKind, VectorOp

MODELS = load_models()
SERVER = load_preset("server")
SMALL = make_preset({"name": "small", "rows": 4, "cols": 4, "k_max": 256, "cores": 4,
                     "weight_bytes": 64, "drain_lanes": 16, "act_depth": 128, "weight_depth": 64})


def linear(m: int, n: int, k: int, samples: int = 1) -> Layer:
    gemm = Gemm("layer", GemmKind.LINEAR, m, k, n, bias=True)
    return Layer("block", "layer", LayerKind.LINEAR, 1, (gemm,), (), samples)


def attention(heads: int, rows: int, tokens: int, channels: int) -> Layer:
    return Layer("block", "attention", LayerKind.ATTENTION, 1, (
        Gemm("qk", GemmKind.QK, rows, channels, tokens, heads),
        Gemm("pv", GemmKind.PV, rows, tokens, channels, heads)), (), 1)


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
    powers = 4 * 32 * 3 * 12  # P in MX6, once there and once back
    assert outside.traffic.results - inside.traffic.results == powers
    assert outside.traffic.activations - inside.traffic.activations == powers
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
    work = divide_attention(preset, layer, PrecisionShares("one", "One", 0, 0, 0.125, 0), True)
    conversion, alone = conversion_cycles(SMALL.config, 64, 16, False), [
        attention_cycles(SMALL.config, 4, 64, 16, 1, mx9, False) for mx9 in (False, True)]
    assert work.division.startswith("4 heads x 1")
    assert alone[1] > alone[0] and work.conversions == 2 * conversion
    assert work.cycles == sum(alone) + 2 * conversion


def test_attention_needs_room_for_its_tokens():
    with pytest.raises(ValueError, match="300 tokens, which is more than k_max=256"):
        divide_attention(SMALL, attention(1, 4, 300, 16), POLICIES["mx6"], True)
