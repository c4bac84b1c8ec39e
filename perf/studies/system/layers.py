"""A model's blocks as layers: what the cores run as one, with the vector operations beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from perf.workloads import Block, Gemm, GemmKind, Model
from perf.workloads.vector_ops import VectorKind, VectorOp


class LayerKind(StrEnum):
    """How a layer is run."""

    LINEAR = "linear"
    """Activations times weights; GEMMs that share their activations are one, side by side."""

    ATTENTION = "attention"
    """Scores, softmax and output of all heads, which alternate; K and V are converted before."""

    CONDITION = "condition"
    """A linear layer with a row per sample, of the time step and the condition: it waits for
    nothing in the block."""


@dataclass(frozen=True)
class Layer:
    """What runs as one.

    Attributes
    ----------
    block : str
        Name of its block.
    name : str
        Block and GEMMs.
    kind : LayerKind
    count : int
        How often in one evaluation.
    gemms : tuple of Gemm
        Q K^T and P V of an attention; otherwise GEMMs with the same A.
    vector_ops : tuple of VectorOp
        On rows as they come in, on results as they leave, and between scores and output.
    samples : int
        Samples that are run one after the other.
    """

    block: str
    name: str
    kind: LayerKind
    count: int
    gemms: tuple[Gemm, ...]
    vector_ops: tuple[VectorOp, ...]
    samples: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates, all samples."""
        return sum(gemm.macs for gemm in self.gemms)

    @property
    def rows(self) -> int:
        """M of one sample's job."""
        if self.kind is LayerKind.ATTENTION:
            return self.gemms[0].m
        return self.gemms[0].m // self.samples

    @property
    def columns(self) -> int:
        """N of all GEMMs side by side; of an attention, its tokens of K and V."""
        if self.kind is LayerKind.ATTENTION:
            return self.gemms[0].n
        return sum(gemm.n for gemm in self.gemms)

    @property
    def depth(self) -> int:
        """K; of an attention, a head's channels."""
        return self.gemms[0].k

    @property
    def residual_elements(self) -> int:
        """Elements that are added to results, all samples."""
        return sum(op.elements for op in self.vector_ops
                   if op.kind in (VectorKind.GATE_ADD, VectorKind.ADD))

    @property
    def vector_operations(self) -> int:
        """Arithmetic beside the arrays, all samples."""
        return sum(op.operations for op in self.vector_ops)

    @property
    def lane_numbers(self) -> int:
        """Numbers that go through full lanes, all samples: an attention's output too."""
        output = self.gemms[-1].c_elements if self.kind is LayerKind.ATTENTION else 0
        return output + sum(op.lane_numbers for op in self.vector_ops)


_INBOUND = (VectorKind.LAYER_NORM, VectorKind.RMS_NORM, VectorKind.MODULATE)
"""Worked on rows as they come in, if the GEMM before does not take them."""


def layers_of(model: Model) -> list[Layer]:
    """List a model's layers in the order in which they run, block by block."""
    return [layer for block in model.blocks for layer in _layers(model, block)]


def _layers(model: Model, block: Block) -> Iterator[Layer]:
    runs = list(_together(block.gemms))
    kinds = [_kind(model, run[0]) for run in runs]
    places = [index for index, run in enumerate(runs) for _ in run]
    beside: list[list[VectorOp]] = [[] for _ in runs]
    for op in block.vector_ops:
        if op.kind in _INBOUND:
            place = next(index for index in range(places[min(op.after, len(places) - 1)], len(runs))
                         if kinds[index] is not LayerKind.CONDITION)
        else:
            place = places[max(op.after - 1, 0)]
        beside[place].append(op)
    for run, kind, ops in zip(runs, kinds, beside, strict=True):
        names = "+".join(gemm.name for gemm in run)
        samples = 1 if kind is LayerKind.CONDITION else model.batch
        yield Layer(block.name, f"{block.name}: {names}", kind, block.count, tuple(run),
                    tuple(ops), samples)


def _kind(model: Model, first: Gemm) -> LayerKind:
    if first.kind is not GemmKind.LINEAR:
        return LayerKind.ATTENTION
    return LayerKind.CONDITION if first.m <= model.batch else LayerKind.LINEAR


def _together(gemms: tuple[Gemm, ...]) -> Iterator[list[Gemm]]:
    """Cut a block's GEMMs into runs: of shared activations, and the two of an attention."""
    run: list[Gemm] = []
    for gemm in gemms:
        shares = run and gemm.shares and gemm.shares == run[0].name
        if run and not shares and gemm.kind is not GemmKind.PV:
            yield run
            run = []
        run.append(gemm)
    if run:
        yield run
