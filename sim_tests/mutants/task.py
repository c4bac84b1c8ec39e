"""What a trial is told, and what it reports: the mutants of one build, and one bench."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim_tests.mutants.mutant import Mutant
from sim_tests.mutants.netlist import Netlist

TASK = "MUTANTS_TASK"
"""Variable of the environment that holds a task as JSON."""


@dataclass(frozen=True)
class Task:
    """A trial's task.

    Attributes
    ----------
    bench : str
        A test in ``sim_tests/``, or ``fuzz`` and a machine.
    modules : sequence of str
        Whose mutants are drawn.
    count, seed : int
        How many of each, and which.
    mutants : sequence of Mutant, optional
        Those of other builds instead, where they have a sibling in this one.
    """

    bench: str
    modules: Sequence[str] = ()
    count: int = 0
    seed: int = 0
    mutants: Sequence[Mutant] | None = None

    def choose(self, netlist: Netlist,
               opened: Sequence[str] = ()) -> tuple[list[Mutant], list[int]]:
        """Choose a netlist's mutants; return them with their places among those given.

        None stands between a register and a signal in `opened`, which tests set.
        """
        if self.mutants is None:
            drawn = [mutant for module in self.modules
                     for mutant in netlist.draw(module, self.count, self.seed)
                     if not netlist.holds(mutant, opened)]
            return drawn, list(range(len(drawn)))
        found = [netlist.sibling(mutant) for mutant in self.mutants]
        places = [place for place, mutant in enumerate(found)
                  if mutant and not netlist.holds(mutant, opened)]
        return [found[place] for place in places], places

    def record(self) -> dict[str, Any]:
        """Give it as JSON values."""
        given = self.mutants and [mutant.record() for mutant in self.mutants]
        return {"bench": self.bench, "modules": list(self.modules), "count": self.count,
                "seed": self.seed, "mutants": given}

    @classmethod
    def from_environment(cls) -> tuple["Task", Path]:
        """Read the task of this process, and the folder for its report."""
        handed = json.loads(os.environ[TASK])
        task, given = handed["task"], handed["task"].pop("mutants")
        mutants = None if given is None else [Mutant.read(each) for each in given]
        return cls(**task, mutants=mutants), Path(handed["folder"])


def report(folder: Path, netlist: Netlist, mutants: Sequence[Mutant], places: Sequence[int],
           killed: Mapping[int, str], seconds: float) -> None:
    """Write ``report.json``: the mutants, who killed them, and what the build is made of.

    Parameters
    ----------
    folder : pathlib.Path
    netlist : Netlist
    mutants : sequence of Mutant
    places : sequence of int
        Of each among those given.
    killed : mapping of int to str
        Test by the number of the mutant, from 1.
    seconds : float
        Of the tests with the good netlist.
    """
    said = {"mutants": [mutant.record() for mutant in mutants], "top": netlist.name,
            "killed": {str(places[number - 1]): test for number, test in killed.items()},
            "owners": sorted(netlist.modules()), "bench_seconds": round(seconds, 2)}
    unfinished = folder / "report.unfinished"
    unfinished.write_text(json.dumps(said), encoding="utf-8")
    unfinished.replace(folder / "report.json")
