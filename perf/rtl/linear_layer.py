"""A linear layer with a few outlier channels: drawn, calibrated, a job in any precision."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import golden
from golden import MX6, MXTensor, Policy
from golden.formats import BLOCK_SIZE, MXFormat
from hw.contract.config import Config
from hw.contract.job_codes import Selection
from hw.host.driver import resident_tiles
from hw.host.work import Work
from simulation.works.random_works import make_work

_OUTLIER_SCALE = 60


@dataclass(frozen=True)
class LinearLayer:
    """What a layer multiplies, and the channel order that was calibrated for it.

    Attributes
    ----------
    activations : ndarray of float32, shape (M, K)
    weights : ndarray of float32, shape (K, N)
    order : ndarray of int, shape (K,)
        Outlier channels in front, and no two channels of an arriving block in one lane.
    """

    activations: NDArray[np.float32]
    weights: NDArray[np.float32]
    order: NDArray[np.intp]

    @classmethod
    def draw(
        cls, rng: np.random.Generator, tokens: int, channels: int, columns: int, outlier_blocks: int
    ) -> "LinearLayer":
        """Draw a layer whose outlier channels fill some K-blocks, scattered among all channels."""
        scale = np.exp(0.5 * rng.standard_normal(channels))
        scale[rng.permutation(channels)[: BLOCK_SIZE * outlier_blocks]] *= _OUTLIER_SCALE
        x, calibration = (rng.standard_normal((2, tokens, channels)) * scale).astype(np.float32)
        weights = (0.02 * rng.standard_normal((channels, columns))).astype(np.float32)
        return cls(x, weights, golden.spread_lanes(golden.channel_order([calibration])))

    @property
    def channels(self) -> int:
        """K."""
        return len(self.weights)

    def slice(self, tokens: int, columns: int) -> "LinearLayer":
        """Take the first tokens and the first columns."""
        return replace(self, activations=self.activations[:tokens],
                       weights=self.weights[:, :columns])

    def work(
        self,
        config: Config,
        *,
        tokens: int | None = None,
        units: int = 0,
        weight_formats: tuple[MXFormat, MXFormat] = (MX6, MX6),
        ordered: bool = False,
        order: NDArray[np.intp] | None = None,
    ) -> Work:
        """Make the layer a job.

        Parameters
        ----------
        config : Config
        tokens : int, optional
            The first so many; all by default.
        units : int
            MX9 K-blocks of every token tile, the largest.
        weight_formats : tuple of MXFormat
            Of the ordinary K-blocks of the weights, and of the first `units`.
        ordered : bool
            Put the channels into the calibrated order.
        order : ndarray of int, optional
            Or into this one.
        """
        order = self.order if ordered else order
        policy = Policy(weights=weight_formats)
        if order is not None:
            policy = replace(policy, order="calibrated", permutation=order)
        first = np.arange(-(-self.channels // BLOCK_SIZE)) < units
        weights = golden.quantize_weight(self.weights, first, policy)
        return resident_work(config, self.activations[:tokens], weights, units=units,
                             order=False if order is None else order)


def resident_work(
    config: Config, activations: NDArray[np.float32], weights: MXTensor, *, units: int = 0,
    selection: Selection = Selection.TOP, **others: Any,
) -> Work:
    """Make a GEMM of FP16 activations, with as many resident token tiles as the driver chooses.

    Parameters
    ----------
    config : Config
    activations : ndarray of float32, shape (M, K)
    weights : MXTensor, shape (K, N)
    units, selection, **others
        As in `simulation.works.random_works.make_work`.
    """
    (m, k), n = activations.shape, weights.shape[1]
    return make_work(config, np.random.default_rng(0), m, n, k, weights=weights, units=units,
                     activations=activations, float_format="fp16", selection=selection, table=0,
                     threshold=0.0, tiles=resident_tiles(config, m, k), **others)
