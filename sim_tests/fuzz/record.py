"""What simulations gave, a line of JSON for each: a run that was interrupted goes on from there."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.checkout import ROOT
from commands.outputs import write_text

FUZZER = ("sim_tests/fuzz", "sim_tests/stimuli", "simulation", "golden", "hw/host")
"""Folders that say what a seed does, and what is right."""

_OTHERS = {"tests", "torch", "c", "memory"}
_REPORTS = {"campaign.py", "command.py", "record.py"}
"""Folders, and files beside the fuzzer, that decide nothing."""


def code(folders: Sequence[str] = FUZZER, others: Iterable[str] = _OTHERS) -> str:
    """Digest the sources that, beside the machine's Verilog, decide what a simulation gives.

    Parameters
    ----------
    folders : sequence of str
        Where they lie; the fuzzer itself in the first.
    others : iterable of str
        Folders in them that decide nothing.
    """
    found, others = hashlib.sha256(), set(others)
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT)
            decides = not (others & set(name.parts) or name.name.startswith("test_")
                           or (name.parent == Path(folders[0]) and name.name in _REPORTS))
            if path.suffix in (".py", ".h", ".cpp") and decides:
                text = path.read_bytes()
                found.update(f"{name.as_posix()} {len(text)} ".encode() + text)
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Simulation:
    """One simulation, and what came of it.

    Attributes
    ----------
    machine : str
    seed, jobs : int
        Jobs, or lists of commands.
    verilog : str
        Digest of the machine's text.
    code : str
        From `code`.
    counts : dict of str to int
    seconds : float
    error : str
        Empty if all was right.
    """

    machine: str
    seed: int
    jobs: int
    verilog: str
    code: str
    counts: dict[str, int]
    seconds: float
    error: str = ""

    @property
    def key(self) -> tuple[Any, ...]:
        """What decides what it gives."""
        return self.machine, self.seed, self.jobs, self.verilog, self.code


class Record:
    """Simulations in a file.

    Parameters
    ----------
    path : pathlib.Path or None
        Lines are added to it; None keeps nothing.

    Raises
    ------
    ValueError
        If the file holds anything else. A last line that was cut off counts as none.
    """

    def __init__(self, path: Path | None):
        self.path = path
        self.simulations: dict[tuple[Any, ...], Simulation] = {}
        if path is None or not path.exists():
            return
        if not path.is_file():
            raise ValueError(f"{path} is no plain file: give another one as the record")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{path} is no record of simulations: give another file") from None
        whole, _, cut = text.rpartition("\n")
        if cut:
            write_text(path, f"{whole}\n" if whole else "")
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                found = Simulation(**json.loads(line))
            except (ValueError, TypeError):
                raise ValueError(f"line {number} of {path} is no record of a simulation: "
                                 "give another file") from None
            self.simulations[found.key] = found

    def add(self, simulation: Simulation) -> None:
        """Keep a simulation, on the disk at once."""
        self.simulations[simulation.key] = simulation
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(simulation)) + "\n")

    def of(self, code: str, machines: Iterable[str]) -> dict[str, list[Simulation]]:
        """List the simulations of some code by machine, in the order of these."""
        found = [each for each in self.simulations.values() if each.code == code]
        return {name: mine for name in machines
                if (mine := sorted((each for each in found if each.machine == name),
                                   key=lambda each: each.seed))}


def total(simulations: list[Simulation]) -> Counter[str]:
    """Add up what simulations counted."""
    found = sum((Counter(each.counts) for each in simulations), Counter())
    found["simulations"] = len(simulations)
    return found


def totals(record: Record, code: str, machines: Iterable[str], unit: str) -> dict[str, Any]:
    """Sum up a record for the repository: by machine, with its seeds, and all failures.

    Parameters
    ----------
    record : Record
    code : str
    machines : iterable of str
    unit : str
        What simulations are counted in: "jobs" or "lists".
    """
    found = record.of(code, machines)
    sums = {name: {
        unit: sum(each.jobs for each in mine),
        "verilog": sorted({each.verilog for each in mine}),
        "seeds": _ranges([each.seed for each in mine]),
        "seconds": round(sum(each.seconds for each in mine)),
        "counts": dict(sorted(total(mine).items())),
    } for name, mine in found.items()}
    failures = [{"machine": each.machine, "seed": each.seed, unit: each.jobs, "error": each.error}
                for mine in found.values() for each in mine if each.error]
    return {"code": code, unit: sum(each[unit] for each in sums.values()), "machines": sums,
            "failures": failures}


def _ranges(seeds: list[int]) -> list[list[int]]:
    """Write sorted numbers as first and last of each run."""
    found: list[list[int]] = []
    for seed in seeds:
        if found and seed <= found[-1][1] + 1:
            found[-1][1] = seed
        else:
            found.append([seed, seed])
    return found
