"""Works and their outcomes as files, between a command and the simulator it starts."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

import golden
from commands.outputs import write_text
from golden import MXTensor
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import Job
from sim_tests.machine import Results, Work

_STALLS = "stalls.json"
_JOBS, _ARRAYS, _TENSORS = "jobs.json", "arrays.npz", "tensors.safetensors"
_RESULTS, _COUNTERS = "results.npz", "counters.json"

_DATA = ("activations", "weights", "bias", "order", "static_tags")
_CHOICES = {"kind": JobKind, "output": Output, "selection": Selection}


@dataclass(frozen=True)
class Outcome:
    """What a job gave.

    Attributes
    ----------
    results : ndarray or list of bytes
        Patterns of floating-point results, shape (m, n), or packets of MX blocks.
    counters : dict of str to int
        The machine's counters, see `hw.registers.map.COUNTERS`.
    """

    results: Results
    counters: dict[str, int] | None

    @property
    def patterns(self) -> np.ndarray:
        """Results in floating point."""
        return self.results


def write_works(folder: Path, works: Sequence[Sequence[Work]]) -> None:
    """Write groups of works; the jobs of a group will run back to back."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / _JOBS, json.dumps([[_fields(work.job) for work in group]
                                           for group in works]))
    flat = [work for group in works for work in group]
    data = {f"{index}.{name}": getattr(work, name)
            for index, work in enumerate(flat) for name in _DATA}
    np.savez(folder / _ARRAYS, **{
        name: each for name, each in data.items() if isinstance(each, np.ndarray)})
    tensors = {name: each for name, each in data.items() if isinstance(each, MXTensor)}
    if tensors:
        golden.save(folder / _TENSORS, tensors)


def _fields(job: Job) -> dict[str, Any]:
    """Give a job's fields, enumerations by name."""
    return {name: value.name if isinstance(value, Enum) else value
            for name, value in asdict(job).items()}


def read_works(folder: Path) -> list[list[Work]]:
    """Read what `write_works` wrote."""
    path = folder / _TENSORS
    data: dict[str, Any] = golden.load(path) if path.exists() else {}
    with np.load(folder / _ARRAYS) as arrays:
        data |= arrays
    works: list[list[Work]] = []
    index = 0
    for group in json.loads((folder / _JOBS).read_text(encoding="utf-8")):
        works.append([])
        for fields in group:
            fields |= {name: kind[fields[name]] for name, kind in _CHOICES.items()}
            works[-1].append(
                Work(Job(**fields), *(data.get(f"{index}.{name}") for name in _DATA)))
            index += 1
    return works


def write_stalls(folder: Path, stalls: Sequence[float]) -> None:
    """Write for each group in what share of the cycles every stream stalls."""
    write_text(folder / _STALLS, json.dumps(list(stalls)))


def read_stalls(folder: Path) -> list[float]:
    """Read what `write_stalls` wrote."""
    return json.loads((folder / _STALLS).read_text(encoding="utf-8"))


def write_outcomes(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of all groups' jobs, in order."""
    arrays = {}
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome.results, np.ndarray):
            arrays[f"{index}"] = outcome.results
        else:
            arrays |= {f"{index}.{number}": np.frombuffer(packet, np.uint8)
                       for number, packet in enumerate(outcome.results)}
    np.savez(folder / _RESULTS, **arrays)
    write_text(folder / _COUNTERS, json.dumps([outcome.counters for outcome in outcomes]))


def read_outcomes(folder: Path) -> list[Outcome]:
    """Read what `write_outcomes` wrote."""
    with np.load(folder / _RESULTS) as arrays:
        results: dict[int, Any] = {}
        for name, array in arrays.items():
            index, _, number = name.partition(".")
            if number:
                results.setdefault(int(index), []).append(array.tobytes())
            else:
                results[int(index)] = array
    counters = json.loads((folder / _COUNTERS).read_text(encoding="utf-8"))
    return [Outcome(results[index], each) for index, each in enumerate(counters)]
