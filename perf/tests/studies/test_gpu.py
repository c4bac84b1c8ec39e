"""Rooflines and calibrations against arithmetic by hand."""

from dataclasses import replace

import pytest

from perf.studies.dacapo import DaCapo
from perf.studies.gpu import (
    A100,
    L40,
    MEASUREMENTS,
    OTHER_MODEL,
    RTX_3090,
    Precision,
    calibrated_efficiency,
    efficiency,
    gemm_time,
    model_seconds,
    same_gpu_efficiency,
)
from perf.workloads import Gemm, GemmKind, load_models

MODELS = load_models()
SQUARE = Gemm("square", GemmKind.LINEAR, 4096, 4096, 4096)
THIN = Gemm("thin", GemmKind.LINEAR, 2, 1152, 6912)


def test_a_large_gemm_is_bound_by_arithmetic() -> None:
    time = gemm_time(RTX_3090, SQUARE)
    assert time.seconds == pytest.approx(2 * 4096**3 / 71e12)  # 1.936 ms
    assert time.memory == pytest.approx(3 * 4096**2 * 2 / 936e9)  # 0.108 ms
    assert not time.is_memory_bound


def test_a_thin_gemm_is_bound_by_its_weights() -> None:
    time = gemm_time(RTX_3090, THIN)
    assert time.seconds == pytest.approx(2 * (2 * 1152 + 1152 * 6912 + 2 * 6912) / 936e9)
    assert time.is_memory_bound
    assert time.compute == pytest.approx(2 * 2 * 1152 * 6912 / 71e12)


def test_the_ridge_lies_where_both_bounds_meet() -> None:
    """M N K / (M K + K N + M N) = 71e12 / 936e9 operations per byte: a cube of side 227.6."""
    below, above = (Gemm("cube", GemmKind.LINEAR, side, side, side) for side in (227, 228))
    assert gemm_time(RTX_3090, below).is_memory_bound
    assert not gemm_time(RTX_3090, above).is_memory_bound


def test_int8_is_four_times_as_fast_and_half_as_wide() -> None:
    fp16, int8 = (gemm_time(RTX_3090, SQUARE, each) for each in (Precision.FP16, Precision.INT8))
    assert int8.compute == pytest.approx(2 * 4096**3 / 284e12)
    assert int8.memory == pytest.approx(fp16.memory / 2)


def test_int8_of_linear_layers_leaves_attention_alone() -> None:
    for kind in GemmKind:
        gemm = replace(SQUARE, kind=kind)
        same_as = Precision.INT8 if kind is GemmKind.LINEAR else Precision.FP16
        assert gemm_time(RTX_3090, gemm, Precision.INT8_LINEAR) == gemm_time(
            RTX_3090, gemm, same_as)


def test_scores_of_attention_stay_on_chip() -> None:
    qk = Gemm("qk", GemmKind.QK, 4096, 72, 1024, count=32)
    pv = Gemm("pv", GemmKind.PV, 4096, 1024, 72, count=32)
    q_and_k, v_and_out = 32 * (4096 + 1024) * 72, 32 * (1024 + 4096) * 72
    assert gemm_time(RTX_3090, qk).memory == pytest.approx(2 * q_and_k / 936e9)
    assert gemm_time(RTX_3090, pv).memory == pytest.approx(2 * v_and_out / 936e9)


def test_shared_activations_are_read_once() -> None:
    sharing = replace(THIN, shares="another")
    saved = gemm_time(RTX_3090, THIN).memory - gemm_time(RTX_3090, sharing).memory
    assert saved == pytest.approx(2 * 2 * 1152 / 936e9)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_its_arithmetic_and_little_more(name: str) -> None:
    """Only the layers of two rows, one per sample, are bound by memory: up to 9 % of DiT-256."""
    model = MODELS[name]
    arithmetic = 2 * model.macs / 71e12
    assert arithmetic < model_seconds(RTX_3090, model) < 1.09 * arithmetic


def test_a_model_is_the_sum_of_its_layers() -> None:
    model = MODELS["sd3-1024"]
    outside, full, last = (
        sum(gemm_time(RTX_3090, gemm).seconds for gemm in block.gemms) for block in model.blocks)
    assert model_seconds(RTX_3090, model) == pytest.approx(outside + 23 * full + last)


def test_efficiency_divides() -> None:
    model = MODELS["dit-256"]
    assert model_seconds(RTX_3090, model, efficiency=0.25) == pytest.approx(
        4 * model_seconds(RTX_3090, model))


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01])
def test_an_impossible_efficiency_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="efficiency must be above 0"):
        model_seconds(RTX_3090, MODELS["dit-256"], efficiency=share)


def test_the_efficiency_of_sd3_on_an_l40_by_hand() -> None:
    """20 steps of two samples of 4452.17 GMAC in 3.59 s on 181.05 TFLOPS."""
    measurement, = (each for each in MEASUREMENTS if each.gpu is L40 and each.compiled)
    arithmetic = 20 * 2 * 2 * 4452.168769536e9 / 181.05e12 / 3.59
    found = efficiency(measurement, MODELS, whole_pipeline=False)
    assert arithmetic < found < 1.02 * arithmetic
    rest = 2 * (MODELS["sd3-1024"].encoder_macs + MODELS["sd3-1024"].decoder_macs) / 181.05e12
    assert efficiency(measurement, MODELS) == pytest.approx(found + rest / 3.59)


