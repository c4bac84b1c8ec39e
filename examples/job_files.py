"""Works and their outcomes as files, between a command and the simulator it starts."""

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import golden
from hw.driver import Job
from hw.outlier_policy import Selection
from sim_tests.machine import Work

_JOBS, _ACTIVATIONS, _WEIGHTS = "jobs.json", "activations.npz", "weights.safetensors"
_RESULTS, _COUNTERS = "results.npz", "counters.json"


@dataclass(frozen=True)
class Outcome:
    """What a job gave.

    Attributes
    ----------
    patterns : ndarray of uint32, shape (m, n)
        Its FP32 results.
    counters : dict of str to int
        The machine's counters, see `hw.registers.COUNTERS`.
    """

    patterns: NDArray[np.uint32]
    counters: dict[str, int]


@contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Keep other processes out of what a lock file stands for.

    Raises
    ------
    BlockingIOError
        If another process is in, and this one shall not wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def write_works(folder: Path, works: Sequence[Sequence[Work]]) -> None:
    """Write groups of works; the jobs of a group will run back to back."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = [work for group in works for work in group]
    jobs = [[asdict(work.job) | {"selection": work.job.selection.name} for work in group]
            for group in works]
    (folder / _JOBS).write_text(json.dumps(jobs))
    np.savez(folder / _ACTIVATIONS, *[work.activations for work in flat])
    golden.save(folder / _WEIGHTS, {f"{index}": work.weights for index, work in enumerate(flat)})


def read_works(folder: Path) -> list[list[Work]]:
    """Read what `write_works` wrote."""
    jobs = json.loads((folder / _JOBS).read_text())
    weights = golden.load(folder / _WEIGHTS)
    works: list[list[Work]] = []
    index = 0
    with np.load(folder / _ACTIVATIONS) as activations:
        for group in jobs:
            works.append([])
            for fields in group:
                fields["selection"] = Selection[fields["selection"]]
                works[-1].append(
                    Work(Job(**fields), activations[f"arr_{index}"], weights[f"{index}"]))
                index += 1
    return works


def write_outcomes(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of all groups' jobs, in order."""
    np.savez(folder / _RESULTS, *[outcome.patterns for outcome in outcomes])
    (folder / _COUNTERS).write_text(json.dumps([outcome.counters for outcome in outcomes]))


def read_outcomes(folder: Path) -> list[Outcome]:
    """Read what `write_outcomes` wrote."""
    counters = json.loads((folder / _COUNTERS).read_text())
    with np.load(folder / _RESULTS) as results:
        return [Outcome(results[f"arr_{index}"], each) for index, each in enumerate(counters)]
