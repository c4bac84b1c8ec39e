"""Rows and slabs on their way through the sixteen banks of `hw.activations.reorder`."""

from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from hw.contract.job_codes import JobKind
from perf.rtl.schedule.chain import Chain, Paces
from perf.rtl.schedule.latencies import CUT, GATHERED, NOT_YET, RELEASED, SCATTERED
from perf.rtl.schedule.scheduled_job import ScheduledJob

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
        self._written = NOT_YET  # the last block
        self._read = deque([NOT_YET] * _HALVES, maxlen=_HALVES)
        self._known: int | None = None  # table whose next places are looked up already
        self._looks_up = False

    def take_job(self, job: ScheduledJob) -> None:
        """Prepare for a job's segments."""
        self._cycles = job.order_cycles
        if job.kind is JobKind.CONVERT_TRANSPOSED:
            self._known = None
            return
        if job.loads_table or self._known != job.table:
            self._looks_up = True
        self._known = job.table

    def write_row(self, beats: Sequence[int], cut: int, left: int) -> tuple[int, int, int]:
        """Write a row whose blocks are of so many beats.

        Parameters
        ----------
        beats : sequence of int
        cut, left : int
            When the last block before it was cut, and taken from the buffer behind the cutter.

        Returns
        -------
        cut, left : int
            Of its own last block.
        last_beat : int
            Last beat taken.
        """
        return self._write(tuple(beats), tuple(self._cycles), cut, left)

    def write_slab(self, beats: Sequence[int], cycles: Sequence[int], tokens: int, cut: int,
                   left: int) -> tuple[int, int, int]:
        """Write a slab of so many tokens, each of blocks that take these cycles; as `write_row`."""
        return self._write(tuple(beats) * tokens, tuple(cycles) * tokens, cut, left)

    def _write(self, beats: tuple[int, ...], cycles: tuple[int, ...], cut: int,
               left: int) -> tuple[int, int, int]:
        before, cut = cut, max(cut + beats[0], left + 1)
        left = max(cut + self._looks_up, self._written)
        self._looks_up = False
        self._written = max(left + SCATTERED, self._read[0] + RELEASED) + cycles[0] - 1
        if len(beats) > 1:  # from here on there is room
            before, cut = cut, max(cut + beats[1], left + 1)
            left = max(cut, self._written)
            more_before, more_cut, more_left = _paces(beats[1:], cycles[1:], left - cut)
            before = cut + more_before if len(beats) > 2 else before
            cut, left = cut + more_cut, left + more_left
            self._written = left + SCATTERED + cycles[-1] - 1
        return cut, left, before + beats[-1] - CUT

    def read_segment(self, blocks: int, first: int, gates: list[tuple[int, int]]) -> None:
        """Read a segment; ``first`` is its first block's place in the tile, as in `gates`."""
        chain = self._chain
        chain.wait(self._written + GATHERED)
        begun = chain.left
        if gates[-1][0] < first:
            chain.run(_ONE_EACH, first, first + blocks, NOT_YET)
        else:
            stops = [first, *(at for at, _ in gates if first < at < first + blocks), first + blocks]
            known = dict(gates)
            for start, stop in pairwise(stops):
                chain.run(_ONE_EACH, start, stop, known.get(start, NOT_YET))
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
def _paces(beats: tuple[int, ...], cycles: tuple[int, ...], slack: int) -> tuple[int, int, int]:
    """Say how much later than the first the last block but one is cut, and the last; and taken.

    A block is taken when it is cut, and when the one before is written; meanwhile the next is cut.

    Parameters
    ----------
    beats, cycles : tuple of int
        Of each block.
    slack : int
        Cycles for which the first block waited.
    """
    before = cut = 0
    left = slack
    for pace, writes in zip(beats[1:], cycles[:-1], strict=True):
        before, cut = cut, max(cut + pace, left + 1)
        left = max(cut, left + writes)
    return before, cut, left - slack
