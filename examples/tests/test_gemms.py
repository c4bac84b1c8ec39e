"""Precisions, beats and jobs of a prepared GEMM."""

from dataclasses import replace

import numpy as np
import pytest

import golden
from examples.gemms import Order, Style, alternate_tables, prepare
from examples.tests.helpers import TINY_CONFIG, matrices
from golden.lanes import conflicts
from hw.contract.config import Config
from hw.contract.job_codes import Selection


def beats_one_by_one(gemm, config) -> int:
    """Count beats as the array does: tile by tile, K-block by K-block."""
    count = 0
    for row in range(0, gemm.a.shape[0], config.rows):
        for column in range(0, gemm.b.shape[1], config.cols):
            for block in range(gemm.a.is_mx9.shape[1]):
                a, b = gemm.a.is_mx9[row, block], gemm.b.is_mx9[column, block]
                count += (2 if a else 1) * (2 if b else 1)
    return count


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("shape", [(6, 40, 5), (1, 1, 1), (7, 64, 4), (2, 17, 3)])
def test_beats_are_those_of_every_pair_of_tiles(style, shape, order):
    gemm = prepare(matrices(*shape), style, 0.3, TINY_CONFIG, order)
    assert gemm.beats(TINY_CONFIG) == beats_one_by_one(gemm, TINY_CONFIG)


def test_plain_styles_are_one_format_throughout_in_natural_order():
    mx6, mx9 = (prepare(matrices(), style, 0.05, TINY_CONFIG, Order.CALIBRATED)
                for style in (Style.MX6, Style.MX9))
    assert not mx6.work.uses_table
    assert not mx9.work.uses_table
    assert (mx6.a.format_name, mx6.b.format_name, mx6.work.job.units) == ("MX6", "MX6", 0)
    assert (mx9.a.format_name, mx9.b.format_name, mx9.work.job.units) == ("MX9", "MX9", 3)
    # By a threshold, a NaN would be an outlier: it exceeds every one.
    assert mx6.work.job.selection == mx9.work.job.selection == Selection.TOP


@pytest.mark.parametrize(("order", "kinds_of_beat"), [
    (Order.NATURAL, 4), (Order.CALIBRATED, 3)])  # sorted, all outliers are in the same K-block
def test_mixdit_spends_its_fraction_and_many_kinds_of_beat_appear(order, kinds_of_beat):
    gemm = prepare(matrices(m=200, k=64), Style.MIXDIT, 0.2, TINY_CONFIG, order)
    tags, column = gemm.a.is_mx9[::2], gemm.b.is_mx9[0]
    assert 0.15 < tags.mean() <= 0.2
    assert column.sum() == 1
    kinds = {(bool(a), bool(b)) for row in tags for a, b in zip(row, column, strict=True)}
    assert len(kinds) == kinds_of_beat
    assert gemm.work.job.selection is Selection.THRESHOLD
    assert gemm.work.job.threshold == np.float32(gemm.threshold).view(np.uint32)


@pytest.mark.parametrize("order", Order)
def test_the_weights_of_the_blocks_that_exceed_most_often_are_mx9(order):
    gemm = prepare(matrices(m=200, k=64), Style.MIXDIT, 0.5, TINY_CONFIG, order)
    exceeds = gemm.a.is_mx9.sum(axis=0)
    chosen = gemm.b.is_mx9[0]
    assert chosen.sum() == 2
    assert exceeds[chosen].min() >= exceeds[~chosen].max()


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.9, 4), (0.5, 2), (0.26, 2), (1, 4)])
def test_the_weights_fraction_rounds_up(fraction, count):
    gemm = prepare(matrices(k=64), Style.MIXDIT, fraction, TINY_CONFIG)
    assert gemm.b.is_mx9[0].sum() == count


def test_the_largest_channels_share_the_first_block_and_none_waits_for_a_lane():
    own = matrices(m=200, k=72)
    gemm = prepare(own, Style.MIXDIT, 0.2, TINY_CONFIG, Order.CALIBRATED)
    largest = np.argsort(-np.abs(own.activations).max(axis=0), kind="stable")
    assert conflicts(largest) > 0
    assert conflicts(gemm.work.order) == 0
    for first in range(0, 72, 16):
        block = slice(first, first + 16)
        assert sorted(gemm.work.order[block]) == sorted(largest[block])
    assert gemm.work.job.reorder is True


