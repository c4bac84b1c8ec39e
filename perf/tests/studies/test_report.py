"""Tables, pictures and the page of a study: the numbers that they show are those of the runs."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from perf.studies.gpu import RTX_3090, Precision
from perf.studies.published_energies import HOROWITZ_45NM, Operation
from perf.studies.report import (
    Design,
    Study,
    claim_table,
    claims,
    designs,
    latency_table,
    layer_table,
    make_claims,
    make_page,
    make_study,
    speedup_table,
)
from perf.studies.report.breakdown import Part, parts_of, parts_of_model
from perf.studies.report.estimates import energy_rows, gpu_counts
from perf.studies.report.machine_pictures import draw_pareto, draw_roofline
from perf.studies.report.pareto import design_of, front, geometric_mean
from perf.studies.report.pictures import draw_breakdown, draw_energy, draw_speedups
from perf.studies.report.study import rivals
from perf.studies.report.style import significant
from perf.studies.sweep import Grid, Record
from perf.studies.system import POLICIES, LayerRun, load_preset
from perf.workloads import load_models
from reporting.page import Section, Tile, render
from reporting.style import svg
from reporting.table import Column, Table

pytestmark = pytest.mark.xdist_group("study")  # made once


@pytest.fixture(scope="module")
def study() -> Study:
    models = load_models()
    return make_study(load_preset("edge"), [models["dit-256"], models["pixart-1024"]],
                      list(POLICIES))


@pytest.fixture(scope="module")
def server(study) -> Study:
    """The same runs under the name of the preset that has targets."""
    return replace(study, preset=replace(study.preset, name=claims.JUDGED))


@pytest.fixture
def layer(study) -> LayerRun:
    """A layer with times that are easy to follow: 3 s of arrays, 5 of memory, 7 of vectors."""
    return replace(study.entries[0].run.layers[0], kind="linear", compute=3.0, memory=5.0,
                   vector=7.0, seconds=8.0, cycles=30, conversions=10)


@pytest.fixture(scope="module")
def page(server) -> str:
    some = [Design("cores=1", 51.2e9, 10, 0.2), Design("cores=2", 51.2e9, 20, 0.1)]
    return make_page(server, make_claims(server), some, 7, [load_preset("edge")])


def texts(figure: Figure) -> set[str]:
    return {text.get_text().strip() for axes in figure.axes for text in axes.texts}


class TestBreakdown:
    """Parts of a layer's time."""

    def test_each_counts_where_it_outlasts_those_before(self, layer):
        assert parts_of(layer) == {
            Part.LINEAR: 2, Part.CONVERSION: 1, Part.MEMORY: 2, Part.VECTOR: 2, Part.EXPOSED: 1}

    def test_attention_is_told_from_linear_layers(self, layer):
        assert parts_of(replace(layer, kind="attention"))[Part.ATTENTION] == 2

    def test_what_hides_beside_other_layers_takes_no_time(self, layer):
        hidden = parts_of(replace(layer, memory=90.0, seconds=4.0))
        assert hidden == {Part.LINEAR: 2, Part.CONVERSION: 1, Part.MEMORY: 1, Part.VECTOR: 0,
                          Part.EXPOSED: 0}

    def test_a_layer_faster_than_its_arrays_is_refused(self, layer):
        with pytest.raises(ValueError, match="its arrays 9"):
            parts_of(replace(layer, compute=9.0))

    def test_parts_of_every_layer_are_positive_and_add_up(self, study):
        for entry in study.entries:
            for each in entry.run.layers:
                parts = parts_of(each).values()
                assert min(parts) >= 0
                assert sum(parts) == pytest.approx(each.seconds, rel=1e-12)
            total = sum(parts_of_model(entry.run).values())
            assert total == pytest.approx(entry.run.step_seconds, rel=1e-12)


class TestClaims:
    """Targets and the models that they are judged by."""

    def test_only_the_server_has_targets(self, study):
        assert make_claims(study) == []

    def test_the_worst_model_counts(self, server):
        chosen = server.of_policy("mixdit")
        found = {claim.name: claim for claim in make_claims(server)}
        perfect = found["speedup over the perfect FP16 roofline"]
        assert perfect.value == min(entry.comparison.perfect for entry in chosen)
        assert perfect.where == min(
            chosen, key=lambda entry: entry.comparison.perfect).run.model.name
        own = found["time over the machine's own roofline"]
        assert own.value == max(entry.run.roofline_ratio for entry in chosen)
        cost = found["time of MixDiT over pure MX6"]
        assert cost.value == max(
            mixed.run.step_seconds / base.run.step_seconds
            for mixed, base in zip(chosen, server.of_policy("mx6"), strict=True))
        assert cost.value > 1
        area = found["area, share of the RTX 3090's die"]
        assert area.value == server.silicon.area / RTX_3090.area

    @pytest.mark.parametrize(("at_least", "value", "met"), [
        (True, 2.0999, False), (True, 2.1, True), (False, 2.1, True), (False, 2.1001, False)])
    def test_a_target_itself_is_met_and_beyond_it_is_not(self, server, at_least, value, met):
        claim = replace(make_claims(server)[0], value=value, target=2.1, at_least=at_least)
        assert claim.met is met

    def test_without_mx6_there_is_no_claim_on_its_cost(self, server):
        alone = replace(server, entries=tuple(server.of_policy("mixdit")))
        assert len(make_claims(alone)) == len(make_claims(server)) - 1


