"""The measurement of lists: a small machine really measured, and planted faults."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from hw.contract.config import Config
from perf.rtl import ring_measured
from perf.rtl.ring_bench import RingReport, cells, conclude, markdown, run_scenarios
from perf.rtl.ring_measured import BASE, SIZE, RingMeasured, run_scenario
from perf.rtl.ring_scenarios import FAR, NEAR, RingSizes, Shape, make_scenarios
from simulation.build import build
from simulation.memory_machine import SimulatedMemoryMachine

SMALL = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, tables=2)
MACHINES = {NEAR: SMALL, FAR: SMALL}
SIZES = RingSizes(
    layer=Shape(16, 128, 64), deep_layer=Shape(16, 256, 64), narrow_layer=Shape(16, 128, 8),
    scores=Shape(32, 24, 32), values=Shape(32, 32, 24), small=Shape(8, 32, 32),
    chained=Shape(16, 32, 32), heads=3, jobs=6)


@pytest.fixture(scope="module")
def report() -> RingReport:
    return run_scenarios(Console(file=StringIO()), MACHINES, make_scenarios(SIZES))


def test_every_list_is_measured_and_leaves_goldens_memory(report):
    assert not report.differences
    assert len(report.measured) == len(make_scenarios())
    for each in report.measured:
        scenario, shape = each.scenario, each.scenario.shape
        assert each.total.beats == scenario.parts * shape.beats(SMALL)
        assert 0 < each.whole_share < 1 and 0 < each.array_share <= 1
        assert each.cycles >= 0.97 * max(each.channels["array"], each.channels["drain"])
        busy = each.channels["array"] + sum(each.stalls.values())
        assert busy == pytest.approx(each.cycles, rel=0.2)
        assert shape.m * shape.n <= each.total.write_words * 16
    delays = {each.scenario.name: each.delays for each in report.measured
              if each.scenario.rule in ("dependent", "told")}
    assert all(delay > 100 for each in delays.values() for delay in each)
    # A tile whose blocks may be chosen leaves the stage when it is whole: its blocks once more.
    chosen, free = (max(delays[f"each waits, FP16{what}"]) for what in (", chosen", ""))
    assert chosen >= free + SIZES.chained.k // 16


def test_the_report_is_written_whole(report, tmp_path):
    console = Console(file=StringIO(), width=220)
    code = conclude(console, report, tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["passed"] == report.passed == (code == 0) and found["bits_equal"]
    assert [row["name"] for row in found["rows"]] == [
        each.scenario.name for each in report.measured]
    assert (tmp_path / "report.md").read_text() == markdown(report)
    for scenario in make_scenarios(SIZES):
        assert scenario.name in console.file.getvalue()


def at_pace(measured: RingMeasured, cycles: float) -> RingMeasured:
    """Let each part take so many cycles."""
    *before, one, last = measured.ends
    end = before[0].cycle + round(cycles * (measured.scenario.parts - 2))
    return replace(measured, ends=[*before, replace(one, cycle=end), last])


def test_a_list_meets_its_target_at_its_channels_pace_and_misses_it_when_slower(report):
    rules = set()
    for each in report.measured:
        rules.add(rule := each.scenario.rule)
        if rule == "told":
            assert (each.judge()[1:], cells(each)[-2:]) == (("", True), ["", ""])
            continue
        if rule == "dependent":
            found = [replace(each, scenario=replace(each.scenario, latency=latency)).judge()[2]
                     for latency in (max(each.delays), 0)]
        else:
            pace = each.channels["array" if rule == "array" else each.busiest]
            found = [at_pace(each, cycles).judge()[2] for cycles in (pace, 1.04 * pace + 33)]
        assert found == [True, False], each.scenario.name
    assert rules == {"array", "busiest", "lost", "dependent", "told"}


def test_a_byte_that_golden_has_otherwise_fails_the_bench(monkeypatch, report, tmp_path):
    right = ring_measured.carried_out

    def wrong(*arguments):
        data = right(*arguments)
        data[-1] ^= 1
        return data

    monkeypatch.setattr(ring_measured, "carried_out", wrong)
    scenario = make_scenarios(SIZES)[-1]
    with SimulatedMemoryMachine(build(SMALL), BASE, SIZE) as device:
        measured = run_scenario(device, SMALL, scenario, np.random.default_rng(1))
    assert measured.wrong_bytes == 1
    failed = replace(report, measured=[measured])
    assert failed.differences == [f"1 bytes of memory are wrong after {scenario.name}"]
    assert conclude(Console(file=StringIO(), width=220), failed, tmp_path) == 1
