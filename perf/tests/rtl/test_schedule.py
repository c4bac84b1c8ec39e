"""The schedule against the Verilog, against itself, and faults that are planted in it."""

import json
from dataclasses import replace
from importlib import import_module
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from commands.environment import seed
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.packet_order import resident_tiles
from perf.rtl import checked_runs
from perf.rtl.check import conclude
from perf.rtl.checked_jobs import draw_groups, order_cycles
from perf.rtl.checked_runs import Compared, compare, simulate
from perf.rtl.schedule import ScheduledJob, predict, uniform_job
from perf.rtl.schedule.chain import Chain, Paces
from perf.rtl.schedule.loading import Cutter
from perf.rtl.schedule.results import Results
from sim_tests.fuzz import command as fuzz
from simulation.machines import MATRIX, ODD, TINY
from simulation.works.random_works import make_work

JOBS = 20
EDGE = Config.sized(rows=8, cols=8, k_max=1152, act_depth=1152, drain_lanes=16)

pytestmark = pytest.mark.xdist_group("poisoned_4x4")  # whose model is built once


@pytest.fixture(scope="module")
def ran():
    """Run a few jobs on the smallest machine: the groups, and what was counted.

    Random jobs, and a group that every counter counts something of.
    """
    rng = np.random.default_rng(seed())
    ones = np.ones((12, 64), np.float32)
    groups = [[
        make_work(TINY, rng, 12, 8, 64, activations=ones, selection=Selection.HEAD, units=1),
        make_work(TINY, rng, 4, 80, 64, weights="mx9"),
        make_work(TINY, rng, 40, 80, 16, weights="mx6", output=Output.MX6, units=0),
    ], [
        make_work(TINY, rng, 12, 8, 64, selection=Selection.HEAD, units=0),
    ], *draw_groups(TINY, rng, JOBS - 4)]
    with pytest.MonkeyPatch.context() as patch:  # the model that other tests build too
        patch.setattr(checked_runs, "build", lambda *_, **__: fuzz.build("4x4"))
        return groups, simulate("4x4", TINY, groups)


def outcome_of(compared: list[Compared], folder) -> tuple[int, str, dict]:
    """Conclude; return the exit code, what was printed, and the report."""
    console = Console(file=StringIO(), width=200)
    code = conclude(console, compared, folder)
    return code, console.file.getvalue(), json.loads((folder / "report.json").read_text())


def test_every_counter_of_simulated_jobs_is_predicted(ran, tmp_path):
    compared = compare("4x4", TINY, *ran)
    code, printed, report = outcome_of(compared, tmp_path)
    assert code == 0, printed
    assert report["passed"] and report["jobs"] == JOBS and report["unread"] < JOBS / 2
    assert [row["counter"] for row in report["counters"]] == [
        "cycles", "beats", "skipped", "act_stalls", "weight_stalls", "result_stalls"]
    for row in report["counters"]:
        assert row["exact"] == row["jobs"] == JOBS - report["unread"]
        assert row["counted in all"] > 0, f"no job says anything about {row['counter']}"


def test_too_few_jobs_prove_nothing(ran, tmp_path):
    console = Console(file=StringIO(), width=200)
    assert conclude(console, compare("4x4", TINY, *ran), tmp_path, least=JOBS + 1) == 1
    assert f"of {JOBS + 1} at least" in console.file.getvalue()


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("module, constant", [
    ("array", "WALKED"), ("tiles", "TILE_KNOWN"), ("weights", "CHUNK_KNOWN"), ("rooms", "QUEUED"),
    ("stage", "SEARCH_START"), ("tiles", "TAG_QUEUED"), ("tiles", "STORED"),
    ("results", "NARROWED")])
def test_a_latency_that_is_off_by_one_is_found(ran, tmp_path, monkeypatch, module, constant, off):
    target = import_module(f"perf.rtl.schedule.{module}")
    monkeypatch.setattr(target, constant, getattr(target, constant) + off)
    code, printed, report = outcome_of(compare("4x4", TINY, *ran), tmp_path)
    assert code == 1 and not report["passed"]
    assert report["different"] and "counted less predicted" in printed


