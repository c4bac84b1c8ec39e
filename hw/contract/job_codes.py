"""Kinds of jobs that belong together; their codes are those of `golden.memory.jobs`."""

from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection

__all__ = ["FLOATING", "FORMAT_BITS", "FORMAT_CODES", "GEMMS", "PACKED", "ROUNDINGS", "JobKind",
           "Output", "Selection"]

ROUNDINGS = ("half_even", "truncate")
"""How a machine's converter rounds mantissas, by its code."""

FORMAT_BITS = 2
"""Bits of the format select."""


PACKED = {JobKind.GEMM_PACKED}
"""Jobs whose activations arrive in MX."""

FLOATING = set(JobKind) - PACKED
"""Jobs whose activations arrive as numbers, and are converted as their policy says."""

GEMMS = {kind for kind in JobKind if not kind.converts}
"""Jobs that multiply."""
