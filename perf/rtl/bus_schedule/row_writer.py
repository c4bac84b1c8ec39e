"""Results that are numbers, to words of memory: `hw.memory.row_writer`, `line_joiner`."""

from collections.abc import Iterator
from typing import NamedTuple

from golden.memory.layouts import result_bytes, tile_lines
from hw.contract.config import Config
from hw.memory.line_joiner import LINE_BYTES, leaving_lines
from hw.memory.work import largest_group
from perf.rtl.bus_schedule.beats import Beats
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.queues import Queue
from perf.rtl.bus_schedule.stores import Store, Stores
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET, RELEASED

READ = 1
"""A line is asked for; it is there in the next cycle."""

FLUSHED = 2
"""Cycles for each line that the end of a command drives out: read, and let go."""


class Row(NamedTuple):
    """A row of a packet.

    Attributes
    ----------
    address, size : int
        Where its bytes go.
    index : int
        Of its group of resident token tiles.
    follower : int
        Index of the row that comes next, if the job goes on.
    ends_beat : bool
        It is the last of its beat of the result stream.
    """

    address: int
    size: int
    index: int
    follower: int
    ends_beat: bool


def result_rows(config: Config, work: Work) -> Iterator[Row]:
    """List the rows of a job's packets in their order."""
    command, each = work.command, result_bytes(work.command)
    rows = 1 if work.is_pass else command.tiles * config.rows
    for first in range(0, command.m, rows):
        group = min(rows, command.m - first)
        for column, lanes in tile_lines(command.n, config.cols):
            for index in range(group):
                place = index % config.rows
                ends = index == group - 1 or place == config.rows - 1 or (
                    place % config.drain_rows == config.drain_rows - 1)
                address = work.at.c + (first + index) * command.c_stride
                yield Row(address + column * config.cols * each, lanes * each, index,
                          (index + 1) % group, ends)


class RowWriter:
    """Put rows into lines, and let lines go.

    Parameters
    ----------
    config : Config
    beats : Beats
        Of the result stream.
    stores : Stores
    """

    def __init__(self, config: Config, beats: Beats, stores: Stores):
        self._config, self._beats, self._stores = config, beats, stores
        self._word = config.bus_bytes
        self._line = max(2, LINE_BYTES // config.bus_bytes)
        self._leaving = Queue(leaving_lines(largest_group(config)))
        self._left: list[list[Store]] = []  # words of each line that leaves
        self._lines: dict[int, tuple[int, dict[int, int]]] = {}  # of each row: place, words
        self._moved = NOT_YET
        self._shown = -1  # row whose line is read while a word moves

    def write_job(self, work: Work, since: int, ended: Cycles) -> Step:
        """Write a job's rows, none of which is taken before a cycle; note when the last is.

        Lines that the end of a command drives out follow.
        """
        beats = self._beats
        rows, place = list(result_rows(self._config, work)), len(beats.taken)
        cycle, begins = since, True
        for number, row in enumerate(rows):
            if begins:
                if len(beats.offered) <= place:
                    yield beats.offered, place
                cycle = max(cycle, beats.offered[place])
            first, end = row.address // self._word, -(-(row.address + row.size) // self._word)
            for word in range(first, end):
                is_last = work.is_last and number == len(rows) - 1 and word == end - 1
                yield from self._move(row, word, cycle)
                if row.ends_beat and word == end - 1:
                    beats.taken.append(self._moved)
                cycle = self._moved + 1
                if number == len(rows) - 1 and word == end - 1:
                    ended.append(self._moved)
                if is_last:
                    yield from self._flush(work.ends)
            begins = row.ends_beat
            place += begins

    def _move(self, row: Row, word: int, offered: int) -> Step:
        """Put the word into its line, and let another line of its row go.

        Its line has been read while the word before moved, if that knew which.
        """
        place = word // self._line
        moved = max(offered, self._moved + 1)
        if self._shown != row.index:
            moved += READ
        kept, words = self._lines.get(row.index, (place, {}))
        if kept != place:
            moved = max(moved, (yield from self._leaving.room()))
            self._let_go(words, moved, ends=False)
            words = {}
        first = word * self._word
        begin, end = max(row.address - first, 0), min(row.address + row.size - first, self._word)
        words[word] = words.get(word, 0) | (1 << end) - (1 << begin)
        self._lines[row.index] = place, words
        self._moved = moved
        self._shown = row.follower if row.follower != row.index else -1

    def _flush(self, ends: bool) -> Step:
        """Let all lines go, row by row."""
        cycle, last = self._moved, max(self._lines)
        for row in range(last + 1):
            cycle = max(cycle + FLUSHED, (yield from self._leaving.room()))
            self._let_go(self._lines[row][1], cycle, ends=ends and row == last)
        self._lines.clear()
        self._moved, self._shown = cycle, -1

    def _let_go(self, words: dict[int, int], cycle: int, ends: bool) -> None:
        self._left.append([Store(word, words[word], ends=ends and word == max(words))
                           for word in sorted(words)])
        self._leaving.put.append(cycle)

    def send(self) -> Step:
        """Send the words of lines."""
        stores, cycle = self._stores, NOT_YET
        while True:
            cycle = max(cycle, (yield from self._leaving.offered()))
            for word in self._left[len(self._leaving.taken)]:
                stores.offer(word, cycle)
                if len(stores.taken) < len(stores.offered):
                    yield stores.taken, len(stores.offered) - 1
                cycle = stores.taken[-1] + 1
            self._leaving.taken.append(cycle - 1)

    def empty(self) -> Process[int]:
        """Say from when on nothing is in lines any more, after a command's last row."""
        leaving = self._leaving
        if not leaving.put:
            return NOT_YET
        if len(leaving.taken) < len(leaving.put):
            yield leaving.taken, len(leaving.put) - 1
        return leaving.taken[-1] + RELEASED
