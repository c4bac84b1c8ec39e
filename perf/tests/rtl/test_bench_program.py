"""Programs that simulate: exit codes and sentences instead of tracebacks."""

import signal

import pytest

from commands.exit_codes import ExitCode
from perf.rtl import check, check_lists
from perf.rtl.bench_program import run_program
from simulation.running import SimulationError


def code_of(body, folder, width=80):
    """Run a program to the end; return its exit code."""
    try:
        return run_program(body, width=width, folder=folder)
    except SystemExit as end:
        return end.code


def raising(error):
    """Make a body that fails."""
    def body(console):
        raise error
    return body


def test_the_exit_code_is_the_bodys(tmp_path, capsys):
    assert code_of(lambda console: console.print("said") or 7, tmp_path) == 7
    assert capsys.readouterr().out == "said\n"


def test_a_failed_simulation_is_its_sentence(tmp_path, capsys):
    assert code_of(raising(SimulationError("no [b]machine")), tmp_path, width=5) == ExitCode.FAILED
    assert capsys.readouterr().err == "no [b]machine\n"


def test_a_signal_is_an_interrupt(tmp_path, capsys):
    code = code_of(lambda console: signal.raise_signal(signal.SIGINT), tmp_path)
    assert code == ExitCode.INTERRUPTED
    assert "no report written" in capsys.readouterr().err


def test_other_errors_are_not_hidden(tmp_path):
    with pytest.raises(ZeroDivisionError):
        code_of(raising(ZeroDivisionError()), tmp_path)


def test_a_folder_that_is_a_file_is_found_before_the_body(tmp_path, capsys):
    (tmp_path / "folder").touch()
    assert code_of(raising(ZeroDivisionError()), tmp_path / "folder") == ExitCode.MISTAKE
    assert "folder is a file, and a folder is needed there" in capsys.readouterr().err


def test_a_check_without_machines_proves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "FOLDER", tmp_path / "check")
    for each in (check, check_lists):
        monkeypatch.setattr(each, "MACHINES", {})
    assert code_of(check.run, tmp_path / "check", width=200) == ExitCode.DIFFERENT
