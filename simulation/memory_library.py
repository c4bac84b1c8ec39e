"""The harness of a machine with a command ring, by ctypes: ``harness/memory_harness.cpp``."""

from ctypes import POINTER, Structure, c_double, c_int, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from enum import IntEnum

from simulation.library import BENCH, Functions


class Channel(IntEnum):
    """Of AXI4; what can be made to stall, and to be silent."""

    AR = 0
    R = 1
    AW = 2
    W = 3
    B = 4


class RawManners(Structure):
    """`simulation.memory_machine.Manners` in C."""

    _fields_ = [(name, c_uint64) for name in (
        "read_latency", "write_latency", "jitter", "mixes", "data_first", "seed")]


@dataclass(frozen=True)
class Counts:
    """What happened since the reset, on the bus and in the array.

    Attributes
    ----------
    cycle : int
        When they were taken.
    reads, read_words, writes, write_words : int
        Bursts that the memory has taken; words that it has brought and taken.
    read_stalls, write_stalls : int
        Cycles in which an address, or a word, was offered and not taken.
    reads_owed, writes_owed : int
        Bursts that are not answered.
    most_reads, most_writes : int
        The most of these at a time.
    empty_words : int
        Written without a strobe.
    last_answer : int
        Cycle of the last answer to a write, plus 1; 0 if there was none.
    beats : int
        That entered the array, one a cycle.
    act_stalls, weight_stalls, result_stalls : int
        Cycles without a beat, by what was waited for; in all others there was nothing to do.
    last_beat : int
        Cycle of the last beat plus 1; 0 if there was none.
    """

    cycle: int
    reads: int
    read_words: int
    writes: int
    write_words: int
    read_stalls: int
    write_stalls: int
    reads_owed: int
    writes_owed: int
    most_reads: int
    most_writes: int
    empty_words: int
    last_answer: int
    beats: int
    act_stalls: int
    weight_stalls: int
    result_stalls: int
    last_beat: int


class RawCounts(Structure):
    """`Counts` in C."""

    _fields_ = [(name, c_uint64) for name in Counts.__dataclass_fields__]


OF_MEMORY: Functions = {
    "attach": (None, [BENCH, c_void_p, c_uint64, c_uint64]),
    "behave": (None, [BENCH, POINTER(RawManners)]),
    "stall": (None, [BENCH, c_int, c_double, c_double, c_uint64, c_uint64]),
    "silence": (None, [BENCH, c_uint32]),
    "fail": (None, [BENCH, c_uint64, c_int]),
    "forgive": (None, [BENCH]),
    "watch": (None, [BENCH, c_int, c_int, c_uint32, c_uint32, c_uint32]),
    "counts": (None, [BENCH, POINTER(RawCounts)]),
    "mark": (None, [BENCH, c_uint64]),
    "forget_marks": (None, [BENCH]),
    "noted": (c_uint64, [BENCH]),
    "note": (None, [BENCH, c_uint64, POINTER(RawCounts)]),
    "ended": (c_uint64, [BENCH, c_int]),
    "end": (c_uint64, [BENCH, c_int, c_uint64]),
}
