"""Random jobs for the accelerator, and what golden says of them."""

from dataclasses import asdict
from fractions import Fraction

import numpy as np

import golden
from golden import MX4, MX6, MX9, MXTensor, Policy
from golden.floats import narrow
from golden.formats import FLOAT_FORMATS
from golden.mx import saturated_count
from hw.config import Config
from hw.driver import Job, resident_tiles
from hw.outlier_policy import Selection
from sim_tests import drive
from sim_tests.machine import Counters, Machine, Work

WEIGHT_FORMATS = ("mx4", "mx6", "mx9", "mixed")


def random_floats(rng: np.random.Generator, m: int, k: int) -> np.ndarray:
    """Draw FP32 activations with channels of very different size, and a few zeros."""
    channels = np.exp(rng.standard_normal(k)) * np.where(rng.random(k) < 0.05, 60, 1)
    values = rng.standard_normal((m, k)) * channels
    return np.where(rng.random((m, k)) < 0.05, 0, values).astype(np.float32)


def random_weights(rng: np.random.Generator, k: int, n: int, kind: str) -> MXTensor:
    """Draw weights and quantize them along K: all in one format, or each K-block in its own."""
    values = (rng.standard_normal((k, n)) * np.exp2(rng.integers(-4, 5, (1, n)))).astype(np.float32)
    if kind == "mixed":
        outliers = rng.random(-(-k // 16)) < 0.4
        return golden.quantize_weight(values, outliers, Policy())
    return golden.quantize(values, {"mx4": MX4, "mx6": MX6, "mx9": MX9}[kind], axis=0)


def make_work(
    config: Config,
    rng: np.random.Generator,
    m: int,
    n: int,
    k: int,
    *,
    weights: str | MXTensor = "mixed",
    activations: np.ndarray | None = None,
    float_format: str | None = None,
    selection: Selection = Selection.TOP,
    units: int | None = None,
    threshold: float | None = None,
    tiles: int | None = None,
) -> Work:
    """Make a job; what is left out is drawn at random.

    Parameters
    ----------
    config : Config
    rng : numpy.random.Generator
    m, n, k : int
    weights : str or MXTensor
        One of `WEIGHT_FORMATS`, or the weights.
    activations : ndarray of float32, optional
        Rounded to the format of the job.
    float_format : str, optional
    selection, units, threshold, tiles
        As in `hw.driver.Job`, but the threshold is a number.
    """
    float_format = float_format or str(rng.choice(config.float_formats))
    values = random_floats(rng, m, k) if activations is None else activations
    blocks = -(-k // 16)
    units = int(rng.integers(0, blocks + 1)) if units is None else units
    if threshold is None:
        threshold = float(np.quantile(np.abs(np.nan_to_num(values)), rng.random()))
    tiles = tiles or int(rng.integers(1, resident_tiles(config, m, k) + 1))
    job = Job(
        m=m, n=n, k=k, tiles=tiles, float_format=float_format, selection=selection, units=units,
        threshold=int(np.float32(threshold).view(np.uint32)),
    )
    if isinstance(weights, str):
        weights = random_weights(rng, k, n, weights)
    return Work(job, narrow(values, FLOAT_FORMATS[float_format]), weights)


def random_work(config: Config, rng: np.random.Generator, largest: int = 24) -> Work:
    """Draw a job with ragged sizes up to ``largest`` rows and columns."""
    return make_work(
        config, rng, int(rng.integers(1, largest + 1)), int(rng.integers(1, largest + 1)),
        int(rng.integers(1, min(config.k_max, 160) + 1)),
        weights=str(rng.choice(WEIGHT_FORMATS)),
        selection=Selection.TOP if rng.random() < 0.5 else Selection.THRESHOLD,
    )


def operand_a(config: Config, work: Work) -> MXTensor:
    """Quantize a job's activations as its policy says."""
    job, tile = work.job, {"scope": "tile", "tile_rows": config.rows}
    if job.selection is Selection.TOP:
        policy = Policy(fraction=Fraction(job.units, -(-job.k // 16)), selection="top", **tile)
    else:
        limit = float(np.uint32(job.threshold).view(np.float32))
        policy = Policy(fraction=1, selection="threshold", threshold=limit, **tile)
    return golden.apply_policy(work.activations, policy, rounding=config.rounding,
                               float_format=FLOAT_FORMATS[job.float_format])


def expected_results(config: Config, work: Work) -> np.ndarray:
    """Compute a job: FP32 patterns, shape (m, n)."""
    return golden.gemm(operand_a(config, work), work.weights, acc_width=config.acc_width,
                       k_max=config.k_max).view(np.uint32)


def expected_counts(config: Config, work: Work) -> dict[str, int]:
    """Count what the machine counts without a clock, by the names of its counters."""
    job, a, b = work.job, operand_a(config, work), work.weights
    firsts = np.arange(0, job.m, config.rows)
    act_residual = np.logical_or.reduceat(a.residual.any(axis=-1), firsts, axis=0)
    act_mx9 = a.is_mx9[firsts]
    columns = np.arange(0, job.n, config.cols)
    weight_residual = np.logical_or.reduceat(b.residual.any(axis=-1), columns, axis=0)
    weight_mx9 = b.is_mx9[columns]

    def beats(act: np.ndarray, weight: np.ndarray) -> int:
        # Over every pair of a token tile and a column tile, and every K-block.
        return int(((1 + act.astype(int)).sum(0) * (1 + weight.astype(int)).sum(0)).sum())

    issued = beats(act_residual, weight_residual)
    return {
        "beats": issued,
        "skipped": beats(act_mx9, weight_mx9) - issued,
        "mx9_units": int(act_mx9.sum()),
        "nan_blocks": int((a.exponent == 255).sum()),
        "saturated": 0 if config.rounding == "truncate" else saturated_count(
            work.activations, a, FLOAT_FORMATS[job.float_format]),
    }


def check(machine: Machine, work: Work, results: np.ndarray, counters: Counters | None) -> None:
    """Compare a job's results and clockless counters, where they were read, with golden's."""
    job = asdict(work.job)
    drive.compare(results, expected_results(machine.config, work), "C", **job)
    if counters is None:
        return
    for name, count in expected_counts(machine.config, work).items():
        assert counters[name] == count, f"{name}: {counters[name]}, expected {count} in {job}"


async def run_and_check(machine: Machine, *works: Work) -> list[Counters | None]:
    """Run jobs back to back and check each."""
    outcomes = await machine.run_all(works)
    for work, (results, counters) in zip(works, outcomes, strict=True):
        check(machine, work, results, counters)
    return [counters for _, counters in outcomes]
