"""Try random jobs until every combination has been tried, or long enough."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commands import kept
from commands.outputs import write_text
from reporting.version import code_version
from sim_tests.coverage.functional.dimensions import Bin, bins
from sim_tests.coverage.functional.sampling import sample
from sim_tests.fuzz import command as fuzz

MACHINES = ("3x5", "4x4")

PER_SIMULATION = 125

FIRST_SEED = 1


@dataclass
class Tried:
    """What has been tried.

    Attributes
    ----------
    simulations : int
        Each of `PER_SIMULATION` jobs or some more, with a seed of its own; the machines take turns.
    counts : Counter of Bin
        Jobs by the combinations that they try.
    """

    simulations: int = 0
    counts: Counter[Bin] = field(default_factory=Counter)

    def empty(self) -> list[Bin]:
        """List the combinations that no job has tried."""
        return [each for each in bins() if not self.counts[each]]

    def text(self, version: str) -> str:
        """Write this as JSON."""
        return json.dumps({"version": version, "simulations": self.simulations, "counts": [
            [list(map(list, each)), count] for each, count in sorted(self.counts.items())]})


def version() -> str:
    """Return a number that changes with the machines and with what is tried on them."""
    return code_version(("hw/**/*.py", "golden/*.py", "simulation/**/*.py", "sim_tests/fuzz/*.py",
                         "sim_tests/stimuli/*.py", "sim_tests/coverage/functional/*.py"))


def read(path: Path) -> Tried:
    """Read what was tried of the same machines before; nothing if that cannot be read."""
    record = kept.result(path)
    if not record or record["version"] != version():
        return Tried()
    return Tried(record["simulations"], Counter({
        tuple(map(tuple, each)): count for each, count in record["counts"]}))


def try_all(path: Path, most: int, on_progress: Callable[[Tried], None]) -> Tried:
    """Go on where the last call ended.

    Parameters
    ----------
    path : pathlib.Path
        Keeps what has been tried, after each simulation.
    most : int
        Jobs in all, after which it ends, whatever is left.
    on_progress : callable
        Called after each simulation, and at first.

    Raises
    ------
    AssertionError, MachineError
        When a machine did anything wrong.
    """
    tried = read(path)
    on_progress(tried)
    while tried.empty() and tried.simulations * PER_SIMULATION < most:
        name = MACHINES[tried.simulations % len(MACHINES)]
        seed = FIRST_SEED + tried.simulations
        tried.counts += sample(fuzz.build(name), name, PER_SIMULATION, seed)
        tried.simulations += 1
        write_text(path, tried.text(version()))
        on_progress(tried)
    return tried
