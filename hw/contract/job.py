"""What one job is, as it travels from the registers to every engine."""

from amaranth import Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out
from amaranth.utils import bits_for

from golden.formats import FP32

from .config import DIMENSION_BITS
from .job_codes import FORMAT_BITS, AnyKind, Function, JobKind, Output, Rows, Selection
from .named import Named
from .outlier_policy import policy_layout

CODE_BITS = 8
"""Of a code that a command gives."""


def converts(kind):
    """Tell whether a kind of job converts, as an expression: its bit 1."""
    return Value.cast(kind)[1]


def is_pass(kind):
    """Tell whether a kind of job of a machine with a vector unit is a pass, as an expression."""
    return Value.cast(kind)[2]


def reads_tags(job):
    """Tell whether a job reads the static tags of its table, as an expression.

    Packed activations have their precision, whatever policy their job names.
    """
    return (job.policy.selection == Selection.STATIC) & (job.kind != JobKind.GEMM_PACKED)


def is_untagged(job):
    """Tell whether a job's tiles need no tags, as an expression: a GEMM with HEAD and no units.

    All of its A is MX6, whatever it holds; that of TOP without units is too, but has its tags. Its
    blocks need not wait for each other, and leave the stage as they came, row by row.
    """
    return ((job.kind == JobKind.GEMM) & (job.policy.selection == Selection.HEAD)
            & ~job.policy.units[0])


def uses_table(job):
    """Tell whether a job reads its table at all, as an expression."""
    uses = job.reorder | reads_tags(job)
    return uses | job.stages.tagged if "stages" in dict(job.shape()) else uses


def job_layout(config):
    """Describe a job.

    ``k_blocks`` is ceil(k / 16); ``tiles`` token tiles of A are resident while all of B streams by
    once; ``float_format`` selects the format of the activations; ``policy`` says which of their
    blocks are MX9; ``reorder`` puts their channels into the order of ``table``, whose static tags
    the policy may name too; ``measure`` records each channel's largest magnitude; ``has_bias`` says
    that FP32 biases travel at the head of each column tile's weights.

    With a vector unit there are passes over m rows of n numbers too, whose ``k`` is n; and
    ``stages``: see `stages_layout`.
    """
    return data.StructLayout({
        "kind": Named(AnyKind if config.vector_lanes else JobKind),
        "m": DIMENSION_BITS,
        "n": DIMENSION_BITS,
        "k": bits_for(config.k_max),
        "k_blocks": bits_for(config.k_blocks_max),
        "tiles": bits_for(config.tile_slots),
        "float_format": FORMAT_BITS,
        "output": Named(Output),
        "has_bias": 1,
        "reorder": 1,
        "measure": 1,
        "table": bits_for(config.tables - 1),
        "policy": policy_layout(config.k_blocks_max),
        **({"stages": stages_layout()} if config.vector_lanes else {}),
    })


_ASKED = {"scalar": FP32.width, "is_scaled": 1, "has_channel": 1, "has_residual": 1, "is_shift": 1,
          "tagged": 1}


def stages_layout():
    """Describe what numbers go through on their way out, besides a bias.

    Members
    -------
    function : Named(Function)
    rows : Named(Rows)
        What is measured of each row.
    scalar : unsigned(32)
        FP32 pattern: the factor of all rows, where ``is_scaled``; else what `rows` needs.
    is_scaled, has_channel, has_residual : unsigned(1)
    is_shift : unsigned(1)
        The residual is one row for all.
    tagged : unsigned(1)
        Blocks of results are MX9 where the job's table says so.
    at_drain : unsigned(1)
        All that results of the array go through is exp2, in the lanes in which they drain.
    through_lanes : unsigned(1)
        They go through those of the vector unit, as passes do.
    """
    return data.StructLayout({
        **_ASKED, "function": Named(Function), "rows": Named(Rows),
        "at_drain": 1, "through_lanes": 1})


def asked_stages_layout():
    """Describe the stages of a job as a command asks for them: codes may stand for nothing.

    Members
    -------
    function, rows : unsigned(8)
        Codes of `Function` and of `Rows`.
    scalar, is_scaled, has_channel, has_residual, is_shift
        As in `stages_layout`.
    """
    return data.StructLayout({
        **_ASKED, "function": CODE_BITS, "rows": CODE_BITS})


def report_signature(shape):
    """Describe what an engine says once per job, seen from the engine.

    There is no ready: the receiver keeps room for every job under way.
    """
    return wiring.Signature({"valid": Out(1), "payload": Out(shape)})
