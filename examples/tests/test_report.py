"""The arithmetic, the table and the JSON of a run."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from commands.checkout import ROOT
from examples.gemms import Style, prepare
from examples.report import make_row, print_table, totals, write_json
from examples.tests.helpers import TINY_CONFIG, counters, exact, matrices
from hw.host.results import Outcome
from simulation.running import Simulation


def row_of(gemm, outcome=None):
    outcome = outcome or exact(gemm)
    return make_row(gemm, outcome, TINY_CONFIG, gemm.matrices.reference())


@pytest.fixture
def rows():
    return [row_of(prepare(matrices(name=name), style, 0.2, TINY_CONFIG))
            for name in ("q", "ff1") for style in Style]


def test_utilization_is_beats_over_cycles_and_skipped_beats_do_not_count():
    gemm = prepare(matrices(), Style.MX9, 0.05, TINY_CONFIG)
    row = row_of(gemm, Outcome(gemm.expected(TINY_CONFIG), counters(90, 120) | {"skipped": 20}))
    assert (row.cycles, row.utilization) == (120, 0.75)


def test_totals_weigh_jobs_by_their_cycles(rows):
    rows = [replace(rows[0], counters=counters(10, 10)), replace(rows[3], counters=counters(0, 30))]
    assert totals(rows) == {Style.MX6: {"cycles": 40, "beats": 10, "utilization": 0.25}}


def test_qsnr_grows_with_the_mantissas_and_ignores_what_is_not_finite(rows):
    assert rows[0].qsnr < rows[1].qsnr < rows[2].qsnr
    dirty = matrices()
    dirty.activations[0, 0] = np.nan
    row = row_of(prepare(dirty, Style.MX6, 0.05, TINY_CONFIG))
    assert row.nan_blocks == 1
    assert 15 < row.qsnr < 40


def test_a_difference_is_named_with_its_place_and_both_patterns():
    gemm = prepare(matrices(), Style.MX6, 0.05, TINY_CONFIG)
    patterns = gemm.expected(TINY_CONFIG).copy()
    right = int(patterns[2, 3])
    patterns[2, 3] ^= 1
    patterns[4, 0] ^= 1
    row = row_of(gemm, Outcome(patterns, counters(1, 1)))
    assert row.difference.sentence() == (
        f"own in MX6: 2 elements differ from the golden model, first C[2, 3]: "
        f"the Verilog gives {right ^ 1:#010x}, golden {right:#010x}.")


def test_the_table_fits_100_columns_and_says_when_bits_differ(rows):
    gemm = prepare(matrices(name="bad"), Style.MX9, 0.05, TINY_CONFIG)
    patterns = gemm.expected(TINY_CONFIG) ^ np.uint32(1)
    wide = replace(row_of(gemm, Outcome(patterns, None)), shape=(16384, 65535, 16384))
    output = io.StringIO()
    print_table(Console(file=output, width=100), [*rows, wide])
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert [line for line in lines if "DIFFER" in line and "16384 × 65535 × 16384" in line]
    assert sum("equal" in line for line in lines) == len(rows)
    assert sum("total" in line for line in lines) == 1


def test_the_report_holds_every_number_and_its_bytes_repeat(rows, tmp_path):
    texts = []
    for seconds in (1.0, 2.0):
        simulation = Simulation([], ROOT / "LICENSE", seconds, seconds)
        write_json(tmp_path / "report.json", rows, TINY_CONFIG, simulation, fraction=0.2)
        texts.append((tmp_path / "report.json").read_text())
    first, second = map(json.loads, texts)
    assert first.pop("seconds") != second.pop("seconds")
    assert first == second
    assert set(first) == {"schema", "bits_equal", "machine", "verilog", "seed", "versions",
                          "fraction", "gemms", "totals"}
    assert first["schema"] == 1
    assert first["bits_equal"] is True
    assert first["machine"]["rows"] == 2
    assert len(first["gemms"]) == 6
    assert set(first["gemms"][1]) == {
        "layer", "style", "order", "shape", "mx9_share", "weight_mx9_share", "threshold",
        "nan_blocks", "weight_nan_blocks", "expected_beats", "counters", "cycles",
        "utilization", "qsnr", "bits_equal", "difference"}
    assert first["gemms"][1]["utilization"] == 0.8
    assert set(first["totals"]) == {"MX6", "MixDiT", "MX9"}
    assert str(ROOT) not in texts[0]