class TestTables:
    """What stands in the rows."""

    def test_a_row_fills_all_columns(self):
        table = Table((Column("a"), Column("b")))
        with pytest.raises(ValueError, match="1 cells do not fill 2 columns"):
            table.add("1")

    def test_latencies_multiply_by_steps(self, study):
        table = latency_table(study)
        for row, entry in zip(table.rows, study.entries, strict=True):
            seconds = entry.run.step_seconds
            assert row.cells[:2] == (entry.run.model.name, entry.run.policy.name)
            assert row.cells[2] == f"{1e3 * seconds:.2f}"
            assert row.cells[3:6] == tuple(f"{steps * seconds:.3f}" for steps in (20, 50, 100))
        assert table.rows[0].cells[6].endswith("(250)"), "DiT's own 250 steps"
        assert "(50)" in table.rows[0].cells[6], "the most usual steps stand there too"

    def test_every_rival_has_its_column(self, study):
        for row, entry in zip(speedup_table(study).rows, study.entries, strict=True):
            assert row.cells[2:-1] == tuple(
                f"{getattr(entry.comparison, rival.field):.2f}" for rival in rivals())

    def test_misses_are_marked_on_the_server_under_mixdit_only(self, study, server, monkeypatch):
        monkeypatch.setattr("perf.studies.report.speedups.PERFECT", 1e9)
        assert not any(row.missed for row in speedup_table(study).rows)
        for row in speedup_table(server).rows:
            assert (2 in row.missed) == (row.cells[1] == "mixdit")

    def test_shares_of_time_add_up(self, study):
        for entry in study.entries:
            rows = layer_table(entry.run).rows
            assert len(rows) == len(entry.run.layers)
            assert sum(float(row.cells[4]) for row in rows) == pytest.approx(
                100, abs=0.005 * len(rows))

    def test_the_terminal_shows_every_cell(self, study):
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(layer_table(study.entries[0].run).for_terminal())
        shown = console.export_text()
        for row in layer_table(study.entries[0].run).rows:
            for cell in row.cells:
                assert cell in shown

    def test_claims_that_are_missed_say_no(self, server):
        missed = replace(make_claims(server)[0], value=9.0)
        assert claim_table([missed]).rows[0].cells[-1] == "NO"
        assert claim_table([missed]).rows[0].missed


