"""Mistakes in the memory system."""

from .bug import Bug
from .tests import CROSSING

BUGS = (
    Bug("memory: of several packed beats in one the first alone", "hw/memory/beat_splitter.py",
        "is_final.eq(~goes_on)", "is_final.eq(1)", "sim_tests/memory/test_beat_splitter.py -k 8-2"),
    Bug("memory: a part of a word joins a command that has ended", "hw/memory/word_joiner.py",
        "has & (kept.ends | kept.after |", "has & (kept.after |",
        "sim_tests/memory/test_word_joiner.py -k joiner[8]"),
    Bug("memory: an answer crosses to the other clock without its ID",
        "hw/memory/clock_crossing.py", 'f"{channel}valid", f"{channel}ready")]',
        'f"{channel}valid", f"{channel}ready", "bid", "rid")]', CROSSING),
    Bug("memory: a reset of one side that the other does not see", "hw/memory/clock_crossing.py",
        "~(is_up[side] & synchronizer.o)", "~is_up[side]", CROSSING),
    Bug("batch walk: 64 bits of an address lose their reach", "hw/memory/batch_walk.py",
        "is_beyond.eq(after[-1])", "is_beyond.eq(0)",
        "sim_tests/memory/test_batch_walk.py -k 65"),
    Bug("batch walk: what was beyond is so in the next command", "hw/memory/batch_walk.py",
        "is_beyond & ~self.begins", "is_beyond", "sim_tests/memory/test_batch_walk.py -k 65"),
)
