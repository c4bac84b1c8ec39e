"""Errors of accumulators: exact where nothing is lost, growing where bits are taken away."""

import json
from dataclasses import replace
from io import StringIO
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

import golden
from commands.environment import seed
from golden import MX6, MX9
from golden.accumulator import DEFAULT_ACC_WIDTH
from perf.rtl.linear_layer import LinearLayer
from perf.studies.accumulators import (
    CAPTURED,
    FP32,
    Result,
    anchored_sums,
    layers,
    measure,
    measure_layer,
    passes,
    print_table,
    write_json,
)

WIDTHS = (32, 36, 40, 48)


def drawn_layer():
    """Draw a small layer with an outlier block, each activation in a binade of its own."""
    rng = np.random.default_rng(seed())
    drawn = LinearLayer.draw(rng, 24, 160, 16, 1)
    spread = np.exp2(rng.integers(-4, 5, drawn.activations.shape)).astype(np.float32)
    return replace(drawn, activations=drawn.activations * spread)


@pytest.mark.parametrize("acc_width", [30, 40])
def test_sums_round_to_goldens_results(acc_width):
    drawn = drawn_layer()
    a, b = golden.quantize(drawn.activations, MX9), golden.quantize(drawn.weights, MX9, axis=0)
    sums = anchored_sums(a, b, acc_width)
    expected = golden.gemm(a, b, acc_width=acc_width)
    assert sums.astype(np.float32).tobytes() == expected.tobytes()


def test_errors_fall_with_the_width_and_rise_above_zero():
    drawn = drawn_layer()
    _, _, nine = measure_layer("drawn", drawn.activations, drawn.weights, drawn.order, WIDTHS)
    errors = [nine.accumulation[str(width)] for width in WIDTHS]
    assert all(wide <= narrow / 4 for narrow, wide in pairwise(errors))
    assert errors[0] > 1e-6 and errors[-1] == 0
    assert 1e-9 < nine.accumulation[FP32] < 1e-6


def test_each_precision_errs_less_than_the_one_before():
    drawn = drawn_layer()
    results = measure_layer("drawn", drawn.activations, drawn.weights, drawn.order, (40,))
    assert [each.precision for each in results] == ["MX6", "MixDiT", "MX9"]
    six, mixed, nine = (each.quantization for each in results)
    # MX6 keeps three bits less than MX9.
    assert 6 < six / nine < 10 and 2 * nine < six and mixed < 0.8 * six


def test_quantization_is_that_of_the_numbers_themselves():
    x, w = np.eye(16, dtype=np.float32), np.full((16, 4), 1 + 2**-5, np.float32)
    a, b = golden.quantize(x, MX6), golden.quantize(w, MX6, axis=0)
    result = measure("flat", "MX6", x, w, a, b, widths=(40,))
    assert result.quantization == pytest.approx(1 - 1 / (1 + 2**-5))
    assert result.accumulation["40"] == 0 and result.ratio == float("inf")


def test_the_captured_layers_meet_the_target():
    names = []
    for name, *layer in layers():
        if not name.startswith(CAPTURED):
            break
        names.append(name)
        results = measure_layer(name, *layer, (DEFAULT_ACC_WIDTH,))
        assert passes(results), f"{name}: {[each.ratio for each in results]}"
    assert names == [f"captured {name}" for name in ("q", "k", "v", "out", "ff1", "ff2")]


def test_report_holds_every_number_and_marks_what_misses(tmp_path):
    good = Result("captured one", "MX9", 16, 4e-3, {"32": 4e-9, "40": 4e-9, FP32: 0.0})
    bad = replace(good, layer="captured other", accumulation=good.accumulation | {"40": 5e-6})
    exact = replace(good, accumulation=good.accumulation | {"40": 0.0})
    write_json(tmp_path / "deep" / "report.json", [good, bad, exact])
    written = json.loads((tmp_path / "deep" / "report.json").read_text())
    assert [row["ratio"] for row in written["rows"]] == [pytest.approx(1e6), pytest.approx(800),
                                                         None]
    assert written["rows"][1]["accumulation"]["40"] == 5e-6
    console = Console(file=StringIO(), width=200, force_terminal=True)
    print_table(console, [good, bad])
    lines = console.file.getvalue().splitlines()
    assert "\x1b[1;31m" in next(line for line in lines if "other" in line)
    assert "\x1b[1;31m" not in next(line for line in lines if "captured one" in line)
    assert passes([good, exact]) and not passes([good, bad]) and not passes([])
    assert passes([good, replace(bad, layer="drawn")])
