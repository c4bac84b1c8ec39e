"""Passes of the array: `hw.array.block_walker` and `hw.array.beat_issuer`."""

from collections import deque
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import Config
from perf.rtl.schedule.latencies import NOT_YET, TAKEN, WALKED, array_latencies
from perf.rtl.schedule.results import Results
from perf.rtl.schedule.rooms import JobReader, Room
from perf.rtl.schedule.scheduled_job import ScheduledJob
from perf.rtl.schedule.tiles import TokenTiles
from perf.rtl.schedule.weights import WeightLoader


def beats_of_passes(act: NDArray, weight: NDArray) -> NDArray[np.int64]:
    """Count the beats of every pair of tiles: shape (token tiles, column tiles).

    A pair of blocks takes a beat, one more for each residual, and one for both.
    """
    # In double precision, which NumPy multiplies fast and which is exact far beyond K_MAX.
    return ((1.0 + act) @ (1.0 + weight).T).astype(np.int64)


class Array:
    """Walk the passes of GEMMs.

    Parameters
    ----------
    config : Config
    tiles : TokenTiles
    results : Results
    """

    def __init__(self, config: Config, tiles: TokenTiles, results: Results):
        self._config, self._tiles, self._results = config, tiles, results
        self._latencies = array_latencies(config)
        self._weight_room = Room(config.weight_depth, config.weight_slots)
        self._weights = WeightLoader(config, self._weight_room)
        self._jobs = JobReader()
        self._ended = self._stepped = NOT_YET  # the last beat, the last step of the walker
        # Cycles before the last passes in which the issuer had nothing, and who counts them.
        self._gaps: deque[tuple[int, int, dict[str, int]]] = deque(maxlen=WALKED)
        self._k_blocks_before = WALKED

    def skip_job(self, start: int) -> None:
        """Pass over a conversion, which needs no array."""
        self._jobs.skip_job(start)
        self._weights.skip_job(start)

    def run(self, job: ScheduledJob, start: int) -> Mapping[str, int]:
        """Run a job; return its counters but the cycles; the stalls may grow with the next job."""
        head = self._jobs.head(start)
        self._jobs.note_taken(head)
        self._busy = head + TAKEN
        self._k_blocks = job.k_blocks
        self._weights.take_job(job, start)
        act_mx9, act_residual, weight_mx9, weight_residual = job.precisions
        shapes, columns = self._tiles.shapes, -(-job.n // self._config.cols)
        beats = np.broadcast_to(beats_of_passes(act_residual, weight_residual),
                                (len(shapes), columns))
        wanted = np.broadcast_to(beats_of_passes(act_mx9, weight_mx9), (len(shapes), columns))
        self._stalls = {"act_stalls": 0, "weight_stalls": 0, "result_stalls": 0}
        paces = np.maximum(beats, self._latencies.interval)
        self._paces, self._held = paces.T.tolist(), (paces - beats).T.tolist()
        self._groups = [-(-shape.rows // self._config.drain_rows) for shape in shapes]
        by_column = beats.T.tolist()
        for first in range(0, len(shapes), job.tiles):
            group = range(first, min(first + job.tiles, len(shapes)))
            for column in range(columns):
                self._pass_over(group, column, columns, by_column[column])
        self._stalls |= {"beats": int(beats.sum()), "skipped": int((wanted - beats).sum())}
        return self._stalls

    def _pass_over(self, group: range, column: int, columns: int, beats: list[int]) -> None:
        """Use a column tile for all resident token tiles."""
        capture, interval = self._latencies.capture, self._latencies.interval
        shapes, stalls = self._tiles.shapes, self._stalls
        weight, last_column = self._weights.load(column), column == columns - 1
        for tile in group:
            if tile > group.start and 0 < column < columns - 1 and self._flows():
                self._flow(group, tile, column)
                break
            act = self._tiles.load(tile) if column == 0 else NOT_YET
            self._count_waiting(act, weight)
            begun = max(self._ended + 1, max(act, weight, self._busy) + WALKED)
            self._stepped = max(self._stepped + 1, act, weight, self._busy) + self._k_blocks - 1
            self._gaps.append((self._ended + 1, begun, stalls))
            could_end = begun + beats[tile] - 1
            self._ended = max(could_end, self._ended + interval, self._results.room())
            stalls["result_stalls"] += self._ended - could_end
            weight = NOT_YET
            self._results.add(self._ended, shapes[tile].rows, column, last_column)
            if last_column:
                self._tiles.room.release(self._ended + capture)
        self._weight_room.release(self._ended + capture)

    def _flows(self) -> bool:
        """Tell whether passes over stored tiles follow each other without any other wait."""
        return self._k_blocks >= WALKED and self._results.flow

    def _flow(self, group: range, tile: int, column: int) -> None:
        """Let the passes from this token tile on follow each other: nothing else is waited for."""
        paces, groups = self._paces[column][tile : group.stop], self._groups[tile : group.stop]
        ends = list(accumulate(paces, initial=self._ended))[1:]
        self._results.flow_on(zip(ends, groups, strict=True))
        self._ended = ends[-1]
        self._stalls["result_stalls"] += sum(self._held[column][tile : group.stop])
        self._stepped = self._ended - WALKED  # at the latest

    def _count_waiting(self, act: int, weight: int) -> None:
        """Count the cycles in which the walker waits and the issuer has nothing to do.

        Where passes are as short as a pair is on its way, it has nothing to do either while pairs
        of passes before are still on their way to it; that counts for their job.
        """
        since = max(self._stepped + 1, self._busy)
        gaps = [(self._ended + 1, max(act, weight), self._stalls)]
        if self._k_blocks_before < WALKED:
            gaps += self._gaps
        for first, end, stalls in gaps:
            first = max(first, since)
            stalls["act_stalls"] += max(0, min(act, end) - first)
            stalls["weight_stalls"] += max(0, min(weight, end) - max(first, act))
        self._k_blocks_before = self._k_blocks
