"""A layer on the cores: how it is divided, cycles of the core that has most to do, and bytes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from golden.formats import BLOCK_SIZE
from hw.host.packet_order import BASE_BYTES, RESIDUAL_BYTES
from perf.rtl.schedule.mixes import spread
from perf.studies.system.gemms import gemm_cycles, linear_tiles
from perf.studies.system.layers import Layer
from perf.studies.system.precision_shares import PrecisionShares
from perf.studies.system.preset import Preset
from perf.studies.system.runs import Traffic

FP16_BYTES, FP32_BYTES = 2, 4

RAGGED = 1.25
"""A division over cores is considered if its fullest core has at most so much more than in the
best one."""


@dataclass(frozen=True)
class Network:
    """Bytes between the memories that all cores share and the cores, both ways.

    Attributes
    ----------
    once : float
        If what several cores need is sent once.
    copies : float
        If it is sent to each of them.
    """

    once: float
    copies: float


@dataclass(frozen=True)
class LayerWork:
    """A layer, all samples.

    Attributes
    ----------
    cycles : int
        Of the core that has most to do.
    conversions : int
        How many of them make packed weights of K and V.
    groups : int
        Groups of token tiles, one after the other, of a sample on a core.
    first_load : int
        Cycles in which a core gets its first token tile.
    traffic : Traffic
    network : Network
    jobs : int
        That the host starts, on all cores.
    least_bytes : float
        If all weights came once.
    beats : int
        That the precisions ask for: one is a block product of a cell. K is padded to whole blocks,
        as the formats have it; M and N are not.
    loaded_blocks : int
        Blocks of activations written into operand memories, in all cores.
    division : str
        For people.
    """

    cycles: int
    conversions: int
    groups: int
    first_load: int
    traffic: Traffic
    network: Network
    jobs: int
    least_bytes: float
    beats: int
    loaded_blocks: int
    division: str


@lru_cache(maxsize=8192)
def divide_linear(preset: Preset, layer: Layer, policy: PrecisionShares, stays: bool) -> LayerWork:
    """Divide a layer's tokens and columns over cores, in the way that takes least time.

    What several cores need is read once and passed to all of them.

    Parameters
    ----------
    preset : Preset
    layer : Layer
    policy : PrecisionShares
    stays : bool
        Activations and results stay on chip.
    """
    return fastest(preset, (_linear(preset, layer, policy, stays, *grid)
                            for grid in _grids(preset, layer)))


def fastest(preset: Preset, works: Iterable[LayerWork]) -> LayerWork:
    """Choose the division that ends first; of those that do, the one with less of the other bound.

    Parameters
    ----------
    preset : Preset
    works : iterable of LayerWork
        Divisions of one layer, at least one.
    """
    def seconds(work: LayerWork) -> tuple[float, float]:
        bounds = (work.cycles / preset.clock_hz, work.traffic.total / preset.dram_bytes_per_s,
                  network_seconds(preset, work), work.jobs * preset.job_s)
        return max(bounds), sum(bounds)

    return min(works, key=seconds)


def network_seconds(preset: Preset, work: LayerWork) -> float:
    """Divide a layer's bytes by the network's; 0 if the cores' streams alone are its limit."""
    if preset.network_bytes_per_s is None:
        return 0.0
    sent = work.network.once if preset.multicast else work.network.copies
    return sent / preset.network_bytes_per_s


def mx9_blocks(k: int, share: float) -> int:
    """Count a row's K-blocks in MX9."""
    return int(spread(-(-k // BLOCK_SIZE), share).sum())


def beats_per_row(k: int, a_share: float, b_share: float) -> int:
    """Count the beats of a row of A with a column of B.

    One per pair of blocks, two where one of them is MX9, four where both are.
    """
    a, b = mx9_blocks(k, a_share), mx9_blocks(k, b_share)
    return -(-k // BLOCK_SIZE) + a + b + min(a, b)


def packed_bytes(columns: int, k: int, share: float) -> int:
    """Count the bytes of packed weights; 12 per MX6 block, 18 per MX9 block."""
    blocks = -(-k // BLOCK_SIZE)
    return columns * (blocks * BASE_BYTES + mx9_blocks(k, share) * RESIDUAL_BYTES)


def _grids(preset: Preset, layer: Layer) -> Iterator[tuple[int, int]]:
    """List ways to divide a layer: so many parts of its tokens by so many of its columns."""
    cores = preset.cores
    if preset.split == "tokens":
        yield cores, 1
    elif preset.split == "columns":
        yield 1, cores
    else:
        tiles = (-(-layer.rows // preset.rows), -(-layer.columns // preset.cols))
        grids = [(parts, cores // parts) for parts in range(1, cores + 1) if cores % parts == 0]
        load = {grid: math.prod(-(-number // parts)
                                for number, parts in zip(tiles, grid, strict=True))
                for grid in grids}
        least = min(load.values())
        yield from (grid for grid in grids if load[grid] <= RAGGED * least)


def _linear(
    preset: Preset, layer: Layer, policy: PrecisionShares, stays: bool, parts: int, slices: int
) -> LayerWork:
    config, k = preset.config, layer.depth
    a, b = policy.shares(layer.gemms[0].kind)
    m = min(-(-layer.rows // (parts * preset.rows)) * preset.rows, layer.rows)
    n = min(-(-layer.columns // (slices * preset.cols)) * preset.cols, layer.columns)
    tiles = linear_tiles(config, m, k, preset.tiles)
    groups = -(-m // (preset.rows * tiles))
    weights = packed_bytes(layer.columns, k, b) + FP32_BYTES * sum(
        gemm.n for gemm in layer.gemms if gemm.bias)
    rows_in = FP16_BYTES * layer.gemms[0].a_elements
    rows_out = FP16_BYTES * sum(gemm.c_elements for gemm in layer.gemms)
    residuals = FP16_BYTES * layer.residual_elements
    moved = Traffic() if stays else Traffic(
        activations=rows_in, results=rows_out, residuals=residuals)
    passed = layer.samples * groups * weights
    k_blocks = -(-k // BLOCK_SIZE)
    return LayerWork(
        cycles=layer.samples * gemm_cycles(config, m, n, k, tiles, a, b, policy.searches),
        conversions=0, groups=groups, first_load=preset.rows * k_blocks,
        traffic=moved + Traffic(weights=passed),
        network=Network(once=rows_in + rows_out + residuals + passed,
                        copies=slices * rows_in + rows_out + residuals + parts * passed),
        jobs=layer.samples * parts * slices,
        least_bytes=moved.total + weights,
        beats=sum(gemm.m * gemm.n for gemm in layer.gemms) * beats_per_row(k, a, b),
        loaded_blocks=layer.gemms[0].m * slices * k_blocks,
        division=f"{parts} x tokens, {slices} x columns, T={tiles}")
