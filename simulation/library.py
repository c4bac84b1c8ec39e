"""A compiled harness as Python sees it: the functions of ``harness/harness.cpp``, by ctypes."""

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


_BENCH = c_void_p
_FUNCTIONS = {
    "create": (c_void_p, []),
    "destroy": (None, [_BENCH]),
    "error": (c_char_p, [_BENCH]),
    "reset": (c_int, [_BENCH, c_uint64]),
    "send": (c_int, [_BENCH, c_int, c_char_p, POINTER(c_uint64), c_uint64]),
    "send_beats": (c_int, [_BENCH, c_int, c_char_p, c_char_p, c_uint64]),
    "drop": (None, [_BENCH, c_int]),
    "measure": (None, [_BENCH, c_uint64, POINTER(c_uint64), POINTER(c_uint64)]),
    "take": (None, [_BENCH, c_uint64, c_char_p, c_char_p, POINTER(c_uint64)]),
    "forget": (None, [_BENCH]),
    "write": (c_int, [_BENCH, c_uint32, c_uint32, c_uint64]),
    "read": (c_int, [_BENCH, c_uint32, POINTER(c_uint32), c_uint64]),
    "run": (c_int, [_BENCH, c_uint64, c_int, c_uint64]),
    "toggle": (c_int, [_BENCH, c_uint64]),
    "stop_clock": (c_int, [_BENCH, c_uint64, c_uint64]),
    "trace": (c_int, [_BENCH, c_char_p]),
    "stall": (None, [_BENCH, c_int, c_double, c_double, c_uint64, c_uint64]),
    "scramble": (None, [_BENCH, c_int, c_uint64]),
    "counts": (None, [_BENCH, c_int, POINTER(RawCounts)]),
    "cycles": (c_uint64, [_BENCH]),
    "interrupt": (c_int, [_BENCH]),
    "available": (c_uint64, [_BENCH]),
    "beat": (c_int, [c_int]),
    "keep": (c_int, [c_int]),
    "violation_count": (c_uint64, [_BENCH]),
    "violations": (c_char_p, [_BENCH]),
}


class Library:
    """The functions of a harness, without the ``harness_`` before their names.

    Parameters
    ----------
    path : pathlib.Path
        From `simulation.build.build`.

    Raises
    ------
    OSError
        If there is no library.
    ValueError
        If it is another one.
    """

    def __init__(self, path: Path):
        functions = CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            try:
                function = getattr(functions, f"harness_{name}")
            except AttributeError:
                raise ValueError(f"{path} is no model of simulation.build.build: it lacks "
                                 f"harness_{name}") from None
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
