"""The command line: what it prints and writes, and one sentence for every mistake."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from commands.tests import calling
from perf.studies.system import load_preset, run_model
from perf.workloads import load_models


def call(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return calling.call("study", *arguments)


@pytest.fixture
def grid(tmp_path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text('preset = "edge"\nmodels = ["dit-256"]\n[axes]\ncores = [1, 2]\n'
                    'drain_rows = [1, 3]\n')
    return path


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("model", "dit-128"), "There is no model 'dit-128'; there are dit-256, dit-512, pixart-1024, "
     "sd3-1024"),
    (("model", "--policy", "mx7"), "There is no policy 'mx7'; there are mx6, mixdit, "),
    (("model", "--preset", "mainframe"), "There is no preset 'mainframe'"),
    (("layer", "dit-128"), "There is no model 'dit-128'"),
    (("layer", "dit-256", "--policy", "mx7"), "There is no policy 'mx7'"),
    (("layer", "dit-256", "--preset", "mainframe"), "There is no preset 'mainframe'"),
    (("sweep", "--axis", "cores"), "An axis is written name=value,value,…"),
    (("sweep", "--axis", "wheels=4"), "There is no axis 'wheels'"),
    (("sweep", "--axis", "cores=1", "--preset", "mainframe"), "There is no preset 'mainframe'"),
    (("sweep", "--axis", "cores=1", "--policy", "mx7"), "There is no policy 'mx7'"),
    (("sweep", "--axis", "cores=1", "--model", "dit"), "There is no model 'dit'"),
    (("sweep", "--grid", "nowhere.toml"), "nowhere.toml cannot be read: No such file"),
    (("sweep", "--axis", "cores=1", "--cluster", "localhost"), "A cluster's address is"),
    (("sweep", "--axis", "cores=1", "--cluster", "tcp://127.0.0.1:9"),
     "No scheduler answers at tcp://127.0.0.1:9."),
    (("report", "--preset", "mainframe"), "There is no preset 'mainframe'"),
    (("report", "--grid", "nowhere.toml", "--preset", "edge"), "nowhere.toml cannot be read"),
])
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, sentence, tmp_path, monkeypatch):
    if "--cluster" in arguments:
        pytest.importorskip("distributed", reason="dask.distributed is not installed")
        monkeypatch.setattr("perf.studies.sweep.runner.CONNECT_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.lower().startswith(sentence.lower())
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_broken_files_are_named(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("rows = ")
    for arguments in (("sweep", "--grid", broken), ("model", "--preset", broken),
                      ("layer", "dit-256", "--preset", broken)):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "broken.toml is not TOML" in result.stderr


def test_a_preset_that_is_no_machine_says_why(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text("rows = 8\ncols = 16\ndrain_lanes = 48\n")
    result = call("model", "dit-256", "--preset", path)
    assert result.exit_code == 2
    assert "drain_lanes must be cols=16 times a power of two" in result.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for options in (("sweep", "--store", tmp_path / "file" / "a.jsonl"),
                    ("report", "--out", tmp_path / "file" / "a")):
        result = call(*options)
        assert result.exit_code == 2
        assert str(tmp_path / "file") in result.stderr


def test_model_prints_what_the_runs_say():
    arguments = ("model", "dit-256", "--preset", "edge", "--policy", "mx6", "--policy", "mixdit")
    shown, result = call(*arguments), call(*arguments, "--json")
    assert (shown.exit_code, result.exit_code) == (0, 0)
    written = json.loads(result.stdout)
    assert result.stderr == shown.stdout
    assert [each["policy"] for each in written["runs"]] == ["mx6", "mixdit"]
    for each in written["runs"]:
        run = run_model(load_preset("edge"), load_models()["dit-256"], each["policy"])
        assert each["step_seconds"] == run.step_seconds
        assert each["image_seconds"] == {str(steps): steps * run.step_seconds
                                         for steps in (20, 50, 100, 250)}
        assert f"{1e3 * run.step_seconds:.2f}" in shown.stdout
    assert call(*arguments, "--json").stdout == result.stdout


def test_layer_prints_every_layer():
    result = call("layer", "dit-256", "--preset", "edge", "--json")
    assert result.exit_code == 0
    run = run_model(load_preset("edge"), load_models()["dit-256"])
    written = json.loads(result.stdout)["layers"]
    assert [each["name"] for each in written] == [layer.name for layer in run.layers]
    assert [each["seconds"] for each in written] == [layer.seconds for layer in run.layers]


def test_sweep_says_what_it_refused_and_goes_on_where_it_stopped(tmp_path, grid):
    store = tmp_path / "s.jsonl"
    result = call("sweep", "--grid", grid, "--store", store, "--json", "--jobs", "1")
    assert result.exit_code == 0
    assert "4 points: 2 machines, 2 refused" in result.stderr
    assert "drain_lanes must be cols=16 times a power of two" in result.stderr
    lines = store.read_text().splitlines(keepends=True)
    store.write_text("".join(lines[:2]) + lines[2][:20])
    again = call("sweep", "--grid", grid, "--store", store, "--json", "--jobs", "1")
    assert (again.stdout, again.stderr) == (result.stdout, result.stderr)
    assert sorted(store.read_text().splitlines(keepends=True)) == sorted(lines)


def test_sweep_takes_axes_from_options(tmp_path, grid):
    result = call("sweep", "--axis", "cores=1", "--axis", "vector_lanes=64,128", "--preset", "edge",
                  "--model", "dit-256", "--store", tmp_path / "s.jsonl", "--json", "--jobs", "1")
    assert result.exit_code == 0
    assert [each["changes"] for each in json.loads(result.stdout)["records"]] == [
        {"cores": 1, "vector_lanes": 64}, {"cores": 1, "vector_lanes": 128}]


def test_a_store_of_something_else_is_refused(tmp_path, grid):
    store = tmp_path / "s.jsonl"
    store.write_text("hello\n")
    result = call("sweep", "--grid", grid, "--store", store)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Line 1 of {store} is no record")


def test_report_writes_the_same_page_and_numbers_twice(tmp_path, grid):
    written = []
    for name in ("a", "b"):
        result = call("report", "--preset", "edge", "--grid", grid, "--out", tmp_path / name,
                      "--jobs", "1")
        assert result.exit_code == 0
        written.append([(tmp_path / name / file).read_text()
                        for file in ("report.html", "report.md", "report.json")])
    assert written[0] == written[1]
    assert 'id="sweep"' in written[0][0]
    assert len(json.loads(written[0][-1])["runs"]) == 16
    assert "| dit-256 | mixdit |" in written[0][1]


def test_report_exits_with_1_when_a_target_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("perf.studies.report.claims.PERFECT", 1e9)
    result = call("report", "--no-sweep", "--out", tmp_path)
    assert result.exit_code == 1
    assert "NO" in result.stdout
    assert (tmp_path / "report.html").exists()
