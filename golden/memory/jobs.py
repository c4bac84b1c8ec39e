"""The numbers by which software and hardware name what a job does."""

from enum import Enum

from golden.formats import FLOAT_FORMATS

FORMAT_CODES = {name: code for code, name in enumerate(FLOAT_FORMATS)}
"""Code of each format that activations may have."""


class JobKind(Enum):
    """What a job does. Bit 1: it converts; bit 0: its activations arrive in the other way."""

    GEMM = 0
    """C[m, n] = A[m, k]·B[k, n], A in floating point, m rows of k numbers."""
    GEMM_PACKED = 1
    """The same, A in MX."""
    CONVERT = 2
    """B[k, n] from floating point to the packed weights of a later GEMM; n rows of k numbers."""
    CONVERT_TRANSPOSED = 3
    """The same, but k rows of n numbers, cut into column tiles: blocks run across the rows."""

    @property
    def converts(self) -> bool:
        """Whether packed weights are made, rather than used."""
        return self in (JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED)


class Output(Enum):
    """In what format the results of a GEMM leave."""

    FP32 = 0
    FP16 = 1
    BF16 = 2
    MX6 = 3
    MX9 = 4


class Selection(Enum):
    """How a tile's outlier K-blocks are chosen."""

    TOP = 0
    """The `units` K-blocks with the largest magnitudes, ties to the lower index."""
    THRESHOLD = 1
    """Every K-block whose magnitude is strictly above `threshold`."""
    STATIC = 2
    """The K-blocks that the job's table marks."""
    HEAD = 3
    """The whole job: all of its K-blocks if `units` is 1, none if it is 0."""


class Function(Enum):
    """Of each number, on its way out."""

    NONE = 0
    EXP2 = 1
    GELU = 2
    SILU = 3


class Rows(Enum):
    """What is measured of each row, and becomes its offset and its factor."""

    NONE = 0
    LAYER_NORM = 1
    """Minus the mean, over the deviation."""
    RMS_NORM = 2
    """Over the root of the mean square."""
    MAXIMUM = 3
    """Minus the largest number, with its sign."""
    SUM = 4
    """Over the sum of the quantized row of A: of GEMM_PACKED alone."""
