"""A run that was interrupted goes on; what it found stays, and other code begins anew."""

import json

import pytest

from hw.host.driver_errors import MachineError
from sim_tests.fuzz import command as fuzz
from sim_tests.fuzz.record import Record, totals

NAMES = ["4x4", "3x5"]


@pytest.fixture
def ran(monkeypatch):
    """Note the simulations instead of running them: one fails, and the fourth is interrupted."""
    calls = []

    def simulate(library, name, jobs, seed):
        calls.append((name, jobs, seed))
        if len(calls) == 4:
            raise KeyboardInterrupt
        if (name, seed) == ("3x5", 1):
            raise MachineError("hung")
        return {"good": jobs - 1, "refused": 1}

    monkeypatch.setattr(fuzz, "simulate", simulate)
    monkeypatch.setattr(fuzz, "build", lambda name: name)
    monkeypatch.setattr(fuzz, "digest", lambda name: f"text of {name}")
    return calls


def run(path, jobs, code, monkeypatch):
    """Run jobs with a record; tell whether one failed."""
    monkeypatch.setattr(fuzz, "code", lambda: code)
    return fuzz._try_all(NAMES, jobs, 1, Record(path))


def test_a_run_goes_on_where_it_was_interrupted(ran, tmp_path, monkeypatch):
    path = tmp_path / "record.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run(path, 600, "now", monkeypatch)
    assert ran == [("4x4", 125, 1), ("3x5", 125, 1), ("4x4", 125, 2), ("3x5", 125, 2)]
    with path.open("a") as file:
        file.write('{"machine": "4x4", "seed": 3, "jo')  # killed while it wrote
    assert run(path, 600, "now", monkeypatch), "the failure is still there"
    assert ran[4:] == [("3x5", 125, 2), ("4x4", 50, 3), ("3x5", 50, 3)]
    sums = totals(Record(path), "now")
    assert sums["jobs"] == 600
    assert sums["machines"]["4x4"]["seeds"] == [[1, 3]]
    assert sums["machines"]["4x4"]["counts"] == {"good": 297, "refused": 3, "simulations": 3}
    assert sums["failures"] == [{"machine": "3x5", "seed": 1, "jobs": 125, "error": "hung"}]
    json.dumps(sums)


def test_a_record_that_lacks_nothing_needs_no_build(ran, tmp_path, monkeypatch):
    path = tmp_path / "record.jsonl"
    run(path, 2, "now", monkeypatch)
    built = []
    monkeypatch.setattr(fuzz, "build", built.append)
    run(path, 2, "now", monkeypatch)
    assert (len(ran), built) == (2, [])
    run(path, 3, "now", monkeypatch)
    assert built == ["4x4"]  # the other machine has all of its jobs


def test_other_code_begins_anew_and_keeps_what_was(ran, tmp_path, monkeypatch):
    path = tmp_path / "record.jsonl"
    run(path, 2, "then", monkeypatch)
    run(path, 1, "now", monkeypatch)
    run(path, 2, "then", monkeypatch)
    assert ran == [("4x4", 1, 1), ("3x5", 1, 1), ("4x4", 1, 1)]
    assert [totals(Record(path), code)["jobs"] for code in ("then", "now")] == [2, 1]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(ValueError, match=r"line 1 of .*notes\.txt is no record"):
        Record(path)
    assert path.read_text() == "hello\n"
    path.write_bytes(b"\x94\n")
    with pytest.raises(ValueError, match=r"notes\.txt is no record"):
        Record(path)
    with pytest.raises(ValueError, match="is no plain file"):
        Record(tmp_path)
