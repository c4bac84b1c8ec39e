"""What a sweep finds out about one machine."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from perf.studies.sweep.point import Point
from perf.studies.sweep.store import Record
from perf.studies.system import Preset, compare, run_model, silicon
from perf.workloads import Model, load_models


def evaluate(point: Point, key: str) -> Record:
    """Run a point's models, or say why its machine cannot be.

    Parameters
    ----------
    point : Point
    key : str
        The record's.

    Returns
    -------
    Record
        With `figures` as of `measure`, all of them numbers and words that JSON keeps exactly.
    """
    changes = dict(point.changes)
    try:
        machine = point.machine()
        figures = measure(machine, point.models, point.policy)
    except (TypeError, ValueError) as error:
        return Record(key, changes, str(error), {})
    return Record(key, changes, "", figures)


def evaluate_all(points: Sequence[tuple[Point, str]]) -> list[Record]:
    """Evaluate points with their keys, one after the other."""
    return [evaluate(point, key) for point, key in points]


def measure(machine: Preset, models: tuple[str, ...], policy: str) -> dict[str, Any]:
    """Run models on a machine.

    Parameters
    ----------
    machine : Preset
    models : tuple of str
    policy : str

    Returns
    -------
    dict of str to Any
        ``area_mm2``, ``gate_equivalents``, ``sram_bits``, ``multipliers``, and under ``models`` by
        name the seconds and bytes of one evaluation, the utilisation, the ratio to the machine's
        own roofline, and what `perf.studies.system.Comparison` says.
    """
    estimate = silicon(machine)
    found = {}
    for name in models:
        run = run_model(machine, _models()[name], policy)
        found[name] = {
            "step_seconds": run.step_seconds, "utilisation": run.utilisation,
            "roofline_ratio": run.roofline_ratio, "dram_bytes": run.traffic.total,
            **asdict(compare(run, estimate=estimate))}
    return {"area_mm2": estimate.area, "gate_equivalents": estimate.gate_equivalents,
            "sram_bits": estimate.bits, "multipliers": machine.multipliers, "models": found}


@cache
def _models() -> dict[str, Model]:
    return load_models()
