"""What one job is, as it travels from the registers to every engine."""

from amaranth import Value, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

from .config import DIMENSION_BITS
from .outlier_policy import policy_layout
from .widen import FORMAT_BITS


class JobKind(enum.Enum, shape=unsigned(2)):
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
    def converts(self):
        """Whether packed weights are made, rather than used."""
        return self in (JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED)


PACKED = {JobKind.GEMM_PACKED}
"""Jobs whose activations arrive in MX."""

FLOATING = set(JobKind) - PACKED
"""Jobs whose activations arrive as numbers, and are converted as their policy says."""


class Output(enum.Enum, shape=unsigned(3)):
    """In what format the results of a GEMM leave."""

    FP32 = 0
    FP16 = 1
    BF16 = 2
    MX6 = 3
    MX9 = 4


def converts(kind):
    """Tell whether a kind of job converts, as an expression: its bit 1."""
    return Value.cast(kind)[1]


def job_layout(config):
    """Describe a job.

    ``k_blocks`` is ceil(k / 16); ``tiles`` token tiles of A are resident while all of B streams by
    once; ``float_format`` selects the format of the activations; ``policy`` says which of their
    blocks are MX9; ``reorder`` puts their channels into the order of ``table``, whose static tags
    the policy may name too; ``measure`` records each channel's largest magnitude; ``has_bias`` says
    that FP32 biases travel at the head of each column tile's weights.
    """
    return data.StructLayout({
        "kind": JobKind,
        "m": DIMENSION_BITS,
        "n": DIMENSION_BITS,
        "k": bits_for(config.k_max),
        "k_blocks": bits_for(config.k_blocks_max),
        "tiles": bits_for(config.tile_slots),
        "float_format": FORMAT_BITS,
        "output": Output,
        "has_bias": 1,
        "reorder": 1,
        "measure": 1,
        "table": bits_for(config.tables - 1),
        "policy": policy_layout(config.k_blocks_max),
    })


def report_signature(shape):
    """Describe what an engine says once per job, seen from the engine.

    There is no ready: the receiver keeps room for every job under way.
    """
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
