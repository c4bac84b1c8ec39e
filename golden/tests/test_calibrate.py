"""Channel orders, thresholds and static tags from a calibration set."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from golden.calibrate import channel_order, static_tags
from golden.policy import Policy, select_units, unit_magnitudes
from golden.tests.helpers import activations, assert_same_codes


@pytest.mark.parametrize("granularity", ["channel_block", "block"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.21, 1.0])
def test_a_calibrated_threshold_keeps_the_share(granularity, fraction):
    samples = [activations(seed, rows=16 + seed) for seed in range(4)]
    policy = Policy(fraction, granularity=granularity, tile_rows=4)
    threshold = golden.calibrate_threshold(samples, policy)
    chosen = replace(policy, selection="threshold", threshold=threshold)
    units = [select_units(unit_magnitudes(x, granularity, 4), chosen).ravel() for x in samples]
    units = np.concatenate(units)
    assert np.count_nonzero(units) == policy.count(units.size)  # no two are equal here


def test_a_calibrated_threshold_gives_way_to_ties():
    x = np.ones((1, 160), np.float32)
    x[0, 0] = 3
    threshold = golden.calibrate_threshold([x], Policy(0.5))
    chosen = Policy(0.5, selection="threshold", threshold=threshold)
    assert golden.apply_policy(x, chosen).is_mx9.sum() == 1


def test_calibrated_order_gathers_outlier_channels():
    samples = [activations(0), activations(0) * np.float32(0.5)]
    order = channel_order(samples)
    largest = np.abs(samples[0]).max(axis=0)
    assert np.all(np.diff(largest[order]) <= 0)
    policy = Policy(0.08, order="calibrated", permutation=order)
    x = samples[0]
    natural = golden.apply_policy(x, Policy(0.08))
    sorted_ = golden.apply_policy(x, policy)
    assert sorted_.is_mx9[0].tolist() == [True] + [False] * 12
    assert_same_codes(golden.apply_policy(x[:, order], Policy(0.08)), sorted_)
    assert golden.qsnr(x[:, order], sorted_.dequantize()) > golden.qsnr(x, natural.dequantize())
    assert channel_order([np.array([[1, -2, 2, 1]], np.float32)]).tolist() == [1, 2, 0, 3]


def test_the_weight_follows_the_order_of_the_channels():
    x = activations()
    w = np.random.default_rng(3).standard_normal((200, 12)).astype(np.float32)
    policy = Policy(0.2, order="calibrated", permutation=channel_order([x]))
    tags = static_tags([x], policy)
    assert tags.tolist() == [True, True] + [False] * 11
    b = golden.quantize_weight(w, tags, policy)
    assert b.shape == (200, 12) and np.all(b.is_mx9 == tags)
    permuted = golden.quantize_weight(w[policy.permutation], tags, Policy(0.2))
    assert_same_codes(b, permuted)
    product = golden.gemm(golden.apply_policy(x, policy), b)
    assert golden.qsnr(x @ w, product) > 20


def test_recorded_maxima_give_the_order_and_the_tags_of_the_samples():
    samples = [activations(0), activations(7) * np.float32(0.5)]
    recorded = [np.abs(x).max(axis=0).view(np.uint32) for x in samples]
    order = channel_order(samples)
    assert golden.channel_order_from_maxima(recorded).tolist() == order.tolist()
    alone = golden.channel_order_from_maxima(recorded[0])
    assert alone.tolist() == channel_order(samples[:1]).tolist()
    for policy in (
        Policy(0.2, tile_rows=4),
        Policy(0.2, order="calibrated", permutation=golden.spread_lanes(order)),
    ):
        tags = static_tags(samples, policy)
        assert golden.static_tags_from_maxima(recorded, policy).tolist() == tags.tolist()
        both = np.maximum(*recorded)
        assert golden.static_tags_from_maxima(both, policy).tolist() == tags.tolist()


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "holds an infinity or a NaN",
            lambda: golden.channel_order_from_maxima(np.array([1, 0x7F800000])),
        ),
        ("calibration set is empty", lambda: channel_order([])),
        ("calibration set is empty", lambda: golden.calibrate_threshold([], Policy())),
        (
            "one sample has 200 channels, another 100",
            lambda: channel_order([activations(), activations(k=100)]),
        ),
        (
            "sample 1 holds an infinity or a NaN",
            lambda: golden.calibrate_threshold(
                [activations(), activations() * np.float32(np.inf)], Policy()
            ),
        ),
        (
            "same number of units",
            lambda: static_tags([activations(), activations(k=100)], Policy()),
        ),
    ],
)
def test_bad_input_gets_a_sentence(message, call):
    with pytest.raises(ValueError, match=message):
        call()
