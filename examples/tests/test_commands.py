"""Whole commands: on a tiny simulated machine, and on a stand-in whose faults are planted."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import examples.command as command
from commands.checkout import ROOT
from commands.tests.calling import call
from commands.tests.waiting import HANG_SECONDS
from examples.tests.helpers import TINY, TINY_CONFIG, FakeSimulator, matrices
from hw.host import machine
from simulation import build, running

pytestmark = pytest.mark.xdist_group("examples")  # one build of the tiny machine


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Keep what a command writes apart from the user's."""
    monkeypatch.setattr(command, "BUILD", tmp_path / "build")
    return tmp_path


def gemm(folder, *options, m=6, k=40, n=5, change=None):
    """Run the gemm command on drawn matrices."""
    own = matrices(m, k, n)
    if change is not None:
        change(own)
    np.save(folder / "a.npy", own.activations)
    np.save(folder / "b.npy", own.weights)
    arguments = ["gemm", "--activations", folder / "a.npy", "--weights", folder / "b.npy", *TINY]
    return call("run", *arguments, *options)


def demo(monkeypatch, simulator, *options, seeds=(0, 1), names=("q", "ff2")):
    """Run the demo on a few rows of made-up layers; those of one seed share their inputs."""
    layers = [
        SimpleNamespace(name=name, activations=own.activations, weight=own.weights,
                        calibration=own.activations[::-1])
        for seed, name in zip(seeds, names, strict=True)
        for own in [matrices(name=name, seed=seed)]
    ]
    monkeypatch.setattr(command, "load_layers", lambda: layers)
    orders = {layer.name: np.random.default_rng(seed).permutation(layer.activations.shape[1])
              for seed, layer in zip(seeds, layers, strict=True)}
    monkeypatch.setattr(command, "load_orders", lambda: orders)
    monkeypatch.setattr(command, "load_provenance", lambda: {"training_steps": 1})
    monkeypatch.setattr(command, "simulate", simulator)
    return call("run", "demo", *TINY, *options)


@pytest.mark.parametrize(("style", "options", "order"), [
    ("mx6", (), "natural"), ("mixdit", (), "calibrated"), ("mixdit", ("--order", "natural"),
    "natural"), ("mx9", (), "natural")])
def test_own_matrices_run_through_the_verilog_bit_for_bit(folder, style, options, order):
    result = gemm(folder, "--format", style, "--fraction", "0.3", "--output", folder / "c.npy",
                  *options)
    assert result.exit_code == 0, result.output
    assert "All 30 results equal the golden model to the bit." in result.output
    report = json.loads((folder / "build/gemm/report.json").read_text())
    row, = report["gemms"]
    assert row["bits_equal"] is True
    assert row["order"] == order
    assert ("sorted by their calibrated magnitudes" in " ".join(result.output.split())) == (
        order == "calibrated")
    assert row["counters"]["beats"] + row["counters"]["skipped"] == row["expected_beats"]
    own = matrices()
    c = np.load(folder / "c.npy")
    assert c.dtype == np.float32
    error = c - own.reference()
    measured = 10 * np.log10((own.reference() ** 2).sum() / (error**2).sum())
    assert measured == pytest.approx(row["qsnr"])
    assert re.search(f"{row['cycles']:,} .*{row['utilization']:.1%}", result.output)


def test_nans_are_announced_and_still_equal_to_the_bit(folder):
    def change(own):
        own.activations[1, 0], own.activations[2, 20] = np.nan, np.inf
        own.weights[39, 2] = -np.inf
    result = gemm(folder, "--output", folder / "c.npy", change=change)
    assert result.exit_code == 0, result.output
    assert "make 2 blocks of the activations and 1 of the weights NaN" in result.output
    patterns = np.load(folder / "c.npy").view(np.uint32)
    nan = patterns == 0x7FC00000
    assert nan[1:3].all()
    assert nan[:, 2].all()
    assert nan.sum() == 2 * 5 + 6 - 2


def test_one_wrong_bit_in_a_gemm_exits_with_1(folder, monkeypatch):
    monkeypatch.setattr(command, "simulate", FakeSimulator({(0, 3, 1): 0x80000000}))
    result = gemm(folder)
    assert result.exit_code == 1
    assert "own in MixDiT: 1 elements differ" in result.stderr
    assert "first C[3, 1]" in result.stderr
    got, wanted = re.findall(r"0x[0-9a-f]{8}", result.stderr)
    assert int(got, 16) ^ int(wanted, 16) == 0x80000000
    assert "All" not in result.output
    assert json.loads((folder / "build/gemm/report.json").read_text())["bits_equal"] is False


