"""Output on terminals of other encodings, in pipes that end early, and nowhere."""

import os
import subprocess
import sys

import pytest

from commands.exit_codes import ExitCode
from commands.tests.test_exit_codes import LOCAL, ROOT, program
from commands.tests.waiting import HANG_SECONDS

SAY = """from commands.terminal import complain, make_console
from rich.table import Table
make_console().print("1 × 2 … 中 \\udcff [b]")
table = Table("µs")
table.add_row("→")
make_console().print(table)
complain("± 3")"""


@pytest.mark.parametrize(("environment", "first"), [
    ({"PYTHONIOENCODING": "ascii"}, "1 x 2 ... ? ? [b]"),
    ({"PYTHONIOENCODING": "latin-1"}, "1 \N{MULTIPLICATION SIGN} 2 ... ? ? [b]"),
    (LOCAL, "1 x 2 ... ? ? [b]"),
    ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "1 x 2 ... ? ? [b]"),
    ({"PYTHONIOENCODING": "utf-8"}, "1 × 2 … 中 ? [b]"),
])
def test_what_cannot_be_shown_is_replaced(environment, first):
    process = program(SAY, **environment)
    for stream in (process.stdout, process.stderr):
        stream.reconfigure(encoding=environment.get("PYTHONIOENCODING", "ascii"))
    output, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, errors
    assert output.splitlines()[0] == first
    assert errors in ("+- 3\n", "± 3\n")


def test_a_reader_that_leaves_does_not_stop_the_work():
    process = program("print('first', flush=True)\nsys.stdin.readline()\n"
                      "for _ in range(100000): print('more')\n"
                      "sys.stderr.write('worked\\n')\nreturn 1")
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    assert process.stderr.read() == "worked\n"
    assert process.wait() == 1


@pytest.mark.parametrize(("redirection", "code"), [
    (">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), (">/dev/full", ExitCode.FAILED)])
def test_closed_and_full_outputs(redirection, code):
    body = "from commands import running; running.start(lambda: print('said'))"
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "{body}" {redirection}', sys.executable], cwd=ROOT,
        capture_output=True, text=True, encoding="utf-8", check=False, env=os.environ)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if code:
        assert "No space left on device" in done.stderr
