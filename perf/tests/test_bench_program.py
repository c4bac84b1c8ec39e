"""Programs that simulate: exit codes and sentences instead of tracebacks."""

import signal
import sys
from contextlib import nullcontext

import pytest

from examples.job_files import locked
from examples.simulation import SimulationError
from perf import check
from perf.bench_program import FAILED, INTERRUPTED, run_program


@pytest.fixture(autouse=True)
def called_without_options(monkeypatch):
    """Let programs find no options, and what they do with SIGTERM end with the test."""
    monkeypatch.setattr(sys, "argv", ["program"])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def raising(error):
    """Make a body that fails."""
    def body(console):
        raise error
    return body


def test_the_exit_code_is_the_bodys(capsys):
    assert run_program("p", "", lambda console: console.print("said") or 7, width=80) == 7
    assert capsys.readouterr().out == "said\n"


def test_a_failed_simulation_is_its_sentence(capsys):
    assert run_program("p", "", raising(SimulationError("no [b]machine")), width=5) == FAILED == 3
    assert capsys.readouterr().out == "no [b]machine\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_interrupt(capsys, number):
    code = run_program("p", "", lambda console: signal.raise_signal(number), width=80)
    assert code == INTERRUPTED == 130
    assert "no report written" in capsys.readouterr().out


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        run_program("p", "", raising(ZeroDivisionError()), width=80)


def test_help_is_printed_and_an_option_refused(monkeypatch, capsys):
    for option, code, text in (("--help", 0, "What it does."), ("--seed", 2, "unrecognized")):
        monkeypatch.setattr(sys, "argv", ["program", option])
        with pytest.raises(SystemExit) as exit_:
            run_program("p", "What it does.", raising(ZeroDivisionError()), width=80)
        said = capsys.readouterr()
        assert exit_.value.code == code and text in said.out + said.err


@pytest.mark.parametrize("is_used", [False, True])
def test_a_check_that_is_under_way_is_not_disturbed(tmp_path, monkeypatch, capsys, is_used):
    monkeypatch.setattr(check, "FOLDER", tmp_path / "check")
    monkeypatch.setattr(check, "MACHINES", {})
    with locked(tmp_path / "check.lock") if is_used else nullcontext():
        code = run_program("perf.check", "", check.main, width=200)
    assert code == (FAILED if is_used else check.DIFFERENT)
    assert ("Another check is using" in capsys.readouterr().out) == is_used
