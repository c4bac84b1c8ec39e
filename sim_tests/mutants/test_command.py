"""The command: which modules it takes, and what it reads of before."""

import json

import pytest

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from sim_tests.mutants import command, trial
from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.task import Task


@pytest.fixture
def examined(monkeypatch):
    """Note the modules instead of making mutants of them."""
    modules = []

    class Noted:
        seconds = 0.0

        def __init__(self, benches, *_):
            modules.extend(each.module for each in benches)

        def run(self):
            return {module: [Mutant(module, "", "", "c", "$and", 0, "inv", "A", 0, fate="killed")]
                    for module in modules}

    monkeypatch.setattr(command, "Examination", Noted)
    return modules


def test_a_module_is_named_whole_or_in_short(examined, tmp_path):
    result = call("check", "mutants", "skid_buffer", "streams/skid_buffer", "engines",
                  "--out", tmp_path)
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert examined == ["streams/skid_buffer", "engines"]


@pytest.mark.parametrize("content", ["", '{"per_module": 28, "mod', '{"per_module": 28}',
                                     '{"modules": {}}'])
def test_a_record_that_cannot_be_read_is_named_before_the_work(
        examined, tmp_path, monkeypatch, content):
    record = tmp_path / "mutants.json"
    record.write_text(content, encoding="utf-8")
    monkeypatch.setattr(command, "RECORD", record)
    result = call("check", "mutants", "--sample", 1, "--out", tmp_path)
    assert (result.exit_code, examined) == (ExitCode.MISTAKE, [])
    assert result.stderr.startswith(f"the record {record} is missing or broken")


def test_a_module_of_the_record_is_replaced(examined, tmp_path, monkeypatch):
    record = tmp_path / "mutants.json"
    left = {"killed": 0, "equivalent": 0, "explained": 0, "survived": 1, "left": [{"place": "x"}]}
    before = {"per_module": 28, "seed": 1, "seconds": 5,
              "modules": {"accelerator": left, "engines": left, "gone": left}}
    record.write_text(json.dumps(before), encoding="utf-8")
    monkeypatch.setattr(command, "RECORD", record)
    result = call("check", "mutants", "engines", "--keep", "--out", tmp_path)
    assert result.exit_code == ExitCode.DONE, result.stderr
    after = json.loads(record.read_text(encoding="utf-8"))
    killed = {"killed": 1, "equivalent": 0, "explained": 0, "survived": 0, "left": []}
    assert after == {**before, "modules": {"accelerator": left, "engines": killed}}


@pytest.mark.parametrize("option", ["--seed", "--per-module"])
def test_other_mutants_do_not_mix_with_those_of_the_record(
        examined, tmp_path, monkeypatch, option):
    record = tmp_path / "mutants.json"
    record.write_text('{"per_module": 28, "seed": 1, "seconds": 5, "modules": {}}')
    monkeypatch.setattr(command, "RECORD", record)
    result = call("check", "mutants", "engines", "--keep", option, 2, "--out", tmp_path)
    assert (result.exit_code, examined) == (ExitCode.MISTAKE, [])
    assert "has 28 mutants of each module, drawn by seed 1" in result.stderr


def test_a_sample_is_of_what_the_record_has(examined, tmp_path, monkeypatch):
    record = tmp_path / "mutants.json"
    known = {name: {"left": []} for name in ("engines", "streams/skid_buffer", "registers/csr")}
    record.write_text(json.dumps(
        {"per_module": 28, "seed": 1, "seconds": 5, "modules": known}), encoding="utf-8")
    monkeypatch.setattr(command, "RECORD", record)
    result = call("check", "mutants", "--sample", 10, "--out", tmp_path)
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert set(examined) == set(known)


def test_a_trial_that_cannot_be_read_is_run_again(tmp_path, monkeypatch):
    task, runs = Task("streams/test_skid_buffer.py", ["streams/skid_buffer"], 1, 1), []

    class Done:
        returncode = 0

    def pretend(*_, **__):
        runs.append(1)
        (trial.folder_of(task, tmp_path) / "report.json").write_text(json.dumps(
            {"mutants": [], "killed": {}, "top": "top", "owners": []}), encoding="utf-8")
        return Done()

    monkeypatch.setattr(trial.children, "run", pretend)
    first = trial.run(task, tmp_path)
    assert trial.run(task, tmp_path) == first and len(runs) == 1
    kept = trial.folder_of(task, tmp_path) / "trial.json"
    for content in (kept.read_bytes()[:-5], b"", b"\x94"):
        kept.write_bytes(content)
        before = len(runs)
        assert trial.run(task, tmp_path).mutants == [] and len(runs) == before + 1
