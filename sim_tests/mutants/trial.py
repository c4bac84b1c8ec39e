"""Run a trial in a process of its own, unless it was run before and nothing has changed."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import children, kept
from commands.outputs import whole
from commands.tools import ToolError
from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.task import TASK, Task

ROOT = Path(__file__).resolve().parents[2]

FUZZ = "fuzz"
"""Of a bench's name: the whole machine and random jobs."""


@dataclass(frozen=True)
class Outcome:
    """What a trial found.

    Attributes
    ----------
    mutants : list of Mutant
        As they are in the netlist.
    killed : dict of int to str
        Test by place among the mutants that were drawn or given.
    good : pathlib.Path
        The good netlist, if there was a mutant.
    top : str
    files : dict of str to str
        Digests of what it depends on.
    seconds : float
        Wall time of the whole trial.
    """

    mutants: list[Mutant]
    killed: dict[int, str]
    good: Path
    top: str
    files: dict[str, str]
    seconds: float


def folder_of(task: Task, out: Path) -> Path:
    """Return where a trial's files lie: by all that it was told."""
    key = hashlib.sha256(json.dumps(task.record()).encode()).hexdigest()[:10]
    name = "".join(char if char.isalnum() else "_" for char in task.bench.partition("::")[2]
                   or task.bench)
    return out / f"{name}_{key}"


def run(task: Task, out: Path) -> Outcome:
    """Run a trial, or read what it found before.

    Raises
    ------
    ToolError
        If the bench does not run, or does not pass with the good netlist.
    """
    folder = folder_of(task, out)
    trial = folder / "trial.json"
    found = kept.result(trial)
    if found and found["files"] == digests(found["files"]):
        return _outcome(folder, found)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    said, log = folder / "report.json", folder / "log.txt"
    said.unlink(missing_ok=True)
    handed = {"task": task.record(), "folder": str(folder.resolve())}
    if task.bench.startswith(FUZZ):
        command = ["-c", "from sim_tests.mutants.whole_machine import main; main()"]
        files = [f"sim_tests/fuzz/{path.name}" for path in (ROOT / "sim_tests/fuzz").glob("*.py")]
    else:
        command = ["-m", "pytest", "-q", "-s", "-p", "sim_tests.mutants.plugin",
                   f"sim_tests/{task.bench}"]
        files = [f"sim_tests/{task.bench.partition('::')[0]}", "sim_tests/bench.py",
                 "sim_tests/drive.py"]
    with log.open("w", encoding="utf-8") as file:
        done = children.run([sys.executable, *command], cwd=ROOT, stdout=file,
                            stderr=subprocess.STDOUT,
                            env={**os.environ, TASK: json.dumps(handed)})
    if done.returncode or not said.exists():
        raise ToolError(f"{task.bench} did not run well with mutants: see {log}")
    found = json.loads(said.read_text(encoding="utf-8"))
    owners = [f"hw/{owner}.py" for owner in found["owners"] if owner != "?"]
    found |= {"files": digests([*owners, *files]), "seconds": time.monotonic() - begin}
    with whole(trial) as file:
        file.write(json.dumps(found).encode())
    return _outcome(folder, found)


def _outcome(folder: Path, found: dict[str, Any]) -> Outcome:
    killed = {int(place): test for place, test in found["killed"].items()}
    return Outcome([Mutant.read(each) for each in found["mutants"]], killed,
                   folder / "netlist" / "good.il", found["top"], found["files"], found["seconds"])


def digests(files: Iterable[str]) -> dict[str, str]:
    """Return a digest of each file, by its path in the repository; "" where there is none."""
    return {file: hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""
            for file in files for path in [ROOT / file]}
