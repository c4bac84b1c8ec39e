"""Energy of the runs and of the GPU, estimated in the same way from the same table."""

from dataclasses import dataclass

from perf.studies.energy import ActionCounts, Estimate, estimate, mac_operations
from perf.studies.gpu import RTX_3090, Precision
from perf.studies.gpu.roofline import moved_elements
from perf.studies.published_energies import GDDR6X
from perf.studies.report.study import Study
from perf.workloads import GemmKind, Model

DRAM = GDDR6X
"""Of all machines, whatever a preset's memory is: the comparison is of traffic, not of parts."""


@dataclass(frozen=True)
class EnergyRow:
    """One machine's estimate for an evaluation.

    Attributes
    ----------
    title : str
    estimate : Estimate
        Joules.
    """

    title: str
    estimate: Estimate


def gpu_counts(model: Model, precision: Precision) -> ActionCounts:
    """Count what a GPU does in one evaluation: arithmetic of its GEMMs, every operand moved once.

    Its caches and register files are not counted, which is in its favour.
    """
    total = ActionCounts()
    for block in model.blocks:
        for gemm in block.gemms:
            is_int8 = precision is Precision.INT8 or (
                precision is Precision.INT8_LINEAR and gemm.kind is GemmKind.LINEAR)
            moved = moved_elements(gemm) * (1 if is_int8 else 2)
            counts = mac_operations(gemm.macs, is_int8=is_int8) + ActionCounts(dram_bytes=moved)
            total += counts * block.count
    return total


def energy_rows(study: Study) -> dict[str, list[EnergyRow]]:
    """Estimate every run, and the GPU in FP16 and in INT8, by the model's title."""
    rows: dict[str, list[EnergyRow]] = {}
    for entry in study.entries:
        title = f"{study.preset.name}, {entry.run.policy.title}"
        rows.setdefault(entry.run.model.title, []).append(
            EnergyRow(title, estimate(entry.run.energy, DRAM)))
    for model in {entry.run.model.title: entry.run.model for entry in study.entries}.values():
        for precision, name in ((Precision.INT8_LINEAR, "linear layers INT8"),
                                (Precision.FP16, "FP16")):
            rows[model.title].append(EnergyRow(
                f"{RTX_3090.name}, {name}", estimate(gpu_counts(model, precision), DRAM)))
    return rows
