"""Combinations of jobs: which there are, and what a job tries of them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hw.contract.job_codes import JobKind, Output, Selection
from hw.registers.map import Refusal, StreamFault
from sim_tests.coverage.functional import trying
from sim_tests.coverage.functional.dimensions import DIMENSIONS, bins, bins_of, words
from sim_tests.coverage.functional.observation import observe
from sim_tests.coverage.functional.sampling import sample
from sim_tests.fuzz import command as fuzz
from simulation.machines import TINY
from simulation.works.random_works import make_work

BINS = set(bins())


def work_of(kind: JobKind, **choices):
    return make_work(TINY, np.random.default_rng(1), 4, 5, 32, kind=kind, **choices)


@pytest.mark.parametrize("content", [b"", b'{"version": "', b"\x94"])
def test_what_was_tried_and_cannot_be_read_is_tried_again(tmp_path, content):
    path = tmp_path / "functional.json"
    path.write_bytes(content)
    assert trying.read(path) == trying.Tried()


def test_no_combination_has_what_its_kind_does_not_look_at():
    for each in BINS:
        values = dict(each)
        for name in set(values) - {"kind", "refused"}:
            assert JobKind[values["kind"]] in DIMENSIONS[name].kinds, words(each)
    assert (("kind", "CONVERT"), ("output", "FP32")) not in BINS
    assert (("kind", "GEMM"), ("selection", "HEAD"), ("precision", "both")) not in BINS
    assert sum(each[0][0] == "refused" for each in BINS) == len(Refusal) - 1


@pytest.mark.parametrize("kind", JobKind)
def test_what_a_job_tries_is_among_the_combinations(kind):
    seen = observe(TINY, work_of(kind))
    assert set(seen) == {"kind", *(name for name, each in DIMENSIONS.items() if kind in each.kinds)}
    tried = list(bins_of(seen))
    assert len(tried) == len(set(tried)) > 10 and set(tried) <= BINS


def test_a_job_is_seen_as_it_is():
    work = work_of(JobKind.GEMM, weights="mx9", selection=Selection.HEAD, units=1, bias=True,
                   output=Output.MX6, order=True, tiles=1, float_format="fp16")
    seen = observe(TINY, work, faults=StreamFault.WEIGHT_KEEP, stall="sink", end="aborted")
    assert seen == {
        "kind": "GEMM", "format": "fp16", "precision": "MX9", "weights": "MX9", "rows": "whole",
        "columns": "ragged", "channels": "whole", "tiles": "one", "output": "MX6", "bias": "yes",
        "order": "yes", "measure": "no", "selection": "HEAD", "special": "no", "stall": "sink",
        "act_fault": "none", "weight_fault": "WEIGHT_KEEP", "end": "aborted"}
    bits = work.activations.copy()
    bits[0, 0] = 0x7C00  # infinity
    assert observe(TINY, replace(work, activations=bits))["special"] == "yes"
    work = make_work(TINY, np.random.default_rng(1), 4, 4, 20, kind=JobKind.CONVERT,
                     selection=Selection.TOP, units=0)
    assert observe(TINY, work)["precision"] == "MX6"


@pytest.mark.xdist_group("poisoned_4x4")
def test_random_jobs_try_combinations():
    tried = sample(fuzz.build("4x4"), "4x4", 60, 1)
    assert set(tried) <= BINS
    ends = {dict(each)["end"] for each in tried if each[1:] and each[-1][0] == "end"}
    assert ends == {"done", "aborted"}
    refused = {each[0][1] for each in tried if each[0][0] == "refused"}
    assert {"DRAINING", "ORDER_DOUBLE"} <= refused
    assert {kind.name for kind in JobKind} <= {each[0][1] for each in tried}


def test_trying_goes_on_where_it_ended(tmp_path, monkeypatch):
    every, seeds = sorted(BINS), []

    def first_half_then_rest(library, name, jobs, seed):
        seeds.append((name, seed))
        return Counter(every[: len(every) // 2] if len(seeds) == 1 else every[len(every) // 2 :])

    monkeypatch.setattr(trying, "sample", first_half_then_rest)
    monkeypatch.setattr(trying.fuzz, "build", lambda name: None)
    path, shown = tmp_path / "tried.json", []
    tried = trying.try_all(path, trying.PER_SIMULATION, shown.append)
    assert tried.simulations == 1 and len(tried.empty()) == len(BINS) - len(BINS) // 2
    tried = trying.try_all(path, 10 * trying.PER_SIMULATION, shown.append)
    assert tried.simulations == 2 and not tried.empty()
    assert seeds == [("3x5", 1), ("4x4", 2)]
    monkeypatch.setattr(trying, "version", lambda: "other")
    assert trying.read(path).simulations == 0
