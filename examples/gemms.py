"""A layer's GEMM made ready for the machine: precisions chosen, operands quantized, job set up."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

import golden
from golden import MX6, MX9, MXTensor, Policy
from golden.floats import MAGNITUDE_MASK, widen
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.units import unit_magnitudes
from hw.config import Config
from hw.driver import Job, resident_tiles
from hw.outlier_policy import Selection
from sim_tests.machine import Work

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
        Other rows that the threshold and the weights' precisions are chosen on; the activations
        themselves if left out.
    float_format, weight_float_format : str
        "fp32", "fp16" or "bf16".
    """

    name: str
    activations: NDArray[np.generic]
    weights: NDArray[np.generic]
    calibration: NDArray[np.generic] | None = None
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


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """One GEMM in one style, and all that the machine and the golden model need for it.

    Attributes
    ----------
    matrices : Matrices
    style : Style
    a : MXTensor, shape (M, K)
        As the machine will quantize the activations.
    b : MXTensor, shape (K, N)
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


def prepare(matrices: Matrices, style: Style, fraction: float, config: Config) -> Gemm:
    """Choose precisions in one style, quantize, and fill in the job.

    MixDiT picks outliers among the K-blocks of each token tile by a threshold that at most
    `fraction` of the calibration set's K-blocks exceed. The weights of `fraction` of the K-blocks,
    rounded up, are MX9: those that exceed it most often. MX6 and MX9 are that format throughout.

    Raises
    ------
    ValueError
        If the fraction is not one, or the threshold has no meaning for the calibration set.
    """
    m, k, n = matrices.shape
    policy = Policy(fraction=fraction, tile_rows=config.rows)
    blocks = -(-k // BLOCK_SIZE)
    threshold, selection = None, {"selection": Selection.TOP, "units": 0}
    if style is Style.MIXDIT:
        threshold, outliers = _calibrate(matrices, policy)
        policy = Policy(fraction=fraction, tile_rows=config.rows, selection="threshold",
                        threshold=threshold)
        pattern = int(np.float32(threshold).view(np.uint32))
        selection = {"selection": Selection.THRESHOLD, "threshold": pattern}
        a = golden.apply_policy(matrices.wide_activations(), policy)
        b = golden.quantize_weight(matrices.weights, outliers, policy,
                                   float_format=FLOAT_FORMATS[matrices.weight_float_format])
    else:
        fmt = MX9 if style is Style.MX9 else MX6
        if style is Style.MX9:
            selection["units"] = blocks
        else:  # no number exceeds it, and a threshold needs no search
            selection = {"selection": Selection.THRESHOLD, "threshold": INFINITY}
        a = golden.quantize(matrices.wide_activations(), fmt)
        b = golden.quantize(widen(matrices.weights, FLOAT_FORMATS[matrices.weight_float_format]),
                            fmt, axis=0)
    job = Job(m=m, n=n, k=k, tiles=resident_tiles(config, m, k),
              float_format=matrices.float_format, **selection)
    work = Work(job, matrices.activations, b)
    return Gemm(matrices=matrices, style=style, a=a, b=b, work=work, threshold=threshold)


def _calibrate(matrices: Matrices, policy: Policy) -> tuple[float, NDArray[np.bool_]]:
    """Return the threshold, and which K-blocks of the weights are outliers."""
    samples = matrices.calibration
    wide = matrices.wide_activations() if samples is None else widen(samples)
    infinite = (wide.view(np.uint32) & MAGNITUDE_MASK) >= INFINITY
    wide = np.where(infinite, np.float32(0), wide)
    threshold = golden.calibrate_threshold([wide], policy)
    magnitude = unit_magnitudes(wide, tile_rows=policy.tile_rows)
    exceeds = np.count_nonzero(magnitude > np.float32(threshold).view(np.uint32), axis=0)
    outliers = np.zeros(len(exceeds), np.bool_)
    count = math.ceil(Fraction(str(policy.fraction)) * len(exceeds))
    outliers[np.argsort(-exceeds, kind="stable")[:count]] = True
    return threshold, outliers
