"""The records of one model: every policy with its seeds."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from quality.harness.record import SCHEMA
from quality.harness.settings import REFERENCE
from quality.report.student import quantile, two_sided

Record = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure over seeds.

    Parameters
    ----------
    values : tuple of float
        One for each seed that has it.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return mean(self.values)

    @property
    def spread(self) -> float:
        """The sample standard deviation over seeds; 0 of one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean by Student's t, the seeds as the sample; None of one."""
        if len(self.values) < 2:
            return None
        reach = quantile(len(self.values) - 1) * self.spread / math.sqrt(len(self.values))
        return self.mean - reach, self.mean + reach

    @property
    def p(self) -> float | None:
        """The probability of a mean so far from 0, were it 0; None of one seed."""
        if len(self.values) < 2:
            return None
        if not self.spread:
            return 0.0 if self.mean else 1.0
        t = self.mean / (self.spread / math.sqrt(len(self.values)))
        return two_sided(t, len(self.values) - 1)

    def times(self, factor: float) -> "Figure":
        """Return the same in another unit."""
        return Figure(tuple(value * factor for value in self.values))

    def text(self, style: str) -> str:
        """Write mean and spread, such as ``+0.073 ± 0.005``."""
        if not self.values:
            return ""
        if len(self.values) == 1:
            return f"{self.mean:{style}}"
        return f"{self.mean:{style}} ± {self.spread:{style.replace('+', '')}}"


@dataclass(frozen=True)
class Study:
    """All records of a model.

    Parameters
    ----------
    folder : Path
        Where they lie.
    policies : dict
        Records by policy, the reference first, then by falling activation width.
    """

    folder: Path
    policies: dict[str, list[Record]]

    @property
    def any_record(self) -> Record:
        """One of them, for what all share."""
        return next(iter(self.policies.values()))[0]

    @property
    def quantized(self) -> list[str]:
        """The policies beside the reference."""
        return [name for name in self.policies if name != REFERENCE]

    def figure(self, policy: str, *path: str) -> Figure:
        """Return a figure of a policy by its keys in the records; without None, which is infinite.

        A seed that does not have it is left out.
        """
        return Figure(tuple(self._by_seed(policy, path).values()))

    def difference(self, first: str, second: str, *path: str) -> Figure:
        """Return by how much a figure of one policy exceeds another's, seed by seed.

        Both drew from the same noise, so most of what a seed does to either cancels. A seed that
        one of them does not have is left out.
        """
        minuends, subtrahends = self._by_seed(first, path), self._by_seed(second, path)
        return Figure(
            tuple(minuends[seed] - subtrahends[seed] for seed in minuends if seed in subtrahends)
        )

    def _by_seed(self, policy: str, path: Sequence[str]) -> dict[int, float]:
        values = {}
        for record in self.policies[policy]:
            value: Any = record
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                values[record["seed"]] = float(value)
        return values

    def series(self, policy: str, key: str) -> list[float]:
        """Return a probe's figures by step, averaged over seeds; NaN where all are infinite."""
        columns = zip(*(record["probe"][key] for record in self.policies[policy]), strict=True)
        return [_mean([value for value in column if value is not None]) for column in columns]


def load_study(folder: Path) -> Study:
    """Read all records below a model's folder.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If a file is none, or the records are of different experiments.
    """
    paths = sorted(folder.glob("*/seed-*.json"))
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no records: write them with `mixdit quality evaluate`"
        )
    records = [_read(path) for path in paths]
    for name, of in SHARED.items():
        found = {json.dumps(of(record)) for record in records}
        if len(found) > 1:
            raise ValueError(
                f"{folder} holds records of {name} {' and '.join(sorted(found))}: run "
                "`mixdit quality evaluate` with all policies again, or remove the older ones"
            )
    policies: dict[str, list[Record]] = {}
    for record in records:
        policies.setdefault(record["policy"], []).append(record)
    if REFERENCE not in policies:
        raise ValueError(f"{folder} holds no records of {REFERENCE}, to which all are compared")
    order = sorted(policies, key=lambda name: (name != REFERENCE, -_width(policies[name]), name))
    return Study(folder, {name: policies[name] for name in order})


SHARED: dict[str, Callable[[Record], Any]] = {
    "the model": lambda record: record["model"],
    "image counts": lambda record: record["images"],
    "batch sizes": lambda record: record["batch"],
}
"""What records must have in common to stand in one table."""


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        schema = record["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of `mixdit quality evaluate`") from error
    if schema != SCHEMA:
        raise ValueError(f"{path} has schema {schema}, and this is {SCHEMA}: write it again")
    return record


def _width(records: Sequence[Record]) -> float:
    return mean(record["bits"]["activation"] for record in records)


def _mean(values: list[float]) -> float:
    return mean(values) if values else float("nan")
