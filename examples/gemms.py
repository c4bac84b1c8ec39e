"""A layer's GEMM made ready for the machine: precisions chosen, operands quantized, job set up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

import golden
from golden import MX6, MX9, MXTensor, Policy
from golden.floats import MAGNITUDE_MASK, widen
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.policy import permute
from golden.units import unit_magnitudes
from hw.contract.config import Config
from hw.contract.job_codes import Selection
from hw.host.driver import Job, resident_tiles
from hw.host.work import Work

INFINITY = 0x7F800000
"""FP32 pattern."""


class Style(StrEnum):
    """How the precision of blocks is chosen."""

    MX6 = "mx6"
    MIXDIT = "mixdit"
    MX9 = "mx9"

    @property
    def title(self) -> str:
        """Name as it is printed."""
        return {"mx6": "MX6", "mixdit": "MixDiT", "mx9": "MX9"}[self.value]


class Order(StrEnum):
    """Order in which channels are blocked."""

    NATURAL = "natural"
    CALIBRATED = "calibrated"

    @classmethod
    def of(cls, job: Job) -> Self:
        """Tell which order a job's channels are in."""
        return cls.CALIBRATED if job.reorder else cls.NATURAL


@dataclass(frozen=True, kw_only=True)
class Matrices:
    """What a layer multiplies, in floating point.

    Attributes
    ----------
    name : str
        Of the layer.
    activations : ndarray, shape (M, K)
        Floats; BF16 as uint16 patterns.
    weights : ndarray, shape (K, N)
        Likewise.
    calibration : ndarray, shape (M', K), optional
        Other rows that the channel order, the threshold and the weights' precisions are chosen on;
        the activations themselves if left out.
    order : ndarray of int, shape (K,), optional
        Calibrated order of the channels; chosen on the rows, by largest magnitude, if left out.
    float_format, weight_float_format : str
        "fp32", "fp16" or "bf16".
    """

    name: str
    activations: NDArray[np.generic]
    weights: NDArray[np.generic]
    calibration: NDArray[np.generic] | None = None
    order: NDArray[np.integer] | None = None
    float_format: str = "fp16"
    weight_float_format: str = "fp16"

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, K and N."""
        return (*self.activations.shape, self.weights.shape[1])

    def reference(self) -> NDArray[np.float64]:
        """Multiply without any quantization, in float64: shape (M, N)."""
        a, b = self.wide_activations(), widen(self.weights, FLOAT_FORMATS[self.weight_float_format])
        with np.errstate(all="ignore"):  # infinities and NaNs are allowed and stay
            return a.astype(np.float64) @ b.astype(np.float64)

    def wide_activations(self) -> NDArray[np.float32]:
        """Widen the activations to FP32, exactly."""
        return widen(self.activations, FLOAT_FORMATS[self.float_format])

    def calibration_rows(self) -> NDArray[np.float32]:
        """Widen what precisions are chosen on; infinities and NaNs count as zeros."""
        wide = (self.wide_activations() if self.calibration is None
                else widen(self.calibration, FLOAT_FORMATS[self.float_format]))
        infinite = (wide.view(np.uint32) & MAGNITUDE_MASK) >= INFINITY
        return np.where(infinite, np.float32(0), wide)


@dataclass(frozen=True, kw_only=True)
class PreparedGemm:
    """One GEMM in one style, and all that the machine and the golden model need for it.

    Attributes
    ----------
    matrices : Matrices
    style : Style
    a : MXTensor, shape (M, K)
        As the machine will quantize the activations, its channels in the order of `work`.
    b : MXTensor, shape (K, N)
        Its rows in the same order.
    work : Work
        What the machine is given.
    threshold : float or None
        Magnitude above which a K-block of a token tile is an outlier (MixDiT only).
    """

    matrices: Matrices
    style: Style
    a: MXTensor = field(repr=False)
    b: MXTensor = field(repr=False)
    work: Work = field(repr=False)
    threshold: float | None = None

    def expected(self, config: Config) -> NDArray[np.uint32]:
        """Compute the machine's result with the golden model: FP32 patterns, shape (M, N)."""
        c = golden.gemm(self.a, self.b, acc_width=config.acc_width, k_max=config.k_max)
        return c.view(np.uint32)

    def beats(self, config: Config) -> int:
        """Count the beats that these precisions ask for: 1, 2 or 4 per pair of K-blocks."""
        tile_tags = self.a.is_mx9[:: config.rows]
        column_tags = self.b.is_mx9[:: config.cols]
        return int(((1 + tile_tags).T @ np.ones(len(tile_tags), np.int64)
                    * (1 + column_tags).sum(axis=0)).sum())


