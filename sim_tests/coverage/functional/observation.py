"""What one job tries, seen from its data."""

import numpy as np

from golden.floats import widen
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.host.work import Work
from hw.registers.map import StreamFault
from sim_tests.coverage.functional.dimensions import DIMENSIONS, NO_FAULT
from simulation.works.expected import operand_a, operand_b

NO_FAULTS = StreamFault(0)


def observe(config: Config, work: Work, *, faults: StreamFault = NO_FAULTS,
            stall: str = "none", end: str = "done") -> dict[str, str]:
    """Say what a job tries.

    Parameters
    ----------
    config : Config
        Of the machine.
    work : Work
        As the machine receives it.
    faults : StreamFault
        What is wrong with its packets. Of two faults of a stream that of the length counts, after
        which the other is not looked for in a packet.
    stall, end : str
        Of those dimensions.

    Returns
    -------
    dict of str to str
        Its kind, and its value in every dimension that this kind has.
    """
    job = work.job
    is_floating = job.kind is not JobKind.GEMM_PACKED
    tags = (operand_b(config, work).transpose() if job.converts else operand_a(config, work)).is_mx9
    values = {
        "format": job.float_format,
        "precision": _precision(tags),
        "weights": "" if job.converts else _precision(work.weights.is_mx9),
        "rows": _edge(job.m, config.rows),
        "columns": _edge(job.n, config.cols),
        "channels": _edge(job.k, BLOCK_SIZE),
        "tiles": "one" if job.tiles == 1 else "several",
        "output": job.output.name,
        "bias": _said(job.bias),
        "order": _said(job.reorder),
        "measure": _said(job.measure),
        "selection": job.selection.name,
        "special": _said(is_floating and not np.isfinite(
            widen(work.activations, FLOAT_FORMATS[job.float_format])).all()),
        "stall": stall,
        "act_fault": _fault(faults, StreamFault.ACT_LENGTH, StreamFault.ACT_KEEP),
        "weight_fault": _fault(faults, StreamFault.WEIGHT_LENGTH, StreamFault.WEIGHT_KEEP),
        "end": end,
    }
    return {"kind": job.kind.name} | {
        name: value for name, value in values.items() if job.kind in DIMENSIONS[name].kinds}


def _edge(size: int, step: int) -> str:
    return "ragged" if size % step else "whole"


def _said(is_so: object) -> str:
    return "yes" if is_so else "no"


def _precision(is_mx9: np.ndarray) -> str:
    return "MX9" if is_mx9.all() else "both" if is_mx9.any() else "MX6"


def _fault(faults: StreamFault, *candidates: StreamFault) -> str:
    return next((each.name for each in candidates if each in faults), NO_FAULT)