def test_both_operands_follow_the_order_and_the_product_stays():
    own = matrices(m=50)
    gemm = prepare(own, Style.MIXDIT, 1, TINY_CONFIG, Order.CALIBRATED)
    assert golden.qsnr(own.activations[:, gemm.work.order], gemm.a.dequantize()) > 30
    assert golden.qsnr(own.weights[gemm.work.order], gemm.b.dequantize()) > 30
    assert golden.qsnr(own.reference(), gemm.expected(TINY_CONFIG).view("f4")) > 30


def test_outliers_that_are_sorted_together_need_fewer_blocks():
    own = matrices(m=200, k=64)  # four large channels, one in each K-block
    natural, calibrated = (
        prepare(own, Style.MIXDIT, 0.3, TINY_CONFIG, order) for order in Order)
    qsnr = [golden.qsnr(own.reference(), gemm.expected(TINY_CONFIG).view("f4"))
            for gemm in (natural, calibrated)]
    assert qsnr[1] > qsnr[0] + 3
    assert calibrated.threshold < natural.threshold


def test_gemms_back_to_back_alternate_tables_where_their_orders_differ():
    first, second, third = (
        prepare(matrices(seed=seed), Style.MIXDIT, 0.2, TINY_CONFIG, Order.CALIBRATED)
        for seed in (1, 2, 3))
    again = prepare(matrices(seed=1, n=9), Style.MIXDIT, 0.2, TINY_CONFIG, Order.CALIBRATED)
    plain = prepare(matrices(), Style.MX9, 0.2, TINY_CONFIG)
    row = [first, again, plain, first, second, second, third, plain]
    tables = [gemm.work.job.table for gemm in alternate_tables(row, TINY_CONFIG)]
    assert tables == [0, 0, 0, 0, 1, 1, 0, 0]
    single = Config.sized(rows=2, cols=2, k_max=64, tables=1)
    assert {gemm.work.job.table for gemm in alternate_tables(row, single)} == {0}


@pytest.mark.parametrize("order", Order)
def test_infinities_and_nans_move_neither_the_threshold_nor_the_order(order):
    clean, dirty = matrices(), matrices()
    clean.activations[1, 2:4] = 0
    dirty.activations[1, 2:4] = np.inf, np.nan
    first, second = (prepare(each, Style.MIXDIT, 0.2, TINY_CONFIG, order)
                     for each in (clean, dirty))
    assert first.threshold == second.threshold
    assert np.array_equal(first.work.order, second.work.order)
    order = np.arange(40) if second.work.order is None else second.work.order
    assert second.a.nan_blocks == len(set(np.flatnonzero(np.isin(order, (2, 3))) // 16))


def test_an_order_that_is_given_replaces_the_one_of_the_rows():
    order = np.random.default_rng(5).permutation(40)
    gemm = prepare(replace(matrices(), order=order), Style.MIXDIT, 0.2, TINY_CONFIG,
                   Order.CALIBRATED)
    assert np.array_equal(gemm.work.order, order)
    natural = prepare(replace(matrices(), order=order), Style.MIXDIT, 0.2, TINY_CONFIG)
    assert natural.work.order is None


def test_calibration_rows_replace_the_activations():
    own = matrices()
    doubled = replace(own, calibration=own.activations * np.float16(2))
    thresholds = [prepare(each, Style.MIXDIT, 0.2, TINY_CONFIG).threshold
                  for each in (own, doubled)]
    assert thresholds[1] == 2 * thresholds[0]
    turned = replace(own, calibration=own.activations[:, ::-1])
    orders = [prepare(each, Style.MIXDIT, 0.2, TINY_CONFIG, Order.CALIBRATED).work.order
              for each in (own, turned)]
    assert sorted(orders[1][:16]) == sorted(39 - orders[0][:16])
