"""The study as JSON, for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from perf.studies.report.breakdown import parts_of_model
from perf.studies.report.estimates import DRAM, energy_rows
from perf.studies.report.study import Entry, Study
from perf.studies.sweep import figures_version
from perf.studies.system import LayerRun, ModelRun
from reporting.claim import Claim

SCHEMA = 1
"""Grows when a key changes its meaning or leaves."""


def study_record(study: Study, claims: Sequence[Claim] = ()) -> dict[str, Any]:
    """Give every number of a study; no dates, no paths, so that equal runs give equal files."""
    return {
        "schema": SCHEMA, "code": figures_version(), "preset": asdict(study.preset),
        "silicon": {**asdict(study.silicon), "area": study.silicon.area},
        "runs": [_entry(entry) for entry in study.entries],
        "energy_estimate": {
            "dram": asdict(DRAM),
            "joules_per_evaluation": {
                title: {row.title: {**asdict(row.estimate), "total": row.estimate.total}
                        for row in rows}
                for title, rows in energy_rows(study).items()}},
        "claims": [{**asdict(claim), "met": claim.met} for claim in claims],
    }


def layers_record(run: ModelRun) -> dict[str, Any]:
    """Give every number of a model's layers."""
    return {"schema": SCHEMA, "code": figures_version(), "preset": asdict(run.preset),
            "model": run.model.name, "policy": run.policy.name, "step_seconds": run.step_seconds,
            "layers": [_layer(layer) for layer in run.layers]}


def _entry(entry: Entry) -> dict[str, Any]:
    run = entry.run
    steps = {*run.images, *(each.steps for each in run.model.samplings)}
    return {
        "model": run.model.name, "policy": run.policy.name, "step_seconds": run.step_seconds,
        "image_seconds": {str(each): run.image_seconds(each) for each in sorted(steps)},
        "usual_steps": [each.steps for each in run.model.samplings],
        "speedups": asdict(entry.comparison), "roofline_ratio": run.roofline_ratio,
        "utilisation": run.utilisation, "dram_bytes": asdict(run.traffic),
        "seconds_by_bound": {bound.value: each for bound, each in run.seconds_by_bound().items()},
        "seconds_by_part": {part.value: each for part, each in parts_of_model(run).items()},
    }


def _layer(layer: LayerRun) -> dict[str, Any]:
    return {name: value for name, value in asdict(layer).items() if name != "energy"}
