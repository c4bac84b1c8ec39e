"""Rows and slabs on their way through the sixteen banks of `hw.reorder`."""

from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from hw.job import JobKind
from perf.schedule.chain import Chain, Paces
from perf.schedule.job import Job
from perf.schedule.latencies import CUT, GATHERED, RELEASED, SCATTERED

_EVER = -1
_HALVES = 2
_ONE_EACH = Paces([1])


class Banks:
    """Write a segment (a row, or a slab of tokens) while the one before is read.

    Parameters
    ----------
    chain : Chain
        Behind the banks.
    """

    def __init__(self, chain: Chain):
        self._chain = chain
        self._written = _EVER  # the last block
        self._read = deque([_EVER] * _HALVES, maxlen=_HALVES)
        self._known: int | None = None  # table whose next places are looked up already
        self._looks_up = False

    def begin(self, job: Job) -> None:
        """Prepare for a job's segments."""
        self._cycles = job.order_cycles
        if job.kind is JobKind.CONVERT_TRANSPOSED:
            self._known = None
            return
        if job.loads_table or self._known != job.table:
            self._looks_up = True
        self._known = job.table

    def write_row(self, beats: Sequence[int], left: int) -> tuple[int, int]:
        """Write a row that is cut from cycle `left` on; return when its last block was taken.

        Returns
        -------
        left : int
            Last block taken.
        last_beat : int
            Last beat taken.
        """
        return self._write(beats, self._cycles, left)

    def write_slab(self, beats: Sequence[int], tokens: int, left: int) -> tuple[int, int]:
        """Write a slab of so many tokens, whose blocks take a cycle each; as `write_row`."""
        blocks = tokens * len(beats)
        return self._write(tuple(beats) * tokens, (1,) * blocks, left)

    def _write(self, beats: Sequence[int], cycles: Sequence[int], left: int) -> tuple[int, int]:
        room = self._read[0] + RELEASED
        cut, before = left + beats[0] + self._looks_up, left
        self._looks_up = False
        left = max(cut, self._written)
        self._written = max(left + SCATTERED, room) + cycles[0] - 1
        if len(beats) > 1:  # from here on there is room
            left, before = max(left + beats[1], self._written), left
            *paces, last = _paces(tuple(beats[1:]), tuple(cycles[1:]))
            left += sum(paces)
            before = left - paces[-1] if paces else before
            self._written = left + last - 1 + SCATTERED
        return left, before + beats[-1] - CUT

    def read(self, blocks: int, first: int, gates: list[tuple[int, int]]) -> None:
        """Read a segment; ``first`` is its first block's place in the tile, as in `gates`."""
        chain = self._chain
        chain.wait(self._written + GATHERED)
        begun = chain.left
        if gates[-1][0] < first:
            chain.run(_ONE_EACH, first, first + blocks, _EVER)
        else:
            stops = [first, *(at for at, _ in gates if first < at < first + blocks), first + blocks]
            known = dict(gates)
            for start, stop in pairwise(stops):
                chain.run(_ONE_EACH, start, stop, known.get(start, _EVER))
        self._read.append(chain.before_left if blocks > 1 else begun)

    @property
    def times(self) -> tuple[int, ...]:
        """All that a later segment depends on."""
        return self._written, *self._read

    def shift(self, cycles: int) -> None:
        """Let everything happen so much later."""
        self._written += cycles
        self._read.extend([each + cycles for each in self._read])


@lru_cache(maxsize=256)
def _paces(beats: tuple[int, ...], cycles: tuple[int, ...]) -> tuple[int, ...]:
    """Say how long each block of a row keeps the next one waiting, and the last the row's end.

    A block is taken when it is cut, and when the one before is written.
    """
    return (*(max(pace, writes) for pace, writes in zip(beats[1:], cycles[:-1], strict=True)),
            cycles[-1])
