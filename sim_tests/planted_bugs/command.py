"""Plant bugs, one at a time, and see that a test turns red: ``mixdit check planted-bugs``.

Each bug is a replacement in a copy of the sources under ``build/planted``, and of its test run the
cases that ``make test`` runs in every turn. A bug that no longer applies, or that its test does
not notice, is a failure.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from commands import builds, children, tools
from commands.exit_codes import ExitCode
from commands.outputs import check_folder
from commands.running import sentences
from commands.terminal import complain, make_console
from commands.tools import ToolError

from . import BUGS, Bug

ROOT = Path(__file__).resolve().parent.parent.parent
COPY = ROOT / "build" / "planted"
PACKAGES = ("commands", "golden", "hw", "sim_tests", "quality", "docs", "perf", "simulation",
            "examples")


def turns_red(bug: Bug) -> bool:
    """Plant a bug in a fresh copy and run its test."""
    shutil.rmtree(COPY, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, COPY / package,
                        ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in ("pyproject.toml", "conftest.py", "selection.toml"):
        shutil.copy(ROOT / name, COPY)
    runtime = ROOT / "build" / "runtime"  # Verilator's own objects, the same for every model
    if runtime.is_dir():
        (COPY / "build").mkdir()
        (COPY / "build" / "runtime").symlink_to(runtime)
    path = COPY / bug.file
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace(bug.right, bug.wrong, 1), encoding="utf-8")
    done = children.run([sys.executable, "-m", "pytest", "-q", "-x", "--selection", "push",
                         "--every-turn", *bug.test.split()], cwd=COPY,
                        env=os.environ | {"PYTHONPATH": str(COPY)}, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace")
    # 1 says that tests failed, but is also what a broken environment ends with.
    if done.returncode not in (0, 1) or (done.returncode and " failed" not in done.stdout):
        raise ToolError(f"{bug.test} did not run: {bug.name}\n{done.stdout[-500:]}")
    return done.returncode == 1


def main(
    words: Annotated[list[str] | None, typer.Argument(
        metavar="[WORD]...", help="Only bugs whose name has one of these.")] = None,
) -> int:
    """Plant bugs, one at a time, and see that a test turns red.

    All take most of an hour, and an interrupted call is lost. The exit code is 1 if one stays
    unseen.

    Example: mixdit check planted-bugs rounding
    """
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    console = make_console()
    tried, unseen = [], []
    with sentences(lambda: f"Interrupted: {len(tried)} of {len(bugs)} bugs were tried, and "
                           f"{len(tried) - len(unseen)} turned a test red. None of this is kept: "
                           "the next call begins anew; words choose bugs."):
        builds.check_place(COPY)
        tools.require(tools.VERILATOR)
        check_folder(COPY)
        if not bugs:
            raise ValueError(f"no bug's name has one of {', '.join(words or ())}")
        for bug in BUGS:
            if bug.right not in (ROOT / bug.file).read_text(encoding="utf-8"):
                complain(f"{bug.file} has no {bug.right!r} to replace: {bug.name}")
                return ExitCode.DIFFERENT
        for bug in track(bugs, "Planting bugs", console=console):
            seen = turns_red(bug)
            tried.append(bug)
            unseen += [] if seen else [bug]
            console.print(f"{'red   ' if seen else 'UNSEEN'} {bug.name}  ({bug.test})")
    console.print(f"{len(bugs) - len(unseen)} of {len(bugs)} bugs turned a test red.")
    return ExitCode.DIFFERENT if unseen else ExitCode.DONE
