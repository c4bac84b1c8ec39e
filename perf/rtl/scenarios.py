"""The jobs that are measured, and the neighbours between which they run.

A job is measured in the middle of others, as a driver runs them: its first operands arrive while
the job before computes, and its last results leave while the next one does.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

import golden
from golden import MX6, MX9
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.work import Work
from perf.rtl.linear_layer import LinearLayer, resident_work
from simulation.works.random_works import make_work

WIDE, NARROW = "wide", "narrow"


def machines_of(**size: int) -> dict[str, Config]:
    """Make the machine of a size as it comes, and one whose results drain a row per cycle.

    Parameters
    ----------
    **size : int
        `rows` and `cols` for `Config.sized`.
    """
    wide = Config.sized(**size)
    return {WIDE: wide, NARROW: replace(wide, drain_lanes=wide.cols)}


STALL = 0.25
"""Share of the cycles that every stream takes off in stalled groups."""


@dataclass(frozen=True)
class Sizes:
    """How large the measured jobs are; by default as in DiT-XL/2 at 256 x 256 pixels, for 8x8.

    Attributes
    ----------
    tokens : int
        M of the linear layers and of attention.
    columns : int
        N of the linear layers, a slice of it.
    channels : tuple of int
        K of the linear layers: q, k, v, out, ff1; and ff2.
    fewer_tokens : int
        M where the same is measured many times over.
    few_columns : int
        N of a linear layer that the activation stream can't feed fast enough.
    outlier_blocks : int
        K-blocks in MX9 where precision is mixed, of the first of `channels`.
    head_channels : int
        Of an attention head.
    """

    tokens: int = 256
    columns: int = 96
    channels: tuple[int, int] = (1152, 4608)
    fewer_tokens: int = 128
    few_columns: int = 32
    outlier_blocks: int = 3
    head_channels: int = 72

    @classmethod
    def of(cls, config: Config) -> "Sizes":
        """Give as many tiles as on 8x8, and so many columns that tiles load in time."""
        return cls(tokens=32 * config.rows, fewer_tokens=16 * config.rows,
                   columns=config.cols * max(12, 3 * config.rows // 2),
                   few_columns=config.cols * max(1, config.rows // 2))


@dataclass(frozen=True)
class Case:
    """A job of a group; without a name it is only a neighbour."""

    work: Work
    name: str = ""


@dataclass(frozen=True)
class Group:
    """Jobs that run back to back on one machine, all streams stalling alike."""

    machine: str
    cases: tuple[Case, ...]
    stall: float = 0.0


def between(work: Work, name: str, neighbour: Work | None = None) -> tuple[Case, ...]:
    """Put a job between two others, of its own kind by default."""
    beside = Case(neighbour or work)
    return (beside, Case(work, name), beside)


def make_groups(
    machines: dict[str, Config], sizes: Sizes, rng: np.random.Generator
) -> list[Group]:
    """Draw all data and set up all jobs."""
    config = machines[WIDE]
    layer = LinearLayer.draw(rng, sizes.tokens, sizes.channels[0], sizes.columns,
                             sizes.outlier_blocks)
    return [
        *_linear(config, sizes, rng, layer),
        *_attention(machines, sizes, rng),
        _precision(config, sizes, layer),
        *_orders(config, sizes, layer, rng),
        *_conversions(config, sizes, rng, layer),
    ]


def _linear(
    config: Config, sizes: Sizes, rng: np.random.Generator, layer: LinearLayer
) -> list[Group]:
    deep = LinearLayer.draw(rng, sizes.tokens, sizes.channels[1], sizes.columns, 0)
    return [Group(WIDE, between(each.work(config), f"linear K={each.channels}",
                                each.work(config, tokens=sizes.tokens // 2)))
            for each in (layer, deep)]


def _attention(
    machines: dict[str, Config], sizes: Sizes, rng: np.random.Generator
) -> list[Group]:
    """Measure one head's Q·K^T and P·V, and the former on the narrow drain too."""
    tokens, channels = sizes.tokens, sizes.head_channels
    q, k, v = rng.standard_normal((3, tokens, channels)).astype(np.float32)
    scores = np.exp(rng.standard_normal((tokens, tokens)) * 2)
    p = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    def qk(config: Config, output: Output) -> Work:
        return resident_work(config, q, golden.quantize(k.T, MX6, axis=0), output=output,
                             selection=Selection.HEAD)

    def pv(config: Config, output: Output) -> Work:
        return resident_work(config, p, golden.quantize(v, MX6, axis=0), output=output,
                             selection=Selection.HEAD)

    wide, narrow, fp32 = machines[WIDE], machines[NARROW], Output.FP32
    groups = []
    for output in (fp32, Output.FP16):
        groups += [Group(WIDE, between(qk(wide, output), f"QK^T {output.name}")),
                   Group(NARROW, between(qk(narrow, output), f"QK^T {output.name} narrow")),
                   Group(WIDE, between(pv(wide, output), f"PV {output.name}"))]
    return [*groups, Group(WIDE, between(qk(wide, fp32), "QK^T FP32 stalled"), STALL)]


