"""The machines of a sweep that no other beats in both area and latency."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from perf.studies.report.study import Study
from perf.studies.sweep import Point, Record, Value


@dataclass(frozen=True)
class Design:
    """A machine as a point of the picture.

    Attributes
    ----------
    name : str
        What it changes in its preset, or the preset's name.
    bandwidth : float
        Of DRAM, bytes per second.
    area : float
        mm².
    seconds : float
        Of an evaluation, geometric mean of the models.
    """

    name: str
    bandwidth: float
    area: float
    seconds: float


def designs(points: Sequence[Point], records: Sequence[Record]) -> list[Design]:
    """Give the machines of a sweep, without those that were refused.

    Parameters
    ----------
    points : sequence of Point
    records : sequence of Record
        Of the same points.
    """
    return [
        Design(", ".join(_words(name, value) for name, value in point.changes),
               point.machine().dram_bytes_per_s, record.figures["area_mm2"],
               geometric_mean([each["step_seconds"]
                               for each in record.figures["models"].values()]))
        for point, record in zip(points, records, strict=True) if not record.refused]


def design_of(study: Study, policy: str) -> Design:
    """Give a study's machine."""
    return Design(study.preset.name, study.preset.dram_bytes_per_s, study.silicon.area,
                  geometric_mean([entry.run.step_seconds for entry in study.of_policy(policy)]))


def front(some: Sequence[Design]) -> list[Design]:
    """Pick the machines that are faster than every other of their area or less, by area."""
    best: list[Design] = []
    for design in sorted(some, key=lambda each: (each.area, each.seconds)):
        if not best or design.seconds < best[-1].seconds:
            best.append(design)
    return best


def _words(name: str, value: Value) -> str:
    units = {"clock_hz": "GHz", "dram_bytes_per_s": "GB/s"}
    if name in units:
        return f"{value / 1e9:g} {units[name]}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"


def geometric_mean(values: Sequence[float]) -> float:
    """Average ratios: every model counts the same, however long it takes."""
    return exp(sum(map(log, values)) / len(values))