class TestPareto:
    """Machines that no other beats."""

    def test_the_front_is_what_comparing_all_pairs_leaves(self):
        random = np.random.default_rng(5)
        some = [Design("", 1.0, float(area), float(40 // area + extra))
                for area, extra in random.integers(1, 20, (200, 2))]
        best = {(each.area, each.seconds) for each in some if not any(
            other.area <= each.area and other.seconds <= each.seconds
            and (other.area, other.seconds) != (each.area, each.seconds) for other in some)}
        found = [(each.area, each.seconds) for each in front(some)]
        assert found == sorted(best)
        assert len(found) > 3

    def test_refused_points_are_no_designs(self):
        points = Grid("edge", "mixdit", ("dit-256",), {"cores": (1, 2)}).points()
        figures = {"area_mm2": 3.0, "models": {"a": {"step_seconds": 2.0},
                                               "b": {"step_seconds": 8.0}}}
        records = [Record("k", {}, "no such machine", {}), Record("l", {}, "", figures)]
        bandwidth = load_preset("edge").dram_bytes_per_s
        assert designs(points, records) == [Design("cores=2", bandwidth, 3.0, 4.0)]

    def test_the_mean_counts_all_models_alike(self):
        assert geometric_mean([2, 8]) == pytest.approx(4)
        assert geometric_mean([20, 8]) / geometric_mean([2, 8]) == pytest.approx(10 ** 0.5)


class TestEnergy:
    """The GPU's estimate, counted like the machine's."""

    def test_fp16_is_a_multiply_and_an_add_for_each_product(self):
        model = load_models()["dit-256"]
        each = (HOROWITZ_45NM[Operation.FP16_MULTIPLY] + HOROWITZ_45NM[Operation.FP32_ADD]) * 1e-12
        operations = gpu_counts(model, Precision.FP16).operations
        assert sum(HOROWITZ_45NM[kind] * 1e-12 * number for kind, number in operations.items()
                   ) == pytest.approx(model.macs * each)

    def test_int8_linear_layers_keep_attention_in_fp16(self):
        model = load_models()["dit-256"]
        operations = gpu_counts(model, Precision.INT8_LINEAR).operations
        attention = sum(block.count * gemm.macs for block in model.blocks for gemm in block.gemms
                        if not gemm.has_weights)
        assert operations[Operation.FP16_MULTIPLY] == attention > 0
        assert operations[Operation.INT8_MULTIPLY] == model.macs - attention

    def test_every_run_and_the_gpu_have_a_bar(self, study):
        rows = energy_rows(study)
        assert set(rows) == {entry.run.model.title for entry in study.entries}
        assert all(len(machines) == len(POLICIES) + 2 for machines in rows.values())
        assert all(row.estimate.total > 0 for machines in rows.values() for row in machines)


class TestPictures:
    """What is drawn is what was found."""

    def test_bars_are_as_high_as_the_speedups(self, study):
        entries = study.of_policy("mixdit")
        bars = draw_speedups(entries).axes[0].containers
        for rival, container in zip(rivals(), bars, strict=True):
            assert [bar.get_height() for bar in container] == [
                getattr(entry.comparison, rival.field) for entry in entries]

    def test_stacks_end_at_the_latency(self, study):
        figure = draw_breakdown(study)
        assert texts(figure) == {f"{significant(1e3 * entry.run.step_seconds)} ms"
                                 for entry in study.entries}
        for axes in figure.axes:
            ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
            title = axes.get_title(loc="left")
            assert ends == pytest.approx([1e3 * entry.run.step_seconds for entry in study.entries
                                          if entry.run.model.title == title])

    def test_no_layer_but_the_conditions_is_above_the_roof(self, study):
        axes = draw_roofline(study.of_policy("mixdit")).axes[0]
        preset = study.preset
        count = 0
        for points in axes.collections:
            for intensity, rate in points.get_offsets():
                roof = min(preset.peak_macs_per_s, preset.dram_bytes_per_s * intensity) / 1e12
                triangle = len(points.get_paths()[0].vertices) == 4
                assert rate <= roof * (1 + 1e-9) or triangle
                count += 1
        assert count == sum(len(entry.run.layers) for entry in study.of_policy("mixdit"))

    def test_every_axis_has_a_unit(self, study):
        entries = study.of_policy("mixdit")
        some = [Design("a", 1e9, 10, 0.2), Design("b", 2e9, 20, 0.1)]
        for figure, unit in ((draw_speedups(entries), "times"), (draw_breakdown(study), "ms"),
                             (draw_energy(energy_rows(study)), "J"),
                             (draw_roofline(entries), "T/s"),
                             (draw_pareto(some, design_of(study, "mixdit")), "mm²")):
            labels = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
            assert unit in labels[-1]

    def test_equal_figures_give_equal_bytes(self, study):
        assert svg(draw_energy(energy_rows(study))) == svg(
            draw_energy(energy_rows(study)))

    @pytest.mark.parametrize(("value", "text"), [
        (0.15, "0.150"), (1.234, "1.23"), (31.06, "31.1"), (138.76, "139"), (4321.0, "4,321")])
    def test_three_digits(self, value, text):
        assert significant(value) == text


class TestPage:
    """The HTML file."""

    def test_needs_nothing_else(self, page):
        assert "<script" not in page
        assert "<link" not in page
        assert set(re.findall(r'src="([a-z]+:[^;]+)', page)) == {"data:image/svg+xml"}
        assert not re.findall(r'(?:src|href)="(?!data:)', page)

    def test_shows_every_speedup_and_every_claim(self, page, server):
        for table in (speedup_table(server), latency_table(server),
                      claim_table(make_claims(server))):
            for row in table.rows:
                for cell in row.cells:
                    assert f">{cell}</td>" in page.replace("&#39;", "'")

    def test_says_that_areas_and_energies_are_estimates(self, page):
        assert "Energy: an estimate" in page
        assert "(estimated)" in page
        assert "2 machines of a sweep under MixDiT; 7 more cannot be built" in page

    def test_is_the_same_every_time_and_has_no_date(self, page, server):
        some = [Design("cores=1", 51.2e9, 10, 0.2), Design("cores=2", 51.2e9, 20, 0.1)]
        assert make_page(server, make_claims(server), some, 7, [load_preset("edge")]) == page
        assert not re.search(r"20[23]\d-\d\d-\d\d", page)

    def test_without_a_sweep_its_section_is_left_out(self, server):
        assert 'id="sweep"' not in make_page(server, [], [], 0, [load_preset("edge")])

    def test_escapes_what_it_is_given(self):
        page = render("<b>", "a & b", [Tile("1", "<i>", "", "met")],
                      [Section("s", "<u>")], ["<p>x"])
        assert "<b>&" not in page
        assert "&lt;i&gt;" in page
        assert "a &amp; b" in page
