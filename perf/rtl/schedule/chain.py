"""Blocks on their way from a source, through a few registers, to a memory that may be full."""

from collections import deque
from collections.abc import Sequence


class Chain:
    """Registers in a row, each of which holds a block until the next one takes it.

    The source needs `pace` cycles per block, counted from when the block before was cut: when it
    left the source itself, for a `SkidBuffer` of `hw.streams` behind it. Block i is cut at C[i],
    leaves the skid buffer at L[i] and the last register at A[i], where ``n`` registers lie in
    between. One of them is a `StreamBuffer` of `hw.streams`: it holds a block more, and knows a
    cycle late that there is room.

        C[i] = max(C[i-1] + pace[i], L[i-1] + 1)
        L[i] = max(C[i], A[i-n-1] + 1)    A[i] = max(A[i-1] + 1, L[i] + n, gate[i])

    A source of one block per cycle is the same with and without a skid buffer. Behind a gate the
    waiting blocks follow at one per cycle; after ``n`` + 4 of them the source sets the pace again,
    so that a run of blocks is a sum.

    Parameters
    ----------
    registers : int
        n.

    Attributes
    ----------
    cut, left : int
        When the last block was cut, and left the skid buffer.
    before_cut, before_left : int
        When the one before did.
    """

    def __init__(self, registers: int):
        self._registers = registers
        self._arrivals = deque([-1] * (registers + 1), maxlen=registers + 1)
        self.cut = self.before_cut = self.left = self.before_left = -1
        self._taken = -1  # L of the source's last block; another source may have come between

    @property
    def arrived(self) -> int:
        """When the last block left the last register."""
        return self._arrivals[-1]

    @property
    def times(self) -> tuple[int, ...]:
        """All that later blocks depend on."""
        return self.cut, self._taken, self.left, *self._arrivals

    def shift(self, cycles: int) -> None:
        """Let everything happen so much later."""
        self.cut += cycles
        self.before_cut += cycles
        self._taken += cycles
        self.left += cycles
        self.before_left += cycles
        self._arrivals.extend([each + cycles for each in self._arrivals])

    def wait(self, cycle: int) -> None:
        """Let the source begin with its next block no earlier than in this cycle."""
        self.cut = self._taken = self.left = max(self.left, cycle)

    def restart(self, cut: int, left: int) -> None:
        """Go on with another source, whose last block was cut and left it in these cycles."""
        self.cut, self._taken = cut, left

    def run(self, paces: "Paces", first: int, last: int, gate: int) -> None:
        """Pass blocks ``first`` to ``last`` - 1, of which only the first waits for a gate."""
        n, index = self._registers, first
        for index in range(first, min(first + n + 4, last)):
            self._step(paces.of(index), gate if index == first else -1)
        start, left, arrived = index, self.left, self._arrivals[-1]
        for index in range(max(start + 1, last - self._arrivals.maxlen), last):
            # L grows by one at least, so A[i] = max(A[start] + i - start, L[i] + n).
            self.before_cut = self.before_left = left + paces.total(start + 1, index)
            self.cut = self._taken = self.left = left + paces.total(start + 1, index + 1)
            self._arrivals.append(max(arrived + index - start, self.left + n))

    def _step(self, pace: int, gate: int) -> None:
        n = self._registers
        self.before_cut, self.before_left = self.cut, self.left
        self.cut = max(self.cut + pace, self._taken + 1)
        self._taken = self.left = max(self.cut, self.left + 1, self._arrivals[0] + 1)
        self._arrivals.append(max(self._arrivals[-1] + 1, self.left + n, gate))


class Paces:
    """Cycles per block of a tile whose rows are all alike.

    Parameters
    ----------
    row : sequence of int
        Of the blocks of a row.
    """

    def __init__(self, row: Sequence[int]):
        self._row = row = tuple(row)
        self._length = len(row)
        self._sums = [0]
        for pace in row:
            self._sums.append(self._sums[-1] + pace)

    def of(self, index: int) -> int:
        """Give the pace of a block."""
        return self._row[index % self._length]

    def total(self, first: int, last: int) -> int:
        """Add the paces of blocks ``first`` to ``last`` - 1 up."""
        return self._before(last) - self._before(first)

    def _before(self, index: int) -> int:
        rows, place = divmod(index, self._length)
        return rows * self._sums[-1] + self._sums[place]