def test_the_kindest_efficiency_is_used() -> None:
    found = {each: efficiency(each, MODELS) for each in MEASUREMENTS}
    best = max(found, key=found.__getitem__)
    assert (best.gpu, best.model, best.compiled) == (L40, "sd3-1024", True)
    assert calibrated_efficiency(MODELS) == found[best]
    assert all(0.3 < share < 0.6 for share in found.values())


def test_compiling_helps_everywhere() -> None:
    pairs = {(each.gpu, each.model): {} for each in MEASUREMENTS}
    for each in MEASUREMENTS:
        pairs[each.gpu, each.model][each.compiled] = efficiency(each, MODELS)
    assert all(found[True] > found[False] for found in pairs.values())


def test_the_efficiency_of_the_3090_itself_by_hand() -> None:
    """16 images, two samples each, of 401.6 GMAC, 1.93 times a second on 71 TFLOPS."""
    assert same_gpu_efficiency() == pytest.approx(2 * 401.6e9 * 32 * 1.93 / 71e12, rel=1e-3)
    assert same_gpu_efficiency() > max(
        each.efficiency for each in OTHER_MODEL if each.gpu is A100)


def test_dacapo_as_published() -> None:
    """16 x 16 engines: 64 MX6 products of 16 elements per cycle, 32 billion a second."""
    gemm = Gemm("big", GemmKind.LINEAR, 1024, 1024, 1024)
    seconds = 1024 * 1024 * 64 / 32e9
    assert DaCapo().gemm_seconds(gemm) == pytest.approx(seconds)
    assert DaCapo().gemm_seconds(gemm, mx9=1) == pytest.approx(4 * seconds)
    assert DaCapo().gemm_seconds(gemm, mx9=0.05) == pytest.approx(1.15 * seconds)


def test_dacapo_pays_for_a_block_that_is_not_full() -> None:
    full, ragged = (Gemm("qk", GemmKind.QK, 1024, k, 1024) for k in (80, 72))
    assert DaCapo().gemm_seconds(full) == DaCapo().gemm_seconds(ragged)


def test_dacapo_is_bound_by_memory_where_weights_are_used_once() -> None:
    weights = 1152 * 6912
    assert DaCapo(engines=1 << 20).gemm_seconds(THIN) == pytest.approx(weights * 6 / 8 / 204.8e9)
    assert DaCapo(engines=1 << 20).gemm_seconds(THIN, mx9=1) == pytest.approx(
        weights * 9 / 8 / 204.8e9)


def dacapo_bytes(gemm: Gemm, engines: int) -> float:
    """Count what passes through DRAM: the time, where a second moves one byte."""
    return DaCapo(engines, clock=1e12, bandwidth=1).gemm_seconds(gemm)


def test_dacapo_keeps_the_activations_that_fit_its_memory() -> None:
    """512 x 96 elements of 16 bits are 96 KiB, the published machine's SRAM."""
    fits, larger = (Gemm("linear", GemmKind.LINEAR, rows, 96, 512) for rows in (512, 513))
    # Results are wider than 96: they move.
    assert dacapo_bytes(fits, 256) == 512 * 96 * 6 / 8 + 512 * 512 * 2
    assert dacapo_bytes(larger, 256) == (513 + 512) * 96 * 6 / 8 + 513 * 512 * 2
    assert dacapo_bytes(replace(larger, shares="other"), 256) == 512 * 96 * 6 / 8 + 513 * 512 * 2
    assert dacapo_bytes(larger, 4096) == 512 * 96 * 6 / 8


def test_dacapo_moves_scores_where_those_of_16_queries_do_not_fit() -> None:
    """Of 4,096 tokens they have 128 KiB in FP16; Q, K, V and the output 512 KiB each."""
    qk = Gemm("qk", GemmKind.QK, 4096, 64, 4096, 2)
    pv = Gemm("pv", GemmKind.PV, 4096, 4096, 64, 2)
    scores, others = 2 * 4096 * 4096, 2 * 4096 * 64
    assert dacapo_bytes(qk, 256) == 2 * others * 6 / 8 + scores * 2
    assert dacapo_bytes(pv, 256) == (scores + others) * 6 / 8 + others * 2
    assert dacapo_bytes(qk, 512) == 2 * others * 6 / 8
    assert dacapo_bytes(pv, 512) == others * 6 / 8 + others * 2
    # 1 MiB holds all of two heads' Q.
    assert dacapo_bytes(qk, 4096) < 1 and dacapo_bytes(pv, 4096) < 1


def test_dacapo_scales_by_bits_of_partial_products() -> None:
    assert DaCapo.with_multipliers(1024) == DaCapo()
    assert DaCapo.with_multipliers(8 * 8 * 16, clock=1e9, bandwidth=1e12) == DaCapo(256, 1e9, 1e12)


def test_dacapo_separates_attention_from_linear_layers() -> None:
    model = MODELS["dit-512"]
    machine = DaCapo(bandwidth=1e15)
    pure = machine.model_seconds(model)
    share = sum(block.count * machine.gemm_seconds(gemm) for block in model.blocks
                for gemm in block.gemms if gemm.kind is not GemmKind.LINEAR) / pure
    mixed = machine.model_seconds(model, linear_mx9=0.05, attention_mx9=0.2)
    assert mixed / pure == pytest.approx(1 + 3 * (0.05 * (1 - share) + 0.2 * share))


@pytest.mark.parametrize("multipliers", [0, -4, 6])
def test_dacapo_comes_in_whole_engines(multipliers: int) -> None:
    with pytest.raises(ValueError, match="positive multiple of 4"):
        DaCapo.with_multipliers(multipliers)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        DaCapo().gemm_seconds(SQUARE, share)
