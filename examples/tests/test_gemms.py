"""Precisions, beats and jobs of a prepared GEMM."""

import numpy as np
import pytest

from examples.gemms import Style, prepare
from examples.tests.helpers import TINY_CONFIG, matrices
from hw.outlier_policy import Selection


def beats_one_by_one(gemm, config) -> int:
    """Count beats as the array does: tile by tile, K-block by K-block."""
    count = 0
    for row in range(0, gemm.a.shape[0], config.rows):
        for column in range(0, gemm.b.shape[1], config.cols):
            for block in range(gemm.a.is_mx9.shape[1]):
                a, b = gemm.a.is_mx9[row, block], gemm.b.is_mx9[column, block]
                count += (2 if a else 1) * (2 if b else 1)
    return count


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("shape", [(6, 40, 5), (1, 1, 1), (7, 64, 4), (2, 17, 3)])
def test_beats_are_those_of_every_pair_of_tiles(style, shape):
    gemm = prepare(matrices(*shape), style, 0.3, TINY_CONFIG)
    assert gemm.beats(TINY_CONFIG) == beats_one_by_one(gemm, TINY_CONFIG)


def test_plain_styles_are_one_format_throughout():
    mx6, mx9 = (prepare(matrices(), style, 0.05, TINY_CONFIG) for style in (Style.MX6, Style.MX9))
    assert (mx6.a.format_name, mx6.b.format_name, mx6.work.job.units) == ("MX6", "MX6", 0)
    assert (mx9.a.format_name, mx9.b.format_name, mx9.work.job.units) == ("MX9", "MX9", 3)


def test_mixdit_spends_its_fraction_and_all_four_kinds_of_beat_appear():
    gemm = prepare(matrices(m=200, k=64), Style.MIXDIT, 0.2, TINY_CONFIG)
    tags, column = gemm.a.is_mx9[::2], gemm.b.is_mx9[0]
    assert 0.15 < tags.mean() <= 0.2
    assert column.sum() == 1
    kinds = {(bool(a), bool(b)) for row in tags for a, b in zip(row, column, strict=True)}
    assert len(kinds) == 4
    assert gemm.work.job.selection is Selection.THRESHOLD
    assert gemm.work.job.threshold == np.float32(gemm.threshold).view(np.uint32)


def test_the_weights_of_the_blocks_that_exceed_most_often_are_mx9():
    gemm = prepare(matrices(m=200, k=64), Style.MIXDIT, 0.5, TINY_CONFIG)
    exceeds = gemm.a.is_mx9.sum(axis=0)
    chosen = gemm.b.is_mx9[0]
    assert chosen.sum() == 2
    assert exceeds[chosen].min() >= exceeds[~chosen].max()


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.9, 4), (0.5, 2), (0.26, 2), (1, 4)])
def test_the_weights_fraction_rounds_up(fraction, count):
    gemm = prepare(matrices(k=64), Style.MIXDIT, fraction, TINY_CONFIG)
    assert gemm.b.is_mx9[0].sum() == count


def test_infinities_and_nans_do_not_move_the_threshold():
    clean, dirty = matrices(), matrices()
    clean.activations[1, 2:4] = 0
    dirty.activations[1, 2:4] = np.inf, np.nan
    first, second = (prepare(each, Style.MIXDIT, 0.2, TINY_CONFIG) for each in (clean, dirty))
    assert first.threshold == second.threshold
    assert second.a.nan_blocks == 1


def test_calibration_rows_replace_the_activations():
    from dataclasses import replace

    own = matrices()
    doubled = replace(own, calibration=own.activations * np.float16(2))
    thresholds = [prepare(each, Style.MIXDIT, 0.2, TINY_CONFIG).threshold
                  for each in (own, doubled)]
    assert thresholds[1] == 2 * thresholds[0]
