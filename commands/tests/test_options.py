"""What options of several commands take."""

from pathlib import Path

import pytest
import typer

from commands import deferred, mixdit
from commands.tests.calling import call

MEMBERS = mixdit.GROUPS["check"][2]


FILES = {"workloads"}
"""Commands whose --out is a file."""


def commands_with_folders() -> list[str]:
    loaded = {name: deferred.Deferred(name, *what).load() for name, what in MEMBERS.items()}
    return [name for name, command in loaded.items() if name not in FILES
            and any("--out" in each.opts for each in command.params)]


@pytest.mark.parametrize("given", [("--out", ""), ("--out=",)], ids=" ".join)
def test_an_empty_folder_is_refused(given):
    names = commands_with_folders()
    assert {"coverage", "formal", "mutants"} <= set(names)
    for name in names:
        command = deferred.Deferred(name, *MEMBERS[name])
        with pytest.raises(typer.BadParameter, match="an empty name is no folder"):
            command.make_context(name, list(given))


def test_a_folder_is_taken_as_it_is():
    command = deferred.Deferred("formal", *MEMBERS["formal"])
    for given, folder in ((["--out", "."], "."), (["--out", "a/b"], "a/b"), ([], "build/formal")):
        assert command.make_context("formal", given).params["out"] == Path(folder)


def test_the_sentence_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("check", "formal", "--out", "", "no_such_proof")
    assert result.exit_code == 2 and "an empty name is no folder" in result.stderr
    assert not list(tmp_path.iterdir())
