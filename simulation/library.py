"""A compiled harness as Python sees it: the functions of ``simulation/harness``, by ctypes."""

from collections.abc import Mapping, Sequence
from ctypes import (
    CDLL,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int,
    c_uint32,
    c_uint64,
    c_void_p,
)
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

FAILED = -1
"""What a function returns when it left a sentence in ``harness_error``."""


class Stream(IntEnum):
    """What can be made to stall."""

    ACTIVATIONS = 0
    WEIGHTS = 1
    RESULTS = 2
    REGISTERS = 3


class Until(IntEnum):
    """What a run waits for."""

    CYCLES = 0
    PACKETS = 1
    INTERRUPT = 2
    QUIET = 3
    BEATS = 4


class Ran(IntEnum):
    """How it ended."""

    LIMIT = 0
    REACHED = 1
    VIOLATION = 2


@dataclass(frozen=True)
class StreamCounts:
    """What one stream did since the reset.

    Attributes
    ----------
    beats, packets : int
        That have moved; packets to their end.
    stalled : int
        Cycles in which a beat was offered and not taken.
    paused : int
        Cycles that the harness took off.
    idle : int
        Cycles in which nothing was offered, or there was nothing to send.
    waiting, waiting_bytes : int
        Packets that are to be sent, or to be taken by Python.
    last_beat : int
        Cycle of the last beat plus 1; 0 if there was none.
    inside : bool
        A packet has begun and not ended.
    """

    beats: int
    packets: int
    stalled: int
    paused: int
    idle: int
    waiting: int
    waiting_bytes: int
    last_beat: int
    inside: bool


class RawCounts(Structure):
    """`StreamCounts` in C."""

    _fields_ = [(name, c_uint64) for name in StreamCounts.__dataclass_fields__]


BENCH = c_void_p

Functions = Mapping[str, tuple[Any, Sequence[Any]]]
"""Type of the result and of the arguments, by the name."""

COMMON: Functions = {
    "create": (c_void_p, []),
    "destroy": (None, [BENCH]),
    "error": (c_char_p, [BENCH]),
    "reset": (c_int, [BENCH, c_uint64]),
    "write": (c_int, [BENCH, c_uint32, c_uint32, c_uint64]),
    "read": (c_int, [BENCH, c_uint32, POINTER(c_uint32), c_uint64]),
    "run": (c_int, [BENCH, c_uint64, c_int, c_uint64]),
    "toggle": (c_int, [BENCH, c_uint64]),
    "trace": (c_int, [BENCH, c_char_p]),
    "cycles": (c_uint64, [BENCH]),
    "interrupt": (c_int, [BENCH]),
    "violation_count": (c_uint64, [BENCH]),
    "violations": (c_char_p, [BENCH]),
}
"""Of ``exports.h``: what every bench has."""

OF_STREAMS: Functions = {
    "send": (c_int, [BENCH, c_int, c_char_p, POINTER(c_uint64), c_uint64]),
    "send_beats": (c_int, [BENCH, c_int, c_char_p, c_char_p, c_uint64]),
    "drop": (None, [BENCH, c_int]),
    "measure": (None, [BENCH, c_uint64, POINTER(c_uint64), POINTER(c_uint64)]),
    "take": (None, [BENCH, c_uint64, c_char_p, c_char_p, POINTER(c_uint64)]),
    "forget": (None, [BENCH]),
    "stop_clock": (c_int, [BENCH, c_uint64, c_uint64]),
    "stall": (None, [BENCH, c_int, c_double, c_double, c_uint64, c_uint64]),
    "scramble": (None, [BENCH, c_int, c_uint64]),
    "counts": (None, [BENCH, c_int, POINTER(RawCounts)]),
    "available": (c_uint64, [BENCH]),
    "beat": (c_int, [c_int]),
    "keep": (c_int, [c_int]),
}
"""Of ``harness.cpp``: those of a machine between streams."""


class Library:
    """The functions of a harness, without the ``harness_`` before their names.

    Parameters
    ----------
    path : pathlib.Path
        From `simulation.build.build`.
    own : mapping
        What it has beside `COMMON`.

    Raises
    ------
    OSError
        If there is no library.
    ValueError
        If it is another one.
    """

    def __init__(self, path: Path, own: Functions):
        functions = CDLL(str(path))
        for name, (result, arguments) in {**COMMON, **own}.items():
            try:
                function = getattr(functions, f"harness_{name}")
            except AttributeError:
                raise ValueError(f"{path} is no model of simulation.build.build for this: it "
                                 f"lacks harness_{name}") from None
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
