"""Rows of results that are cut into blocks, while others are taken behind them."""

from itertools import count
from typing import NamedTuple

from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.result_tags import ResultTags
from perf.rtl.bus_schedule.work import Work
from perf.rtl.schedule.latencies import NOT_YET


class Rows(NamedTuple):
    """Rows of a tile, a block of each.

    Attributes
    ----------
    work : Work
    block : int
        Which of a row's.
    taken : int
        From the next cycle on the first of them may leave.
    rows : int
    ends_tile, ends_job : bool
        They are the last of this block column, which is the last of the job.
    empties : bool
        The tile is not needed any more.
    """

    work: Work
    block: int
    taken: int
    rows: int
    ends_tile: bool
    ends_job: bool
    empties: bool = False


class BlockCutter:
    """Cut rows into blocks: `hw.results.part_joiner`, or `hw.results.tile_turner`.

    Whoever takes rows from the array goes on as far as it may while they are cut.

    Parameters
    ----------
    tags : ResultTags
        Where blocks go.
    """

    def __init__(self, tags: ResultTags):
        self._tags = tags
        self._pieces: list[Rows] = []
        self._rows = self._tiles = 0  # that were added
        self._added: Cycles = []  # as long as `_pieces`
        self._emptied: Cycles = []  # tiles

    def add(self, piece: Rows) -> None:
        """Cut these behind all others."""
        self._pieces.append(piece)
        self._added.append(piece.taken)
        self._rows += piece.rows
        self._tiles += piece.empties

    def free(self) -> Process[int]:
        """Say when the last row has left that was added."""
        if not self._rows:
            return NOT_YET
        if len(self._tags.cut) < self._rows:
            yield self._tags.cut, self._rows - 1
        return self._tags.cut[self._rows - 1]

    def room_for_tile(self) -> Process[int]:
        """Say when the tile was emptied whose place one more takes: two are held."""
        before = self._tiles - 2
        if before < 0:
            return NOT_YET
        if len(self._emptied) <= before:
            yield self._emptied, before
        return self._emptied[before]

    def run(self) -> Step:
        """Cut for as long as there are rows."""
        tags = self._tags
        for number in count():
            if len(self._added) <= number:
                yield self._added, number
            piece = self._pieces[number]
            order = yield from tags.order.turn(piece.work.index)
            cycle = max(piece.taken, tags.cut[-1] if tags.cut else NOT_YET)
            for row in range(piece.rows):
                is_last = row == piece.rows - 1
                if is_last and piece.empties:
                    self._emptied.append(cycle)
                cycle = yield from self._cut(piece, cycle + 1, order, is_last and piece.ends_tile)
            if piece.ends_tile and piece.ends_job:
                tags.order.ended.append(tags.entered[-1])

    def _cut(self, piece: Rows, since: int, order: int, row_last: bool) -> Process[int]:
        if not piece.work.is_tagged:
            return (yield from self._tags.cut_block(since, order))
        return (yield from self._tags.cut_tagged(
            since, order, piece.work, piece.block, row_last=row_last,
            job_last=piece.ends_job and row_last))