def _precision(config: Config, sizes: Sizes, layer: LinearLayer) -> Group:
    """Run one layer in every mix of precisions, one job after the other."""
    make = partial(layer.work, config, tokens=sizes.fewer_tokens)
    few, every = sizes.outlier_blocks, -(-layer.channels // 16)
    mixed = make(units=few, ordered=True)
    return Group(WIDE, (
        Case(mixed),  # its order is loaded before anything is measured
        Case(make(), "MX6 x MX6"),
        Case(mixed, "mixed x MX6"),
        Case(make(units=few, weight_formats=(MX6, MX9), ordered=True), "mixed x mixed"),
        Case(make(units=every), "MX9 x MX6"),
        Case(make(units=every, weight_formats=(MX9, MX9)), "MX9 x MX9"),
        Case(make()),
    ))


def _orders(
    config: Config, sizes: Sizes, layer: LinearLayer, rng: np.random.Generator
) -> list[Group]:
    """Load more than is computed, in several channel orders; and with stalls, little and much."""
    few = layer.slice(sizes.fewer_tokens // 2, sizes.few_columns)
    array = layer.work(config, tokens=sizes.fewer_tokens)
    orders = {"natural": None, "identity": np.arange(layer.channels), "spread": layer.order,
              "random": rng.permutation(layer.channels)}
    works = {name: few.work(config, order=order) for name, order in orders.items()}
    return [
        *(Group(WIDE, between(work, f"{name} order")) for name, work in works.items()),
        Group(WIDE, between(array, "linear stalled"), STALL),
        Group(WIDE, between(works["natural"], "loading stalled"), STALL),
    ]


def _conversions(
    config: Config, sizes: Sizes, rng: np.random.Generator, layer: LinearLayer
) -> list[Group]:
    """Convert a head's K and V, and a layer's weights, column by column."""
    tokens, channels = sizes.tokens, sizes.head_channels
    k, v = rng.standard_normal((2, tokens, channels)).astype(np.float32)
    limit = float(np.quantile(np.abs(layer.weights), 0.9999))
    make = partial(make_work, config, rng, float_format="fp16", table=0)
    works = {
        "CONVERT K": make(1, tokens, channels, kind=JobKind.CONVERT, activations=k,
                          selection=Selection.HEAD, units=0),
        "CONVERT_TRANSPOSED V": make(1, channels, tokens, kind=JobKind.CONVERT_TRANSPOSED,
                                     activations=v, selection=Selection.HEAD, units=0),
        "CONVERT weights": make(1, sizes.columns, layer.channels, kind=JobKind.CONVERT,
                                activations=layer.weights.T, selection=Selection.THRESHOLD,
                                units=0, threshold=limit),
        "CONVERT weights by TOP": make(1, sizes.columns, layer.channels, kind=JobKind.CONVERT,
                                       activations=layer.weights.T, selection=Selection.TOP,
                                       units=sizes.outlier_blocks),
    }
    return [Group(WIDE, between(work, name)) for name, work in works.items()]
