"""The command: which benches run, which of them could not, and what is kept of them."""

from collections import Counter
from pathlib import Path

import pytest

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from sim_tests.coverage import command
from sim_tests.coverage.benches import Bench
from sim_tests.coverage.points import Point
from sim_tests.coverage.record import write_counts
from sim_tests.coverage.running import Outcome, kept, run

REACHES = """
from sim_tests import simulators
from sim_tests.coverage.points import Point
def test():
    counts = simulators.SIMULATORS["verilator"]._take.__self__
    counts.reached[Point("hw/a.py", 1, "line")] = 1
"""


class Written(Bench):
    """A bench outside of the project."""

    arguments = property(lambda self: [str(self.path)])
    version = "1"


def bench(folder: Path, text: str) -> Bench:
    path = folder / "test_written.py"
    path.write_text(text, encoding="utf-8")
    return Written(path)


@pytest.mark.parametrize(("text", "has_counts", "has_run"), [
    (REACHES, True, True),
    (f"{REACHES}    assert False\n", False, True),
    ("def test():\n    assert False\n", False, False),
    ("def test():\n    pass\n", False, False),
    ("import nothing_of_that_name\n", False, False),
], ids=["passes", "fails", "fails before", "simulates nothing", "no package"])
def test_a_bench_that_cannot_run_is_told_from_one_that_fails(tmp_path, text, has_counts, has_run):
    outcome = run(bench(tmp_path, text), tmp_path)
    log = outcome.log.read_text(encoding="utf-8")
    assert (outcome.counts is not None, outcome.has_run) == (has_counts, has_run), log


def test_a_bench_that_cannot_run_is_named_and_no_shares_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "run_all", lambda benches, folder, jobs: [
        Outcome(each, None, folder / f"{each.name}.log", has_run=False) for each in benches])
    result = call("check", "coverage", "skid_buffer", "--out", tmp_path)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == (f"skid_buffer could not run: the end of {tmp_path}/runs/"
                             "skid_buffer.log says why\n")
    assert "%" not in result.stdout and not (tmp_path / "coverage.json").exists()


@pytest.mark.parametrize("name", ["skid_buffer", "streams/skid_buffer"])
def test_a_module_is_named_whole_or_in_short(tmp_path, monkeypatch, name):
    ran = []

    def run_all(benches, folder, jobs):
        ran.extend(each.name for each in benches)
        path = tmp_path / "counts.gz"
        write_counts(path, Counter({Point("hw/streams/skid_buffer.py", 1, "line"): 1}))
        return [Outcome(each, path, path) for each in benches]

    monkeypatch.setattr(command, "run_all", run_all)
    result = call("check", "coverage", name, "--out", tmp_path)
    assert (result.exit_code, ran) == (ExitCode.DONE, ["skid_buffer"]), result.stderr
    assert "hw/streams/skid_buffer.py" in (tmp_path / "coverage.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("broken", ["counts", "version"])
@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"\x94", None])
def test_what_is_kept_and_cannot_be_read_counts_as_not_done(tmp_path, broken, content):
    made = bench(tmp_path, "")
    counts, stamp = tmp_path / f"{made.name}.json.gz", tmp_path / f"{made.name}.version"
    write_counts(counts, Counter({Point("hw/a.py", 1, "line"): 1}))
    stamp.write_text(made.version, encoding="utf-8")
    assert kept(made, tmp_path) == counts
    path = counts if broken == "counts" else stamp
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    assert kept(made, tmp_path) is None


def test_a_record_of_the_page_that_cannot_be_read_is_named_before_the_work(tmp_path, monkeypatch):
    gates = tmp_path / "gates.json"
    gates.write_text('{"netl', encoding="utf-8")
    monkeypatch.setattr(command.documents, "TABLES", {
        command.documents.COVERAGE: None, gates: None})
    monkeypatch.setattr(command, "run_all", lambda *_: pytest.fail("the benches run"))
    result = call("check", "coverage", "--keep", "--out", tmp_path)
    assert result.exit_code == ExitCode.MISTAKE
    assert result.stderr.startswith(f"the record {gates} is missing or broken")
