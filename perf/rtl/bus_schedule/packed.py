"""Packed activations, from the bus's beats to rows for the operand memory."""

from itertools import count

from golden.memory.layouts import tile_lines
from hw.contract.config import Config
from perf.rtl.bus_schedule.network import Cycles, Step
from perf.rtl.bus_schedule.operand_reader import row_pieces
from perf.rtl.bus_schedule.queues import BUFFERED
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import CUT, NOT_YET, PACKED_BUFFERED, RELEASED, TAKEN
from perf.rtl.schedule.rooms import JobReader
from perf.rtl.schedule.streams import StreamSwitch
from perf.rtl.schedule.weights import chunk_beats


class PackedLoader:
    """Read packets, a token tile each, and send their rows.

    As `perf.rtl.schedule.packed.PackedLoader`, but that beats come when they come, and that some
    may follow a packet, which are dropped.

    Parameters
    ----------
    config : Config
    switch : StreamSwitch
        Shared with activations in floating point.
    beats, taken : list of int
        Of the stream of activations, as of `Aligner`.

    Attributes
    ----------
    gates, stored : list of int
        From when on the rows of each tile may be stored, and when the last was.
    """

    def __init__(self, config: Config, switch: StreamSwitch, beats: Cycles, taken: Cycles):
        self._config, self._switch, self._beats, self._taken = config, switch, beats, taken
        self._jobs = JobReader()
        self._announced = self._last_beat = NOT_YET
        self._read: Cycles = []  # the last beat of each chunk
        self._chunks: Cycles = []  # when each left the reader
        self._rows: list[tuple[int, bool]] = []  # of each chunk, and if it is its tile's last
        self._left: Cycles = []  # rows, from the unpacker
        self._sent: Cycles = []  # and from the buffer behind it
        self.gates: Cycles = []
        self.stored: Cycles = []

    def skip_job(self, start: int) -> None:
        """Pass over a job in floating point."""
        self._jobs.skip_job(start)

    def load_job(self, work: Work, start: int) -> Step:
        """Load a job that starts in a cycle, as soon as the one before lets it."""
        taken = max(self._jobs.head(start), self._announced + 1)
        self._jobs.note_taken(taken)
        busy, since = taken + TAKEN, self._switch.take_job(start) + TAKEN
        config, mx9 = self._config, work.job.precisions[0]
        width, tiles = config.act_bytes, tile_lines(work.job.m, config.rows)
        for (tile, rows), (_, size) in zip(tiles, row_pieces(config, work), strict=True):
            self._announced = max(busy, self._last_beat)
            since = max(since, self._announced + TAKEN)
            _, bases, residuals = chunk_beats(rows, width)
            place, end = len(self._taken), len(self._taken) + -(-size // width)
            for k_block, is_mx9 in enumerate(mx9[tile % len(mx9)].tolist()):
                place += bases + residuals * is_mx9 + (k_block % (8 * width) == 0)
                if place > end:
                    raise ValueError(f"a token tile does not end within its stride of "
                                     f"{work.command.a_stride} bytes")
                # Not a beat is taken while a chunk waits to be taken.
                chunk = len(self._read) - 1
                if chunk >= 0:
                    if len(self._chunks) <= chunk:
                        yield self._chunks, chunk
                    since = max(since, self._chunks[chunk])
                yield from self._take(place, since)
                self._last_beat = self._taken[-1]
                self._rows.append((rows, k_block == work.job.k_blocks - 1))
                self._read.append(self._last_beat)
            yield from self._take(end, NOT_YET)  # what follows the packet
            since = self._taken[-1] + 1
        self._switch.end_job(self._taken[-1])

    def _take(self, end: int, since: int) -> Step:
        """Take beats up to a place."""
        beats, taken = self._beats, self._taken
        since = max(since, taken[-1] + 1 if taken else NOT_YET)
        for place in range(len(taken), end):
            if len(beats) <= place:
                yield beats, place
            since = max(since, beats[place])
            taken.append(since)
            since += 1

    def unpack(self) -> Step:
        """Let the rows of all chunks leave the unpacker, for a buffer that holds two."""
        left, sent, cycle = self._left, self._sent, NOT_YET
        for number in count():
            if len(self._read) <= number:
                yield self._read, number
            cycle = max(self._read[number] + CUT, cycle)
            self._chunks.append(cycle)
            for place in range(len(left), len(left) + self._rows[number][0]):
                cycle, before = cycle + 1, place - BUFFERED
                if before >= 0:
                    if len(sent) <= before:
                        yield sent, before
                    cycle = max(cycle, sent[before] + RELEASED)
                left.append(cycle)

    def send(self) -> Step:
        """Let them leave that buffer, when there is room for their tile."""
        left, sent, cycle = self._left, self._sent, NOT_YET
        for number in count():
            if len(self._chunks) <= number:
                yield self._chunks, number
            rows, is_last = self._rows[number]
            tile = len(self.stored)
            for place in range(len(sent), len(sent) + rows):
                if len(left) <= place:
                    yield left, place
                if len(self.gates) <= tile:
                    yield self.gates, tile
                cycle = max(left[place] + PACKED_BUFFERED, cycle + 1, self.gates[tile])
                sent.append(cycle)
            if is_last:
                self.stored.append(cycle)
