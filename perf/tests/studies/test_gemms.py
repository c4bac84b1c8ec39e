"""Cycles of a GEMM on one core, and the beats that it asks for."""

import pytest

from hw.contract.job_codes import JobKind, Output
from perf.rtl.schedule import predict, uniform_job
from perf.studies.system import load_preset
from perf.studies.system.gemms import (
    attention_cycles,
    gemm_cycles,
    settled_groups,
    whole_gemm_cycles,
)
from perf.studies.system.work import beats_per_row

SERVER = load_preset("server")


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
    qk = uniform_job(config, 16, 256, 72, tiles=2, output=Output.MX6)
    pv = uniform_job(config, 16, 72, 256, tiles=2, output=Output.FP16, kind=JobKind.GEMM_PACKED)
    counts = predict(config, [qk, pv] * 8)
    assert attention_cycles(config, 16, 256, 72, 2, False, False) == (
        counts[8].cycles + counts[9].cycles)


@pytest.mark.parametrize("a, b, beats", [
    (0, 0, 5), (1, 0, 10), (0, 1, 10), (1, 1, 20), (0.2, 0, 6), (0.2, 0.2, 8), (0.1, 0, 5)])
def test_beats_of_five_blocks(a, b, beats):
    assert beats_per_row(72, a, b) == beats
