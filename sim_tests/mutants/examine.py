"""What becomes of the mutants of one module: its bench, the solver, the accelerator's benches."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from commands import children
from commands.tools import ToolError
from sim_tests.mutants.benches import Benches, reasons
from sim_tests.mutants.equivalence import is_equivalent
from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.plugin import TASK

ROOT = Path(__file__).resolve().parents[2]

_ALL_BENCHES = ("sim_tests/bench.py", "sim_tests/drive.py")


@dataclass(frozen=True)
class Examined:
    """A module's mutants and their fates.

    Attributes
    ----------
    module : str
    mutants : sequence of Mutant
    files : dict of str to str
        Digests of what the result depends on.
    seconds : float
    """

    module: str
    mutants: Sequence[Mutant]
    files: dict[str, str]
    seconds: float

    @property
    def fates(self) -> Counter:
        """Count the fates."""
        return Counter(mutant.fate for mutant in self.mutants)

    @property
    def share(self) -> float:
        """Killed of those that are not equivalent; 1 where there are none."""
        different = len(self.mutants) - self.fates["equivalent"]
        return self.fates["killed"] / different if different else 1.0

    @property
    def is_current(self) -> bool:
        """Whether everything that it depends on is as it was."""
        return self.files == digests(self.files)

    def record(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return {"module": self.module, "seconds": round(self.seconds, 1), "files": self.files,
                "mutants": [mutant.record() for mutant in self.mutants]}

    @classmethod
    def read(cls, record: dict[str, Any]) -> Self:
        """Undo `record`; what is only explained is so by today's list."""
        known = reasons()
        mutants = [_explained(Mutant.read(each), known) for each in record["mutants"]]
        return cls(record["module"], mutants, record["files"], record["seconds"])


def _explained(mutant: Mutant, known: dict[tuple[str, str], str]) -> Mutant:
    """Explain a survivor by the list of reasons."""
    if mutant.fate not in ("survived", "explained"):
        return mutant
    reason = known.get((mutant.module, mutant.place))
    return mutant.end("explained", reason) if reason else mutant.end("survived", "")


def digests(files: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """Return a digest of each file, by its path in the repository; "" where there is none."""
    return {file: hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""
            for file in files for path in [ROOT / file]}


def examine(benches: Benches, count: int, seed: int, folder: Path) -> Examined:
    """Draw mutants of a module, and follow each to its end.

    Parameters
    ----------
    benches : Benches
    count : int
        Mutants, at most.
    seed : int
        Which.
    folder : pathlib.Path
        For netlists, models and logs.

    Returns
    -------
    Examined

    Raises
    ------
    ToolError
        If a bench does not run or does not pass with the good netlist.
    """
    begin = time.monotonic()
    task = {"module": benches.module, "count": count, "seed": seed}
    first = folder / "0"
    report = _try(benches.own[0], first, task, None)
    mutants = [Mutant.read(each) for each in json.loads((first / "mutants.json").read_text())]
    _kill(mutants, report, range(len(mutants)), benches.own[0])
    good = first / "netlist" / "good.il"
    top = next(iter(_modules(good)), "")
    for number, mutant in enumerate(mutants):
        if not mutant.fate and is_equivalent(mutant, good, top):
            mutants[number] = mutant.end("equivalent", "")
    for place, node in enumerate([*benches.own[1:], *benches.whole], 1):
        left = [number for number, mutant in enumerate(mutants) if not mutant.fate]
        if not left:
            break
        report_ = _try(node, folder / str(place), task, [mutants[number] for number in left])
        _kill(mutants, report_, left, node)
    known = reasons()
    ended = [mutant if mutant.fate else _explained(mutant.end("survived", ""), known)
             for mutant in mutants]
    used = [f"sim_tests/{node.partition('::')[0]}" for node in benches.own]
    files = [f"hw/{owner}.py" for owner in report["owners"] if owner != "?"]
    return Examined(benches.module, ended, digests([*files, *used, *_ALL_BENCHES]),
                    time.monotonic() - begin)


def _kill(mutants: list[Mutant], report: dict[str, Any], numbers: Sequence[int],
          node: str) -> None:
    """Mark the mutants that a trial killed; `numbers` are those that it was given."""
    for place, test in report["killed"].items():
        number = numbers[int(place)]
        mutants[number] = mutants[number].end("killed", f"{node} {test}")


def _try(node: str, folder: Path, task: dict[str, Any],
         mutants: Sequence[Mutant] | None) -> dict[str, Any]:
    """Run a bench with mutants; return its report."""
    folder.mkdir(parents=True, exist_ok=True)
    given = None if mutants is None else [mutant.record() for mutant in mutants]
    handed = {**task, "folder": str(folder.resolve()), "mutants": given}
    report, log = folder / "report.json", folder / "log.txt"
    report.unlink(missing_ok=True)
    with log.open("w", encoding="utf-8") as file:
        children.run([sys.executable, "-m", "pytest", "-q", "-s", "-p",
                      "sim_tests.mutants.plugin", f"sim_tests/{node}"], cwd=ROOT, stdout=file,
                     stderr=subprocess.STDOUT, env={**os.environ, TASK: json.dumps(handed)})
    if not report.exists():
        raise ToolError(f"{node} did not run: see {log}")
    return json.loads(report.read_text(encoding="utf-8"))


def _modules(rtlil: Path) -> list[str]:
    """Name the modules of a file in RTLIL."""
    return [line.split("\\")[1] for line in rtlil.read_text(encoding="utf-8").splitlines()
            if line.startswith("module \\")]


