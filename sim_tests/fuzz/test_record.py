"""A run that was interrupted goes on; what it found stays, and other code begins anew."""

import json
from dataclasses import replace

import pytest

from hw.host.driver_errors import MachineError
from sim_tests.fuzz.command import CAMPAIGN
from sim_tests.fuzz.record import Record, totals

NAMES = ["4x4", "3x5"]


class Noted:
    """Note the simulations instead of running them: one fails, and the fourth is interrupted."""

    def __init__(self):
        self.calls, self.built = [], []
        self.campaign = replace(CAMPAIGN, simulate=self.simulate, build=self.build,
                                digest=lambda name: f"text of {name}")

    def build(self, name):
        self.built.append(name)
        return name

    def simulate(self, library, name, jobs, seed):
        self.calls.append((name, jobs, seed))
        if len(self.calls) == 4:
            raise KeyboardInterrupt
        if (name, seed) == ("3x5", 1):
            raise MachineError("hung")
        return {"good": jobs - 1, "refused": 1}

    def run(self, path, jobs, code):
        """Run jobs with a record; tell whether one failed."""
        return self.campaign.try_all(NAMES, jobs, 1, Record(path), code)

    def totals(self, path, code):
        return totals(Record(path), code, CAMPAIGN.machines, "jobs")


def test_a_run_goes_on_where_it_was_interrupted(tmp_path):
    ran = Noted()
    path = tmp_path / "record.jsonl"
    with pytest.raises(KeyboardInterrupt):
        ran.run(path, 600, "now")
    assert ran.calls == [("4x4", 125, 1), ("3x5", 125, 1), ("4x4", 125, 2), ("3x5", 125, 2)]
    with path.open("a") as file:
        file.write('{"machine": "4x4", "seed": 3, "jo')  # killed while it wrote
    assert ran.run(path, 600, "now"), "the failure is still there"
    assert ran.calls[4:] == [("3x5", 125, 2), ("4x4", 50, 3), ("3x5", 50, 3)]
    sums = ran.totals(path, "now")
    assert sums["jobs"] == 600
    assert sums["machines"]["4x4"]["seeds"] == [[1, 3]]
    assert sums["machines"]["4x4"]["counts"] == {"good": 297, "refused": 3, "simulations": 3}
    assert sums["failures"] == [{"machine": "3x5", "seed": 1, "jobs": 125, "error": "hung"}]
    json.dumps(sums)


def test_a_record_that_lacks_nothing_needs_no_build(tmp_path):
    ran = Noted()
    path = tmp_path / "record.jsonl"
    ran.run(path, 2, "now")
    ran.built.clear()
    ran.run(path, 2, "now")
    assert (len(ran.calls), ran.built) == (2, [])
    ran.run(path, 3, "now")
    assert ran.built == ["4x4"]  # the other machine has all of its jobs


def test_other_code_begins_anew_and_keeps_what_was(tmp_path):
    ran = Noted()
    path = tmp_path / "record.jsonl"
    ran.run(path, 2, "then")
    ran.run(path, 1, "now")
    ran.run(path, 2, "then")
    assert ran.calls == [("4x4", 1, 1), ("3x5", 1, 1), ("4x4", 1, 1)]
    assert [ran.totals(path, code)["jobs"] for code in ("then", "now")] == [2, 1]


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
