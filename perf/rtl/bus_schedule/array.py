"""Passes of the array, whose tiles come when they come."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from golden.memory.layouts import tile_lines
from hw.contract.config import Config
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.rooms import TileRoom
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.array import beats_of_passes
from perf.rtl.schedule.latencies import NOT_YET, RELEASED, TAKEN, WALKED, array_latencies
from perf.rtl.schedule.rooms import JobReader


@dataclass
class Counted:
    """What a job's beats were, and what they waited for.

    Attributes
    ----------
    first_beat, last_beat : int
        When the first and the last entered the array.
    beats, skipped, act_stalls, weight_stalls, result_stalls : int
        As in `JobCounters`.
    """

    beats: int
    skipped: int
    first_beat: int = NOT_YET
    last_beat: int = NOT_YET
    act_stalls: int = 0
    weight_stalls: int = 0
    result_stalls: int = 0


@dataclass
class Array:
    """Walk the passes of GEMMs, as `perf.rtl.schedule.array.Array`.

    Attributes
    ----------
    config : Config
    act, weight : list of int
        From when on the walker knows of each token tile, and of each column tile.
    act_room, weight_room : TileRoom
    results : Groups
        In the queue behind the array.
    counted : list of Counted
        Of each GEMM.
    """

    config: Config
    act: Cycles
    weight: Cycles
    act_room: TileRoom
    weight_room: TileRoom
    results: Groups
    counted: list[Counted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._latencies = array_latencies(self.config)
        self._spare = self.config.result_depth - self.config.drain_cycles
        self._jobs = JobReader()
        self._ended = self._stepped = NOT_YET  # the last beat, the last step of the walker
        self._tiles = self._columns = 0
        # Cycles before the last passes in which the issuer had nothing, and who counts them.
        self._gaps: deque[tuple[int, int, Counted]] = deque(maxlen=WALKED)
        self._k_blocks_before = WALKED

    def skip_job(self, start: int) -> None:
        """Pass over a conversion, which needs no array."""
        self._jobs.skip_job(start)

    def run_job(self, work: Work, start: int) -> Step:
        """Run a GEMM."""
        config, job = self.config, work.job
        head = self._jobs.head(start)
        self._jobs.note_taken(head)
        self._busy, self._k_blocks = head + TAKEN, job.k_blocks
        act_mx9, act_residual, weight_mx9, weight_residual = job.precisions
        tiles, columns = (list(tile_lines(*each)) for each in (
            (job.m, config.rows), (job.n, config.cols)))
        shape = len(tiles), len(columns)
        beats, wanted = (np.broadcast_to(beats_of_passes(*each), shape) for each in (
            (act_residual, weight_residual), (act_mx9, weight_mx9)))
        counted = Counted(int(beats.sum()), int((wanted - beats).sum()))
        self.counted.append(counted)
        for first in range(0, len(tiles), job.tiles):
            for column, _ in columns:
                for tile, rows in tiles[first : first + job.tiles]:
                    yield from self._pass(
                        counted, int(beats[tile, column]), rows,
                        tile == first, column == 0, column == len(columns) - 1)
                self.weight_room.released.append(self._ended + self._latencies.capture)
        counted.last_beat = self._ended

    def _pass(self, counted: Counted, beats: int, rows: int,
              needs_weight: bool, needs_act: bool, releases_act: bool) -> Step:
        """Let a pair of tiles meet."""
        act = weight = NOT_YET
        if needs_act:
            if len(self.act) <= self._tiles:
                yield self.act, self._tiles
            act = self.act[self._tiles]
            self._tiles += 1
        if needs_weight:
            if len(self.weight) <= self._columns:
                yield self.weight, self._columns
            weight = self.weight[self._columns]
            self._columns += 1
        self._count_waiting(counted, act, weight)
        known = max(act, weight, self._busy)
        begun = max(self._ended + 1, known + WALKED)
        self._stepped = max(self._stepped + 1, known) + self._k_blocks - 1
        self._gaps.append((self._ended + 1, begun, counted))
        could_end = begun + beats - 1
        self._ended = max(could_end, self._ended + self._latencies.interval,
                          (yield from self._room()))
        counted.result_stalls += self._ended - could_end
        if counted.first_beat == NOT_YET:
            counted.first_beat = begun if beats > 1 else self._ended
        visible = self._ended + self._latencies.capture + self._latencies.queue
        self.results.offered.extend(range(visible, visible - (-rows // self.config.drain_rows)))
        if releases_act:
            self.act_room.released.append(self._ended + self._latencies.capture)

    def _room(self) -> Process[int]:
        """Say from when on there is room for the results of a whole tile."""
        left, place = self.results.taken, len(self.results.offered) - self._spare - 1
        if place < 0:
            return NOT_YET
        if len(left) <= place:
            yield left, place
        return left[place] + RELEASED

    def _count_waiting(self, counted: Counted, act: int, weight: int) -> None:
        """Count the cycles in which the walker waits and the issuer has nothing to do."""
        since = max(self._stepped + 1, self._busy)
        gaps = [(self._ended + 1, max(act, weight), counted)]
        if self._k_blocks_before < WALKED:
            gaps += self._gaps
        for first, end, whose in gaps:
            first = max(first, since)
            whose.act_stalls += max(0, min(act, end) - first)
            whose.weight_stalls += max(0, min(weight, end) - max(first, act))
        self._k_blocks_before = self._k_blocks
