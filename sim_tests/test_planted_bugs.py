"""The command that plants bugs: what it says when it is interrupted."""

from commands.exit_codes import ExitCode
from commands.tests.calling import call
from sim_tests.planted_bugs import BUGS, command


def test_an_interrupt_says_how_far_it_came_and_that_nothing_is_kept(monkeypatch, tmp_path):
    answers = iter([True, False, True])

    def turns_red(bug):
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "COPY", tmp_path)
    monkeypatch.setattr(command, "turns_red", turns_red)
    result = call("check", "planted-bugs")
    assert result.exit_code == ExitCode.INTERRUPTED
    assert result.stderr.startswith(
        f"Interrupted: 3 of {len(BUGS)} bugs were tried, and 2 turned a test red. "
        "None of this is kept: the next call begins anew")
