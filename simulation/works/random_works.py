"""Jobs with random data, of every kind that a machine can run."""

from dataclasses import replace
from typing import Any

import numpy as np

import golden
from golden import MX4, MX6, MX9, MXTensor, Policy
from golden.floats import narrow
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.precision import mix
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import Job, resident_tiles
from hw.host.work import Work

WEIGHT_FORMATS = ("mx4", "mx6", "mx9", "mixed")

_FORMATS = {"mx4": MX4, "mx6": MX6, "mx9": MX9}


def random_floats(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
    """Draw FP32 activations with channels of very different size, and a few zeros."""
    channels = np.exp(rng.standard_normal(k)) * np.where(rng.random(k) < 0.05, 60, 1)
    values = rng.standard_normal((m, k)) * channels
    return np.where(rng.random((m, k)) < 0.05, 0, values).astype(np.float32)


def random_weights(rng: np.random.Generator, k: int, n: int, kind: str) -> MXTensor:
    """Draw weights and quantize them along K: all in one format, or each K-block in its own."""
    values = (rng.standard_normal((k, n)) * np.exp2(rng.integers(-4, 5, (1, n)))).astype(np.float32)
    if kind == "mixed":
        outliers = rng.random(-(-k // BLOCK_SIZE)) < 0.4
        return golden.quantize_weight(values, outliers, Policy())
    return golden.quantize(values, _FORMATS[kind], axis=0)


def random_packed(rng: np.random.Generator, m: int, k: int, rows: int, kind: str) -> MXTensor:
    """Draw activations in MX: all in one format, or each K-block of each token tile in its own."""
    values = random_floats(rng, m, k)
    if kind != "mixed":
        return golden.quantize(values, _FORMATS[kind])
    tags = rng.random((-(-m // rows), -(-k // BLOCK_SIZE))) < 0.4
    return mix(golden.quantize(values, MX6), golden.quantize(values, MX9),
               np.repeat(tags, rows, axis=0)[:m])


def random_bias(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw FP32 biases of many sizes; now and then a zero, a subnormal, an infinity or a NaN."""
    values = (rng.standard_normal(n) * np.exp2(rng.integers(-8, 9, n))).astype(np.float32)
    special = np.array([0x00000000, 0x80000000, 0x007FFFFF, 0x80000001, 0x7F7FFFFF, 0xFF800000,
                        0x7F800001], np.uint32).view(np.float32)
    return np.where(rng.random(n) < 0.1, rng.choice(special, n), values)


def make_work(
    config: Config,
    rng: np.random.Generator,
    m: int,
    n: int,
    k: int,
    *,
    kind: JobKind = JobKind.GEMM,
    weights: str | MXTensor = "mixed",
    activations: str | np.ndarray | MXTensor | None = None,
    float_format: str | None = None,
    output: Output = Output.FP32,
    bias: bool | np.ndarray = False,
    order: bool | np.ndarray = False,
    measure: bool = False,
    table: int | None = None,
    selection: Selection = Selection.TOP,
    units: int | None = None,
    threshold: float | None = None,
    static_tags: np.ndarray | None = None,
    tiles: int | None = None,
) -> Work:
    """Make a job; what is None is drawn at random.

    Parameters
    ----------
    config : Config
    rng : numpy.random.Generator
    m, n, k : int
        A conversion has no `m`.
    kind : JobKind
    weights : str or MXTensor
        One of `WEIGHT_FORMATS`, or the weights.
    activations : ndarray of float32, str or MXTensor, optional
        Shaped as in `Work`; rounded to the format of the job. For GEMM_PACKED one of
        `WEIGHT_FORMATS`, or the tensor.
    bias : bool or ndarray
        Whether there are biases, or which.
    order : bool or ndarray
        Whether channels are put into a new order, or into which.
    float_format, output, measure, table, selection, units, threshold, static_tags, tiles
        As in `Job` and `Work`, but the threshold is a number.
    """
    float_format = float_format or str(rng.choice(config.float_formats))
    blocks = -(-k // BLOCK_SIZE)
    if units is None:
        units = int(rng.integers(0, 2 if selection is Selection.HEAD else blocks + 1))
    if selection is Selection.STATIC and static_tags is None:
        static_tags = rng.random(blocks) < 0.4
    if kind is JobKind.GEMM_PACKED:
        if activations is None or isinstance(activations, str):
            activations = random_packed(rng, m, k, config.rows, activations or "mixed")
    else:
        if activations is None:
            activations = random_floats(rng, *activation_shape(kind, m, n, k))
        if threshold is None:
            threshold = float(np.quantile(np.abs(np.nan_to_num(activations)), rng.random()))
        activations = narrow(activations, FLOAT_FORMATS[float_format])
    if isinstance(bias, bool):
        bias = random_bias(rng, n) if bias else None
    if isinstance(order, bool):
        order = rng.permutation(k) if order else None
    job = Job(
        kind=kind, m=m, n=n, k=k, tiles=tiles or 1, float_format=float_format, output=output,
        bias=bias is not None, reorder=order is not None, measure=measure,
        table=int(rng.integers(config.tables)) if table is None else table,
        selection=selection, units=units, threshold=int(np.float32(threshold or 0).view(np.uint32)),
    )
    if job.converts:
        return Work(replace(job, m=1), activations, order=order, static_tags=static_tags)
    if tiles is None:
        job = replace(job, tiles=int(rng.integers(1, resident_tiles(config, m, k) + 1)))
    if isinstance(weights, str):
        weights = random_weights(rng, k, n, weights)
    return Work(job, activations, weights, bias, order, static_tags)


def activation_shape(kind: JobKind, m: int, n: int, k: int) -> tuple[int, int]:
    """Give the shape of the floats that a job reads."""
    return {JobKind.CONVERT: (n, k), JobKind.CONVERT_TRANSPOSED: (k, n)}.get(kind, (m, k))


def random_work(
    config: Config, rng: np.random.Generator, largest: int = 24, longest: int = 160
) -> Work:
    """Draw a job of any kind: up to ``largest`` rows and columns, and ``longest`` channels."""
    m, n = (int(size) for size in rng.integers(1, largest + 1, 2))
    most = min(config.k_max, longest)
    k = int(rng.integers(1, most + 1))
    if most >= BLOCK_SIZE and rng.random() < 0.2:
        k = BLOCK_SIZE * int(rng.integers(1, most // BLOCK_SIZE + 1))
    kind = _pick(rng, JobKind.GEMM, *JobKind)  # more often from floating point
    choices = {"kind": kind, "weights": _pick(rng, *WEIGHT_FORMATS)}
    if kind is JobKind.GEMM_PACKED:
        choices["activations"] = _pick(rng, *WEIGHT_FORMATS)
    else:
        values = random_floats(rng, *activation_shape(kind, m, n, k))
        if rng.random() < 0.1:
            values[tuple(rng.integers(values.shape))] = _pick(rng, np.inf, -np.inf, np.nan)
        choices |= {"activations": values, "selection": _pick(rng, *Selection),
                    "threshold": _pick(rng, None, None, None, np.inf)}  # which none exceeds
    if kind in (JobKind.GEMM, JobKind.CONVERT):
        order = rng.permutation(k)
        choices |= {"order": _pick(rng, False, order, golden.spread_lanes(order)),
                    "measure": _pick(rng, False, False, True)}
    if kind in (JobKind.GEMM, JobKind.GEMM_PACKED):
        choices |= {"output": _pick(rng, *config.outputs), "bias": _pick(rng, False, True)}
    return make_work(config, rng, m, n, k, **choices)


def _pick(rng: np.random.Generator, *options: Any) -> Any:
    return options[rng.integers(len(options))]