def random_job(config: Config, rng: np.random.Generator) -> ScheduledJob:
    """Draw a job of any kind, large enough that its tiles settle into a rhythm."""
    k = int(rng.integers(1, config.k_max + 1))
    kind = list(JobKind)[rng.integers(len(JobKind))]
    m, n = (int(size) for size in rng.integers(1, 300, 2))
    blocks, lines = -(-k // BLOCK_SIZE), -(-(n if kind.converts else m) // (
        config.cols if kind.converts else config.rows))
    most = resident_tiles(config, m, k)
    formats, choices = config.float_formats, config.outputs
    reorders = kind in (JobKind.GEMM, JobKind.CONVERT) and rng.random() < 0.5
    untagged = kind is JobKind.GEMM and rng.random() < 0.5
    return ScheduledJob(
        kind=kind, m=1 if kind.converts else m, n=n, k=k, tiles=int(rng.integers(1, most + 1)),
        float_format=formats[rng.integers(len(formats))],
        output=Output.FP32 if kind.converts else choices[rng.integers(len(choices))],
        bias=bool(rng.integers(2)), searches=bool(rng.integers(2)),
        untagged=untagged, act_mx9=rng.random((lines, blocks)) < (0 if untagged else rng.random()),
        weight_mx9=rng.random((-(-n // config.cols), blocks)) < rng.random(),
        order_cycles=tuple(rng.integers(1, 4, blocks).tolist()) if reorders else None)


@pytest.mark.parametrize("config", [TINY, ODD, EDGE, MATRIX["2x32"], MATRIX["16x2"]],
                         ids=["4x4", "3x5", "8x8", "2x32", "16x2"])
def test_sums_over_passes_and_rows_equal_their_steps(config, monkeypatch):
    rng = np.random.default_rng(seed())
    queues = [[random_job(config, rng) for _ in range(4)] for _ in range(8)]
    quick = [predict(config, queue) for queue in queues]
    monkeypatch.setattr(Results, "flow", False)
    monkeypatch.setattr(Cutter, "is_steady", staticmethod(lambda before, after: False))
    assert [predict(config, queue) for queue in queues] == quick


@pytest.mark.parametrize("registers", [2, 3, 4, 6])
def test_a_chain_is_its_recurrence(registers):
    rng = np.random.default_rng(seed())
    for _ in range(50):
        row = rng.integers(1, 4, rng.integers(1, 8)).tolist()
        stops = np.cumsum(rng.integers(1, 30, 6)).tolist()
        gates = dict(zip([0, *stops], rng.integers(0, 400, 6).tolist(), strict=False))
        cut, left, arrived = [0], [0], [-1] * (registers + 1)
        for block in range(stops[-1]):
            cut.append(max(cut[-1] + row[block % len(row)], left[-1] + 1))
            left.append(max(cut[-1], arrived[-registers - 1] + 1))
            arrived.append(max(arrived[-1] + 1, left[-1] + registers, gates.get(block, -1)))
        chain = Chain(registers)
        chain.wait(0)
        for first, last in pairwise([0, *stops]):
            chain.run(Paces(row), first, last, gates[first])
        assert (chain.cut, chain.before_cut) == (cut[-1], cut[-2])
        assert (chain.left, chain.before_left, chain.arrived) == (left[-1], left[-2], arrived[-1])


def test_a_layer_that_computes_more_than_it_loads_takes_its_beats():
    job = uniform_job(EDGE, 128, 768, 1152, act_share=0.05, weight_share=0.05, reorder=True)
    first, between, _ = predict(EDGE, [job] * 3)
    passes = (128 // 8) * (768 // 8)
    assert between.beats == passes * (72 + 3 + 3 + 3)
    assert between.cycles == between.beats
    assert first.cycles > between.cycles and first.act_stalls > 0 == between.act_stalls


def test_residuals_that_are_zero_are_skipped():
    job = replace(uniform_job(EDGE, 64, 64, 320, act_share=0.5, weight_share=0.25),
                  act_residual=np.zeros((1, 20), np.bool_))
    counts = predict(EDGE, [job])[0]
    assert counts.beats == 64 * (20 + 5)
    assert counts.skipped == 64 * (10 + 5)


def test_conflicts_are_the_fullest_lane_of_each_arriving_block():
    assert order_cycles(np.arange(40), EDGE) == (1, 1, 1)
    transposed = np.arange(256).reshape(16, 16).T.reshape(-1)  # channel 16 i + j goes to 16 j + i
    assert order_cycles(transposed, EDGE) == (16,) * 16
    assert order_cycles(np.arange(40), ODD) == (4, 4, 2)  # four elements per beat


def test_without_starts_the_queue_never_runs_empty():
    job = uniform_job(EDGE, 64, 256, 256)
    counts = predict(EDGE, [job] * 6)
    ends = np.cumsum([each.cycles for each in counts])
    starts = [0, 1, 2, 3, *(ends[:2] + 1)]
    explicit = [replace(job, start=int(start)) for start in starts]
    assert predict(EDGE, explicit) == counts


def test_a_start_while_the_queue_is_full_is_refused():
    job = uniform_job(EDGE, 64, 256, 256)
    with pytest.raises(ValueError, match="4 jobs are under way until"):
        predict(EDGE, [replace(job, start=index) for index in range(5)])


@pytest.mark.parametrize("fields, sentence", [
    ({"m": 0}, "must be at least 1"),
    ({"act_mx9": np.zeros((1, 3), np.bool_)}, "must have 4 K-blocks per tile"),
    ({"order_cycles": (1, 1)}, "a number for each of 4 K-blocks"),
    ({"untagged": True, "kind": JobKind.CONVERT}, "an untagged job is a GEMM whose A is MX6"),
    ({"untagged": True, "act_mx9": np.ones((1, 4), np.bool_)}, "is a GEMM whose A is MX6")])
def test_an_impossible_job_is_refused(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        ScheduledJob(**{"m": 8, "n": 8, "k": 64} | fields)


def test_a_share_is_rounded_down_and_none_beyond_all_is_taken():
    assert uniform_job(EDGE, 8, 8, 1600, act_share=0.29).act_mx9.sum() == 29
    with pytest.raises(ValueError, match="from 0 to 1"):
        uniform_job(EDGE, 8, 8, 64, act_share=1.5)


def test_tiles_that_never_fit_are_named():
    job = uniform_job(EDGE, 64, 64, 1152, tiles=17)
    with pytest.raises(ValueError, match="never fit"):
        predict(EDGE, [replace(job, m=512)])
