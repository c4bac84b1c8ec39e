"""What golden says of a job: its results and what the machine counts."""

from fractions import Fraction

import numpy as np

import golden
from golden import MX6, MX9, MXTensor, Policy
from golden.floats import MAGNITUDE_MASK, widen
from golden.formats import FLOAT_FORMATS
from golden.mx import saturated_count
from golden.packing import result_chunks, weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.results import Counters, Results
from hw.host.work import Work


def policy(work: Work, tile_rows: int) -> Policy:
    """Say in golden's terms which K-blocks of a job's activations are MX9, and in what order."""
    job = work.job
    choices = {"scope": "tile", "tile_rows": tile_rows}
    if job.reorder:
        choices |= {"order": "calibrated", "permutation": work.order}
    match job.selection:
        case Selection.TOP:
            return Policy(fraction=Fraction(job.units, -(-job.k // 16)), **choices)
        case Selection.HEAD:
            return Policy(fraction=job.units, **choices)
        case Selection.STATIC:
            return Policy(fraction=1, selection="static", static_tags=work.static_tags, **choices)
        case Selection.THRESHOLD:
            limit = float(np.uint32(job.threshold).view(np.float32))
            return Policy(fraction=1, selection="threshold", threshold=limit, **choices)


def operand_a(config: Config, work: Work) -> MXTensor:
    """Give A of a GEMM, (m, k), as the machine multiplies it."""
    if work.job.kind is JobKind.GEMM_PACKED:
        return work.activations
    return golden.apply_policy(work.activations, policy(work, config.rows),
                               rounding=config.rounding,
                               float_format=FLOAT_FORMATS[work.job.float_format])


def operand_b(config: Config, work: Work) -> MXTensor:
    """Give B, (k, n): the weights of a GEMM, or what a conversion makes."""
    if not work.job.converts:
        return work.weights
    return golden.convert(work.activations, policy(work, config.cols),
                          transposed=work.job.kind is JobKind.CONVERT_TRANSPOSED,
                          rounding=config.rounding,
                          float_format=FLOAT_FORMATS[work.job.float_format])


def expected_results(config: Config, work: Work) -> Results:
    """Compute a job: patterns, shape (m, n), or packets of MX blocks."""
    job, b = work.job, operand_b(config, work)
    if job.converts:
        return weight_stream(b, config.cols, config.weight_bytes)
    output = "fp32" if job.is_packed else job.output.name.lower()
    c = golden.gemm(operand_a(config, work), b, acc_width=config.acc_width, k_max=config.k_max,
                    bias=work.bias, output=output)
    if not job.is_packed:
        return c.view(f"u{c.itemsize}")
    packed = golden.quantize(c, MX9 if job.output is Output.MX9 else MX6, rounding=config.rounding)
    return result_chunks(packed, config.rows, job.tiles, config.act_bytes, config.cols)


def expected_counts(config: Config, work: Work) -> Counters:
    """Count what the machine counts without a clock, by the names of its counters."""
    if work.job.converts:
        made = operand_b(config, work).transpose()
        return _conversion_counts(config, work, made, config.cols) | {"beats": 0, "skipped": 0}
    a, b = operand_a(config, work), operand_b(config, work)
    firsts, columns = np.arange(0, work.job.m, config.rows), np.arange(0, work.job.n, config.cols)
    act_residual = np.logical_or.reduceat(a.residual.any(axis=-1), firsts, axis=0)
    weight_residual = np.logical_or.reduceat(b.residual.any(axis=-1), columns, axis=0)

    def beats(act: np.ndarray, weight: np.ndarray) -> int:
        # Over every pair of a token tile and a column tile, and every K-block.
        return int(((1 + act.astype(int)).sum(0) * (1 + weight.astype(int)).sum(0)).sum())

    issued = beats(act_residual, weight_residual)
    return _conversion_counts(config, work, a, config.rows) | {
        "beats": issued, "skipped": beats(a.is_mx9[firsts], b.is_mx9[columns]) - issued}


def _conversion_counts(
    config: Config, work: Work, converted: MXTensor, tile_rows: int
) -> Counters:
    """Count what is counted of activations, whose tiles have `tile_rows` rows."""
    saturated = 0
    if work.job.kind is not JobKind.GEMM_PACKED and config.rounding != "truncate":
        saturated = saturated_count(ordered_rows(work), converted)
    return {"mx9_units": int(converted.is_mx9[::tile_rows].sum()),
            "nan_blocks": converted.nan_blocks, "saturated": saturated}


def ordered_rows(work: Work) -> np.ndarray:
    """Widen a job's activations, a channel per column, in the order in which they are blocked."""
    wide = widen(work.activations, FLOAT_FORMATS[work.job.float_format])
    if work.job.kind is JobKind.CONVERT_TRANSPOSED:
        wide = wide.T
    return wide[:, work.order] if work.job.reorder else wide


def expected_maxima(work: Work) -> np.ndarray:
    """Find the largest magnitude of each channel, as it arrives: FP32 patterns, shape (k,)."""
    wide = widen(work.activations, FLOAT_FORMATS[work.job.float_format])
    return (wide.view(np.uint32) & MAGNITUDE_MASK).max(axis=0)
