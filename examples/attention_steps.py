"""Attention as jobs: what the machine is asked for, step by step, in one style."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from examples.attention import PROJECTIONS, Attention, softmax
from examples.gemms import Style, prepare
from golden import MXTensor, Policy
from golden.packing import weight_stream
from golden.policy import outlier_blocks
from golden.unpacking import read_weight_stream
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import Job, resident_tiles
from hw.host.results import Results
from hw.host.work import Work


@dataclass(frozen=True)
class Step:
    """Jobs of one kind, one for all heads or one per head, none of which needs another.

    Attributes
    ----------
    name : str
        As in `Attention.reference`.
    works : list of Work
    threshold : float or None
        Above which a K-block of a projection's activations is an outlier.
    """

    name: str
    works: list[Work] = field(repr=False)
    threshold: float | None = None


Stages = Generator[list[Step], list[list[Results]], None]
"""Yields the steps of a stage, and is sent the results of each step's jobs."""


@dataclass(frozen=True)
class PrecisionChoice:
    """How precisions are chosen.

    Attributes
    ----------
    style : Style
    fraction : float
        MixDiT: share of the projections' K-blocks that may be MX9.
    head_fraction : float
        MixDiT: share of the heads of all sequences that may be MX9, in each of Q, K, P and V.

    Raises
    ------
    ValueError
        If a fraction is none.
    """

    style: Style
    fraction: float = 0.05
    head_fraction: float = 0.20

    def __post_init__(self):
        for fraction in (self.fraction, self.head_fraction):
            Policy(fraction=fraction)

    def head_units(self, heads: NDArray[np.float16]) -> list[int]:
        """Choose the heads whose blocks are all MX9: 1, the others 0.

        Parameters
        ----------
        heads : ndarray, shape (heads, rows, columns)
            MixDiT takes those with the largest magnitudes.
        """
        if self.style is not Style.MIXDIT:
            return [int(self.style is Style.MX9)] * len(heads)
        policy = Policy(fraction=self.head_fraction, granularity="head")
        return outlier_blocks(heads, policy)[:, 0, 0].astype(int).tolist()


def attention_stages(attention: Attention, choice: PrecisionChoice, config: Config) -> Stages:
    """Run an attention on whoever takes the jobs and sends back their results.

    Every operand is a result of an earlier job; between the two only the softmax is computed, and
    Q, K, V and the heads are cut and put together.
    """
    q, k, v = map(_numbers, (yield [
        _linear(attention, name, attention.inputs, choice, config, Output.FP16)
        for name in PROJECTIONS]))
    q, k, v = (attention.split(rows[0]) for rows in (q, k, v))
    convert_k = Step("Kᵀ", _conversions(k, JobKind.CONVERT, choice))
    convert_v = Step("V", _conversions(v, JobKind.CONVERT_TRANSPOSED, choice))
    packets_k, packets_v = yield [convert_k, convert_v]
    keys = read_conversions(convert_k, packets_k, config)
    scores, = yield [Step("Q·Kᵀ", _products(q, keys, choice, config, Output.FP32))]
    probabilities = softmax(_numbers(scores)).astype(np.float16)
    values = read_conversions(convert_v, packets_v, config)
    heads, = yield [Step("P·V", _products(probabilities, values, choice, config, Output.FP16))]
    merged = attention.merge(_numbers(heads))
    yield [_linear(attention, "out", merged, choice, config, Output.FP32)]


def _linear(
    attention: Attention, name: str, inputs: NDArray[np.float16], choice: PrecisionChoice,
    config: Config, output: Output,
) -> Step:
    """Ask for a layer of all tokens, its bias included."""
    gemm = prepare(attention.matrices(name, inputs), choice.style, choice.fraction, config)
    job = replace(gemm.work.job, bias=True, output=output)
    work = replace(gemm.work, job=job, bias=attention.linears[name].bias)
    return Step(name, [work], gemm.threshold)


def _conversions(heads: NDArray[np.float16], kind: JobKind, choice: PrecisionChoice) -> list[Work]:
    """Ask for each head's K or V, (tokens, channels), as a B."""
    _, tokens, channels = heads.shape
    n, k = (tokens, channels) if kind is JobKind.CONVERT else (channels, tokens)
    return [
        Work(Job(kind=kind, n=n, k=k, float_format="fp16", selection=Selection.HEAD, units=units),
             head)
        for head, units in zip(heads, choice.head_units(heads), strict=True)
    ]


def _products(
    heads: NDArray[np.float16], weights: Sequence[MXTensor], choice: PrecisionChoice,
    config: Config, output: Output,
) -> list[Work]:
    """Ask for the product of each head's activations (m, k) with its B (k, n)."""
    _, m, k = heads.shape
    tiles = resident_tiles(config, m, k)
    return [
        Work(Job(m=m, n=b.shape[1], k=k, tiles=tiles, float_format="fp16", output=output,
                 selection=Selection.HEAD, units=units), head, b)
        for head, units, b in zip(heads, choice.head_units(heads), weights, strict=True)
    ]


def read_conversions(step: Step, packets: Sequence[Results], config: Config) -> list[MXTensor]:
    """Read the packets of conversions as the weights that they are.

    Raises
    ------
    ValueError
        If a packet is not, to the byte, what a GEMM job with that weight will be fed.
    """
    read = []
    for work, made in zip(step.works, packets, strict=True):
        tensor = read_weight_stream(
            made, (work.job.k, work.job.n), config.cols, config.weight_bytes)
        if weight_stream(tensor, config.cols, config.weight_bytes) != made:
            raise ValueError(f"the packets of {step.name} are not those that a GEMM would be fed")
        read.append(tensor)
    return read


def _numbers(results: Sequence[Results]) -> NDArray[np.floating]:
    """Give the patterns of jobs' results as numbers: shape (jobs, m, n)."""
    patterns = np.stack(results)
    return patterns.view(f"f{patterns.itemsize}")


def step_numbers(step: Step, results: Sequence[Results], config: Config) -> NDArray[np.floating]:
    """Decode what a step gave, in the shape of `Attention.reference`."""
    if step.works[0].job.converts:
        return np.stack([b.dequantize() for b in read_conversions(step, results, config)])
    return _numbers(results)