def test_the_demo_reports_every_layer_in_every_style(folder, monkeypatch):
    result = demo(monkeypatch, FakeSimulator())
    assert result.exit_code == 0, result.output
    assert "All 180 results equal the golden model to the bit." in result.output
    table = [line for line in result.output.splitlines() if line[0] in "┏┡├└│┃"]
    assert max(map(len, table)) <= 100
    report = json.loads((folder / "build/demo/report.json").read_text())
    assert [(row["layer"], row["style"]) for row in report["gemms"]] == [
        (layer, style) for layer in ("q", "ff2") for style in ("MX6", "MixDiT", "MX9")]
    assert report["capture"]["training_steps"] == 1
    assert (folder / "build/demo/report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("order", ["natural", "calibrated"])
def test_jobs_of_different_orders_run_back_to_back_through_the_verilog(folder, monkeypatch, order):
    given = []

    def recording(config, groups, *rest):
        given.extend(work.job for group in groups for work, _ in group)
        return running.simulate(config, groups, *rest)
    result = demo(monkeypatch, recording, "--order", order,
                  seeds=(0, 0, 1, 2), names=("q", "k", "out", "ff2"))
    assert result.exit_code == 0, result.output
    assert "All 360 results equal the golden model to the bit." in result.output
    reorders = order == "calibrated"
    assert [job.reorder for job in given] == [False] * 4 + [reorders] * 4 + [False] * 4
    assert [job.table for job in given[4:8]] == ([0, 0, 1, 0] if reorders else [0] * 4)
    report = json.loads((folder / "build/demo/report.json").read_text())
    assert {row["order"] for row in report["gemms"] if row["style"] == "MixDiT"} == {order}


def test_one_wrong_bit_in_the_demo_exits_with_1(folder, monkeypatch):
    result = demo(monkeypatch, FakeSimulator({(3, 5, 4): 1}))  # the second style's second layer
    assert result.exit_code == 1
    assert "ff2 in MixDiT: 1 elements differ from the golden model, first C[5, 4]" in result.stderr
    assert len([line for line in result.output.splitlines() if "DIFFER" in line]) == 1


def test_a_model_that_does_not_build_is_reported_with_its_log(folder, monkeypatch):
    report = folder / "build/gemm/report.json"
    report.parent.mkdir(parents=True)
    report.write_text("of an earlier run")
    monkeypatch.setattr(build, "emitted", lambda *_: "module machine(\n")
    result = gemm(folder)
    assert result.exit_code == 3
    said = " ".join(result.stderr.split())
    assert "The model could not be built: " in said and "syntax error" in said
    log = said.partition("The log is ")[2].removesuffix(".")
    assert "syntax error" in Path(log).read_text()
    assert not report.exists()


def test_a_machine_that_hangs_is_given_up_and_reported(folder, monkeypatch):
    monkeypatch.setattr(machine, "weight_packets", lambda *_: [])
    monkeypatch.setattr(machine, "LEAST_PATIENCE", 100)
    result = gemm(folder)
    assert result.exit_code == 3
    said = " ".join(result.stderr.split())
    assert "The simulation failed: 1 of the awaited jobs had not ended after " in said
    assert "s_axis_wgt: 0 packets to be sent, no beat" in said


@pytest.mark.parametrize(("name", "make", "sentence"), [
    ("o", lambda path: path.mkdir(), "is a folder, and a file is to be written"),
    ("o/c.npy", lambda path: None, "there is no folder"),
    ("o", lambda path: path.touch(0o444), "is there and may not be written"),
    ("a.npy", lambda path: None, "is one of the matrices"),
])
def test_an_output_is_tried_before_anything_is_built(folder, monkeypatch, name, make, sentence):
    def build(*_):
        raise AssertionError("simulated before the output was tried")
    monkeypatch.setattr(command, "simulate", build)
    make(folder / name)
    result = gemm(folder, "-o", folder / name)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_report_folder_is_tried_before_anything_is_built(folder, monkeypatch):
    (folder / "build").touch()
    result = gemm(folder)
    assert result.exit_code == 2
    assert "build is a file, and a folder is needed there" in result.stderr


def test_variables_of_other_projects_change_nothing(folder, monkeypatch):
    for name in ("COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "COCOTB_TEST_MODULES", "MODULE",
                 "TOPLEVEL", "COCOTB_TOPLEVEL", "MAKEFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS",
                 "VERILATOR_ROOT", "GPI_USERS", "LIBPYTHON_LOC", "PYGPI_PYTHON_BIN", "GUI", "WAVES",
                 "PYTHONOPTIMIZE", "COCOTB_RESULTS_FILE", "COCOTB_ENABLE_PROFILING", "SIM"):
        monkeypatch.setenv(name, "other")
    result = gemm(folder)
    assert result.exit_code == 0, result.output


def test_a_job_that_the_machine_refuses_is_reported(folder, monkeypatch):
    def refuse(*arguments, prepare=command.prepare):
        prepared = prepare(*arguments)
        job = replace(prepared.work.job, tiles=TINY_CONFIG.tile_slots + 1)
        return replace(prepared, work=replace(prepared.work, job=job))
    monkeypatch.setattr(command, "prepare", refuse)
    result = gemm(folder)
    assert result.exit_code == 3
    assert "TILES_OUT_OF_RANGE" in result.stderr


@pytest.mark.parametrize("cause", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_simulator_and_says_so(folder, cause):
    gemm(folder)  # builds the machine, if this test runs alone
    report = folder / "build/gemm/report.json"
    own = matrices(m=256, k=64, n=2048)  # half a million cycles: it can't end by itself in time
    np.save(folder / "a.npy", own.activations)
    np.save(folder / "b.npy", own.weights)
    # A shell's background jobs, and all that they start, ignore interrupts: undo that here.
    start = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
             "from pathlib import Path; import examples.command as c; "
             "c.BUILD = Path(sys.argv.pop(1)); from commands.mixdit import main; main()")
    process = subprocess.Popen(
        [sys.executable, "-c", start, folder / "build", "run", "gemm", "--activations",
         folder / "a.npy", "--weights", folder / "b.npy", *TINY],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # Of sources that have just been written no process keeps what it emits for another.
    assert "Simulating 1 job …\n" in iter(process.stdout.readline, "")
    process.send_signal(cause)
    _, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert errors == "Interrupted: the simulator was stopped, and no report written.\n"
    assert not report.exists()


def test_the_demo_sorts_channels_as_calibrated():
    orders = command.load_orders()
    layers = {layer.name: layer.activations.shape[1] for layer in command.load_layers()}
    assert {name: sorted(order) for name, order in orders.items()} == {
        name: list(range(channels)) for name, channels in layers.items()}
    assert np.array_equal(orders["q"], orders["k"])  # they share their input
    assert not np.array_equal(orders["q"], orders["out"])
