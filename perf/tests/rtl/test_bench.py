"""The measurement itself: a small machine really measured, and planted faults that it must find."""

import json
from dataclasses import replace
from functools import cache
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from commands.environment import seed
from golden.lanes import conflicts
from hw.contract.config import Config
from hw.host.results import Outcome
from hw.host.work import Work
from perf.rtl.bench import conclude, named, run_groups
from perf.rtl.bench_rows import make_rows
from perf.rtl.measured import Measured, stream_beats
from perf.rtl.scenarios import NARROW, WIDE, Sizes, machines_of, make_groups
from perf.rtl.table import Report
from perf.rtl.verilog_size import VerilogSize, module_bytes
from simulation.machines import TINY
from simulation.works.expected import expected_counts, expected_results

TINY_SIZES = Sizes(tokens=64, columns=32, channels=(128, 256), fewer_tokens=32, few_columns=8,
                   outlier_blocks=1)
SMALL_SIZES = Sizes(tokens=64, columns=96, channels=(320, 640), fewer_tokens=32, few_columns=8,
                    outlier_blocks=1)
MACHINES = machines_of()
SMALL = VerilogSize(64, 1.0, {"top": 4_999_999})


@cache
def perfect() -> dict[str, Measured]:
    """Give every named job's outcome on a machine that never waits for itself."""
    rng = np.random.default_rng(seed())
    return {case.name: Measured(MACHINES[group.machine], case, group.stall,
                                _without_waiting(MACHINES[group.machine], case.work, group.stall))
            for group in make_groups(MACHINES, SMALL_SIZES, rng) for case in group.cases
            if case.name}


def _without_waiting(config: Config, work: Work, stall: float) -> Outcome:
    counts, job = expected_counts(config, work), work.job
    lost = 0 if work.order is None else job.m * conflicts(work.order)
    loading = max(*stream_beats(config, work).values(), job.converts * job.n * -(-job.k // 16))
    cycles = max(counts["beats"], round(loading / (1 - stall)) + lost)
    stalls = dict.fromkeys(("act_stalls", "weight_stalls", "result_stalls"), 0)
    return Outcome(expected_results(config, work), counts | stalls | {"cycles": cycles})


def slower(name: str, factor: float) -> dict[str, Measured]:
    """Give the same, but one job takes so many times the cycles."""
    measured = perfect()[name]
    cycles = round(measured.cycles * factor)
    outcome = replace(measured.outcome, counters=measured.counters | {"cycles": cycles})
    return perfect() | {name: replace(measured, outcome=outcome)}


def met(measured: dict[str, Measured]) -> dict[str, bool | None]:
    """Judge every job."""
    return {row.measured.case.name: row.met for row in make_rows(measured)}


def report(measured: dict[str, Measured], verilog: VerilogSize = SMALL) -> Report:
    """Make a report as the command does."""
    differences = [each.difference for each in measured.values() if each.difference is not None]
    return Report(make_rows(measured), verilog, MACHINES, 1, differences, len(measured), {})


def outcome_of(measured: dict[str, Measured], folder, verilog: VerilogSize = SMALL):
    """Conclude; return the exit code, what was printed, and the report."""
    console = Console(file=StringIO(), width=220)
    code = conclude(console, report(measured, verilog), folder)
    return code, console.file.getvalue(), json.loads((folder / "report.json").read_text())


@pytest.mark.xdist_group("accelerator_4x4")
def test_a_small_machine_is_measured_and_equals_golden():
    groups = make_groups({WIDE: TINY, NARROW: TINY}, TINY_SIZES, np.random.default_rng(seed()))
    jobs, _ = run_groups({WIDE: TINY}, [replace(group, machine=WIDE) for group in groups],
                         Console(file=StringIO()))
    assert [each.difference for each in jobs] == [None] * len(jobs)
    judged = {row.measured.case.name: row for row in make_rows(named(jobs))}
    assert {"linear K=256", "QK^T FP32 stalled", "CONVERT K"} <= judged.keys()
    assert judged.keys() == named(jobs).keys()
    for name in ("linear K=128", "linear K=256", "QK^T FP32", "QK^T FP16", "MX9 x MX6",
                 "MX9 x MX9", "spread order", "linear stalled", "CONVERT K"):
        assert judged[name].met, f"{name}: {judged[name].figure}"
    calm, stalled = (judged[name].measured.cycles for name in ("natural order", "loading stalled"))
    assert stalled > 1.2 * calm, "the stalls are real"


def test_a_machine_that_never_waits_meets_every_target(tmp_path):
    rows = make_rows(perfect())
    assert {row.section for row in rows} >= {"Linear layers", "Attention", "Precision",
                                             "Conversions"}
    code, printed, written = outcome_of(perfect(), tmp_path)
    missed = [row["job"] for row in written["rows"] if row["met"] is False]
    assert missed == [], printed
    assert code == 0 and written["passed"] and written["bits_equal"]


@pytest.mark.parametrize("name, factor", [
    ("linear K=320", 1.035), ("linear K=640", 1.035), ("QK^T FP32", 1.12), ("MX9 x MX6", 1.03),
    ("MX9 x MX9", 0.97), ("mixed x mixed", 1.2), ("linear stalled", 1.1), ("loading stalled", 1.1),
    ("spread order", 1.05), ("random order", 1.05), ("CONVERT K", 1.1)])
def test_a_slower_job_misses_its_target(tmp_path, name, factor):
    before, after = met(perfect()), met(slower(name, factor))
    assert before[name] is True and after[name] is False
    code, printed, written = outcome_of(slower(name, factor), tmp_path)
    assert code == 1 and not written["passed"]
    line = next(line for line in printed.splitlines() if f" {name} " in line)
    assert "NO" in line


def test_one_wrong_bit_is_named_and_fails(tmp_path):
    results = perfect()["PV FP16"].outcome.results.copy()
    results[3, 1] ^= 1
    spoiled = replace(perfect()["PV FP16"], outcome=replace(
        perfect()["PV FP16"].outcome, results=results))
    code, printed, written = outcome_of(perfect() | {"PV FP16": spoiled}, tmp_path)
    assert code == 1 and not written["bits_equal"]
    assert "1 results or packets of PV FP16 are wrong" in printed


def test_one_wrong_count_is_named_and_fails(tmp_path):
    measured = perfect()["CONVERT K"]
    counters = measured.counters | {"saturated": measured.counters["saturated"] + 1}
    spoiled = replace(measured, outcome=replace(measured.outcome, counters=counters))
    code, printed, _ = outcome_of(perfect() | {"CONVERT K": spoiled}, tmp_path)
    assert code == 1
    assert "saturated of CONVERT K is" in printed


def test_verilog_that_is_too_large_fails_and_its_modules_are_listed(tmp_path):
    verilog = VerilogSize(64, 1.0, module_bytes("// é\nmodule a_b (x);\n" + "x" * 5_000_000
                                                + "\nmodule c(y);\nendmodule\n"))
    code, printed, written = outcome_of(perfect(), tmp_path, verilog)
    assert code == 1
    assert written["verilog"]["bytes"] == 6 + 5_000_017 + 23
    assert list(written["verilog"]["largest_modules"]) == ["a_b", "c", "header"]
    assert "5.00 MB  a_b" in printed
