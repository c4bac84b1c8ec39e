"""Every command's exit codes, from the call to the interrupt."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import children
from commands.exit_codes import MEANINGS, ExitCode
from commands.mixdit import COMMANDS, GROUPS, SYNTHESIS
from commands.tests.calling import MIXDIT
from commands.tests.waiting import HANG_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = ("commands", "examples", "formal", "hw", "perf", "quality", "reporting", "sim_tests",
           "simulation")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in (*FOLDERS, "golden") for path in (ROOT / folder).rglob("*.py")
    if path.name == "__main__.py"
    or re.search(r'^if __name__ == "__main__":', path.read_text(encoding="utf-8"), re.MULTILINE))
"""Files that are programs of their own."""

NAMES = [(name,) for name in (*COMMANDS, *SYNTHESIS)] + [
    (name, member) for name, (_, _, members) in GROUPS.items() for member in members]
"""All commands of ``mixdit``."""

LOCAL = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
"""An environment in which nothing beyond ASCII can be printed."""


def program(text: str, **environment: str) -> subprocess.Popen:
    """Start a program that `commands.running.start` runs; its own body is `text`."""
    lines = ["import signal, sys, time",
             "signal.signal(signal.SIGINT, signal.default_int_handler)",
             "from commands import children, running", "from commands.running import sentences",
             "def body():", *(f"    {line}" for line in text.splitlines()), "running.start(body)"]
    return subprocess.Popen(
        [sys.executable, "-c", f"exec({chr(10).join(lines)!a})"], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", env=os.environ | environment)


def test_all_commands_are_mixdits():
    """The check of tools is started by make, the generators by FuseSoC."""
    assert MODULES == ["commands.tools", "examples.soc.generate", "hw.fusesoc.generate"]


def test_nothing_starts_a_module_that_is_no_program():
    started = {module for folder in (*FOLDERS, "golden") for path in (ROOT / folder).rglob("*.py")
               for module in re.findall(rf'"-m",\s*"((?:{"|".join(FOLDERS)}|golden)\b[^"]*)"',
                                        path.read_text(encoding="utf-8"))}
    assert started <= set(MODULES)


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_a_wrong_option_is_a_mistake(name):
    done = subprocess.run(
        [*MIXDIT, *name, "--no-such-option"], cwd=ROOT, capture_output=True, text=True,
        encoding="utf-8", timeout=HANG_SECONDS, env=os.environ | LOCAL, check=False)
    assert done.returncode == ExitCode.MISTAKE, done.stderr
    assert "No such option: --no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [("verilog",), ("run", "demo"), ("study", "report"), ()],
                         ids=" ".join)
def test_a_misspelt_variable_is_refused_at_once(name):
    done = subprocess.run(
        [*MIXDIT, *name], cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
        timeout=HANG_SECONDS, env=os.environ | {"MIXDIT_SEDE": "3"}, check=False)
    assert done.returncode == ExitCode.MISTAKE
    assert done.stderr.startswith("MIXDIT_SEDE in the environment means nothing; there are MIXDIT_")
    assert not done.stdout


def test_the_readme_has_the_codes():
    table = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"),
                       re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in table] == [
        (int(code), meaning) for code, meaning in MEANINGS.items()]


HALF_DONE = """\
class HalfDone:
    def __del__(self):
        import warnings
        warnings.warn("created but never used")
"""
"""What an interrupted emission leaves."""


@pytest.mark.parametrize(("body", "code", "sentence"), [
    ("return 1", 1, ""), ("return None", 0, ""), ("sys.exit(2)", 2, ""),
    ("with sentences(): raise ValueError('k is 0')", 2, "k is 0"),
    ("with sentences(): open('/nowhere/file')", 2, "/nowhere/file: No such file or directory"),
    ("with sentences(): raise OSError(28, 'No space left on device', 'x')", 3,
     "x: No space left on device"),
    ("with sentences(): from commands.tools import require; require(['make', 'c++', 'perl'])", 3,
     "make, c++ and perl are not installed (on Debian: apt-get install make g++ perl)"),
    ("with sentences(): raise ModuleNotFoundError(name='torch')", 3,
     "torch is not installed: run `pip install '.[quality]'` first"),
    ("with sentences(): raise ModuleNotFoundError(name='pyosys')", 3,
     "pyosys is not installed: run `pip install '.[formal]'` first"),
    (f"{HALF_DONE}with sentences(): half = HalfDone(); raise ValueError('k is 0')", 2, "k is 0"),
    ("with sentences(): raise MemoryError", 3, "there is not enough memory"),
    ("raise ZeroDivisionError", 3, None), ("import nothing_of_that_name", 3, None),
])
def test_ends(body, code, sentence, tmp_path):
    process = program(body, PATH=str(tmp_path))
    _, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == code
    if sentence is None:  # a fault of the program
        assert "Traceback" in errors
    else:
        assert errors == (f"{sentence}\n" if sentence else "")


@pytest.mark.parametrize("cause", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("wait", ["children.run(['sh', '-c', 'sleep 4000 & sleep 4000'])",
                                  "time.sleep(4000)"])
def test_an_interrupt_ends_what_was_started(cause, wait):
    process = program(f"print('ready', flush=True)\n{wait}")
    assert process.stdout.readline() == "ready\n"
    if "children" in wait:
        wait_until(lambda: len(children.descendants(process.pid)) == 3)
    started = children.descendants(process.pid)
    process.send_signal(cause)
    _, errors = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, errors) == (ExitCode.INTERRUPTED, "Interrupted.\n")
    wait_until(lambda: not any(map(children._is_alive, started)))


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    numbers = tmp_path / "numbers"
    script = f"sleep 4000 & echo $! $$ > {numbers}; wait"
    with pytest.raises(subprocess.TimeoutExpired):
        children.run(["sh", "-c", script], timeout=0.5)
    assert not any(children._is_alive(int(each)) for each in numbers.read_text().split())


def test_a_process_that_follows_its_parent_ends_with_it():
    child = "from commands import children; import time; children.end_with_parent(); " \
            "print('ready', flush=True); time.sleep(4000)"
    process = program(
        "import subprocess\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, "
        "start_new_session=True)\nprint(child.pid, flush=True)\nchild.wait()")
    number = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    assert children._is_alive(number)
    process.kill()
    wait_until(lambda: not children._is_alive(number))
    process.communicate()
