"""Kinds of jobs that belong together; their codes are those of `golden.memory.jobs`."""

from enum import Enum

from golden.memory.jobs import FORMAT_CODES, Function, JobKind, Output, Rows, Selection

__all__ = ["FLOATING", "FORMAT_BITS", "FORMAT_CODES", "GEMMS", "PACKED", "PASSES", "ROUNDINGS",
           "AnyKind", "Function", "JobKind", "Output", "Rows", "Selection"]

ROUNDINGS = ("half_even", "truncate")
"""How a machine's converter rounds mantissas, by its code."""

FORMAT_BITS = 2
"""Bits of the format select."""

AnyKind = Enum("AnyKind", [
    *((kind.name, kind.value) for kind in JobKind), ("VECTOR", 4), ("VECTOR_PACKED", 5)])
"""Kinds of jobs of a machine with a vector unit.

A pass over rows is no kind of software's, since it has an operation of its own: it comes as VECTOR.
VECTOR_PACKED is one whose results are MX."""

PASSES = {AnyKind.VECTOR, AnyKind.VECTOR_PACKED}
"""Jobs that send rows of numbers through the vector unit."""

PACKED = {JobKind.GEMM_PACKED}
"""Jobs whose activations arrive in MX."""

FLOATING = set(JobKind) - PACKED
"""Jobs whose activations arrive as numbers, and are converted as their policy says."""

GEMMS = {kind for kind in JobKind if not kind.converts}
"""Jobs that multiply."""