def prepare(
    matrices: Matrices, style: Style, fraction: float, config: Config,
    order: Order = Order.NATURAL,
) -> PreparedGemm:
    """Choose precisions in one style, quantize, and fill in the job.

    MixDiT picks outliers among the K-blocks of each token tile by a threshold that at most
    `fraction` of the calibration set's K-blocks exceed. The weights of `fraction` of the K-blocks,
    rounded up, are MX9: those that exceed it most often. In calibrated order the channels are first
    sorted: as `matrices` says, or else by their largest magnitudes in the calibration set, spread
    so that the machine reorders them without losing a cycle. MX6 and MX9 are that format
    throughout, in natural order.

    Raises
    ------
    ValueError
        If the fraction is not one, or the threshold has no meaning for the calibration set.
    """
    m, k, n = matrices.shape
    policy, b = quantize_weights(matrices, style, fraction, config, order)
    threshold, more = policy.threshold, {"selection": Selection.TOP, "units": 0}
    if threshold is not None:
        more = {"selection": Selection.THRESHOLD, "threshold": policy.threshold_pattern,
                "reorder": order is Order.CALIBRATED}
        a = golden.apply_policy(matrices.wide_activations(), policy)
    else:
        if style is Style.MX9:
            more["units"] = -(-k // BLOCK_SIZE)
        a = golden.quantize(matrices.wide_activations(), MX9 if style is Style.MX9 else MX6)
    job = Job(m=m, n=n, k=k, tiles=resident_tiles(config, m, k),
              float_format=matrices.float_format, **more)
    work = Work(job, matrices.activations, b, order=policy.permutation)
    return PreparedGemm(matrices=matrices, style=style, a=a, b=b, work=work, threshold=threshold)


def quantize_weights(
    matrices: Matrices, style: Style, fraction: float, config: Config,
    order: Order = Order.NATURAL,
) -> tuple[Policy, MXTensor]:
    """Choose a layer's precisions, and quantize its weights, as `prepare` has them.

    Returns
    -------
    policy : Policy
        Of the activations; with a threshold in MixDiT only.
    b : MXTensor, shape (K, N)

    Raises
    ------
    ValueError
        As `prepare` does.
    """
    policy = Policy(fraction=fraction, tile_rows=config.rows)
    weight_format = FLOAT_FORMATS[matrices.weight_float_format]
    if style is Style.MIXDIT:
        policy, outliers = _calibrate(matrices, policy, order)
        return policy, golden.quantize_weight(matrices.weights, outliers, policy,
                                              float_format=weight_format)
    fmt = MX9 if style is Style.MX9 else MX6
    return policy, golden.quantize(widen(matrices.weights, weight_format), fmt, axis=0)


def _calibrate(
    matrices: Matrices, policy: Policy, order: Order
) -> tuple[Policy, NDArray[np.bool_]]:
    """Complete the policy, and tell which K-blocks of the weights are outliers in its order."""
    rows = matrices.calibration_rows()
    if order is Order.CALIBRATED:
        permutation = matrices.order
        if permutation is None:
            permutation = golden.spread_lanes(golden.channel_order([rows]))
        policy = replace(policy, order="calibrated", permutation=permutation)
    threshold = golden.calibrate_threshold([rows], policy)
    magnitude = unit_magnitudes(permute(rows, policy), tile_rows=policy.tile_rows)
    exceeds = np.count_nonzero(magnitude > np.float32(threshold).view(np.uint32), axis=0)
    outliers = np.zeros(len(exceeds), np.bool_)
    count = math.ceil(Fraction(str(policy.fraction)) * len(exceeds))
    outliers[np.argsort(-exceeds, kind="stable")[:count]] = True
    return replace(policy, selection="threshold", threshold=threshold), outliers


def alternate_tables(gemms: Sequence[PreparedGemm], config: Config) -> list[PreparedGemm]:
    """Give GEMMs that run back to back tables in turn, the same one while the order stays.

    So one job's order can be loaded while another with a different order runs.
    """
    table, last, placed = 0, None, []
    for gemm in gemms:
        order = gemm.work.order
        if order is not None:
            if last is not None and not np.array_equal(order, last):
                table = (table + 1) % config.tables
            last = order
            job = replace(gemm.work.job, table=table)
            gemm = replace(gemm, work=replace(gemm.work, job=job))
        placed.append(gemm)
    return placed
