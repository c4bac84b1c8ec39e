"""Workloads as data: a model is kinds of blocks, a block is GEMMs and vector operations."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from perf.workloads.vector_ops import VectorOp


class GemmKind(StrEnum):
    """What a GEMM multiplies."""

    LINEAR = "linear"
    """Activations A and trained weights B; a convolution of disjoint patches counts as one."""

    QK = "qk"
    """Attention's scores: A is Q, B is the transpose of K, both activations."""

    PV = "pv"
    """Attention's output: A is the softmax of the scores, B is V, both activations."""


@dataclass(frozen=True)
class Gemm:
    """C[M, N] = A[M, K] B[K, N], `count` times with different operands.

    Attributes
    ----------
    name : str
        Of the layer inside its block, as diffusers names it; ``.qk`` and ``.pv`` in attention.
    kind : GemmKind
        Says what the operands are. A is always an activation.
    m, k, n : int
        M counts the rows of all samples of the batch, but in attention, where a GEMM is one head
        of one sample.
    count : int
        1 for a linear layer; heads times samples in attention.
    bias : bool
        Whether a row of N values is added.
    shares : str
        Name of an earlier GEMM of the block that has the same A; empty if there is none.
    """

    name: str
    kind: GemmKind
    m: int
    k: int
    n: int
    count: int = 1
    bias: bool = False
    shares: str = ""

    def __post_init__(self) -> None:
        if min(self.m, self.k, self.n, self.count) < 1:
            raise ValueError(f"M, K, N and count of {self.name!r} must be at least 1")

    @property
    def has_weights(self) -> bool:
        """Whether B is the same for every sample and step, so that software can prepare it."""
        return self.kind is GemmKind.LINEAR

    @property
    def macs(self) -> int:
        """Multiply-accumulates, all `count` together."""
        return self.count * self.m * self.k * self.n

    @property
    def a_elements(self) -> int:
        """Elements of A, all `count` together."""
        return self.count * self.m * self.k

    @property
    def b_elements(self) -> int:
        """Elements of B, all `count` together; the bias not included."""
        return self.count * self.k * self.n

    @property
    def c_elements(self) -> int:
        """Elements of C, all `count` together."""
        return self.count * self.m * self.n


@dataclass(frozen=True)
class Block:
    """What runs `count` times in one evaluation of the model.

    Attributes
    ----------
    name : str
    count : int
        Blocks of this kind, one after the other, each with weights of its own.
    gemms : tuple of Gemm
        In the order in which they run.
    vector_ops : tuple of VectorOp
        Everything else, in the order in which it runs.
    """

    name: str
    count: int
    gemms: tuple[Gemm, ...]
    vector_ops: tuple[VectorOp, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one such block."""
        return sum(gemm.macs for gemm in self.gemms)

    @property
    def weights(self) -> int:
        """Weights of one such block; biases not included."""
        return sum(gemm.b_elements for gemm in self.gemms if gemm.has_weights)


@dataclass(frozen=True)
class Sampling:
    """How many evaluations make an image.

    Attributes
    ----------
    steps : int
        Evaluations of the model, each on a whole batch.
    source : str
        Who samples so.
    """

    steps: int
    source: str


@dataclass(frozen=True)
class Model:
    """One evaluation of a diffusion transformer, for one image with classifier-free guidance.

    Attributes
    ----------
    name : str
        Short, for commands and file names.
    title : str
        For people.
    source : str
        Where the configuration was published.
    parameters : int
        As diffusers builds it, biases and embeddings included.
    batch : int
        Samples in an evaluation: 2, with and without the condition, make one image.
    image_tokens, text_tokens : int
        Per sample.
    samplings : tuple of Sampling
        The usual numbers of steps, the most usual first.
    encoder_macs : int
        Multiply-accumulates of the text encoder for one image, once and not in every step; 0
        without one.
    decoder_macs : int
        Multiply-accumulates of the autoencoder that decodes one image.
    blocks : tuple of Block
        In the order in which they first run; what runs outside of blocks is one of its own.
    """

    name: str
    title: str
    source: str
    parameters: int
    batch: int
    image_tokens: int
    text_tokens: int
    samplings: tuple[Sampling, ...]
    encoder_macs: int
    decoder_macs: int
    blocks: tuple[Block, ...]

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one evaluation, the whole batch."""
        return sum(block.count * block.macs for block in self.blocks)

    @property
    def steps(self) -> int:
        """The most usual number of steps."""
        return self.samplings[0].steps
