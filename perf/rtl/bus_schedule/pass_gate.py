"""Blocks on their way to the stage or to the vector unit, and back: `hw.activations.pass_gate`."""

from collections import deque
from itertools import count
from typing import NamedTuple

from hw.activations.pass_gate import ROWS_HELD
from perf.rtl.bus_schedule.groups import Groups
from perf.rtl.bus_schedule.network import Cycles, Process, Step
from perf.rtl.bus_schedule.row_passes import RowPasses
from perf.rtl.schedule.latencies import ALIGNMENT, NOT_YET, RELEASED

REGISTERS = 2
"""In order, and widened: those that blocks go through before they part."""


class Block(NamedTuple):
    """A block of a row.

    Attributes
    ----------
    is_pass : bool
        It goes to the vector unit.
    packs : bool
        Its row comes back.
    row_first, row_last : bool
    job_last : bool
    job : int
        Its index in the list.
    """

    is_pass: bool = False
    packs: bool = False
    row_first: bool = False
    row_last: bool = False
    job_last: bool = False
    job: int = 0


class Alignment:
    """The registers between rows and the stage, where there is no vector unit.

    Parameters
    ----------
    stored : list of int
        When each block was stored.

    Attributes
    ----------
    registers : int
        That are left to the stage.
    parted : list of int
        When each block was that far from it.
    """

    def __init__(self, stored: Cycles):
        self._stored = stored
        self.registers = ALIGNMENT
        self.parted: Cycles = []

    def enter(self, offered: int, _: Block) -> Process[int]:
        """Let a block in that is offered from a cycle on; return when."""
        parted, stored, before = self.parted, self._stored, len(self.parted) - ALIGNMENT - 1
        if before >= 0:
            if len(stored) <= before:
                yield stored, before
            offered = max(offered, stored[before] + 1)
        parted.append(max(offered, parted[-1] + 1) if parted else offered)
        return parted[-1]


class PassGate:
    """The same with one: what comes back goes first, and rows of passes part before the aligner.

    While rows are to come back, who is first depends on who comes first: if one side is not known,
    that is decided as what happens on the bus is, at `moment`.

    Block i enters at N[i], and parts from the others two registers later, at W[i]:

        N[i] >= W[i-2]    W[i] = max(W[i-1] + 1, N[i] + 2, room)

    Parameters
    ----------
    stored : list of int
        When each block was stored.
    back : Groups
        Blocks that come back.
    came : list of int
        When each block parted for the vector unit.
    passes : RowPasses
        What it does there.
    news : list of int
        One entry more whenever there may be something new to see.

    Attributes
    ----------
    registers : int
        That are left to the stage.
    parted : list of int
        When each block parted for the stage.
    moment : int or None
        When a block enters unless another one comes before.
    """

    def __init__(self, stored: Cycles, back: Groups, came: Cycles, passes: RowPasses,
                 news: Cycles):
        self._stored, self._back = stored, back
        self._row_left, self._order = passes.row_left, passes.order
        self._offered: Cycles = []
        self._taken: Cycles = []
        self._blocks: list[Block] = []
        self._entered: Cycles = []
        self._moved: Cycles = []  # W
        self._moves: deque[Block] = deque()
        self._rows = self._owed = 0  # that went in, and that are to come back
        self._ends: deque[bool] = deque()  # of blocks that come back: of its row
        self._is_decided = False
        self.registers = ALIGNMENT - REGISTERS
        self.parted: Cycles = []
        self.came, self.news = came, news
        self.moment: int | None = None

    def enter(self, offered: int, block: Block) -> Process[int]:
        """Let a block in that is offered from a cycle on; return when."""
        place = len(self._offered)
        self._blocks.append(block)
        self._offered.append(offered)
        self.news.append(offered)
        if len(self._taken) <= place:
            yield self._taken, place
        return self._taken[place]

    def decide(self) -> None:
        """Say that no other block comes before."""
        self._is_decided = True
        self.news.append(self.moment)

    def run(self) -> Step:
        """Let blocks in for as long as they come."""
        entered, moved, back = self._entered, self._moved, self._back
        for number in count():
            room = entered[-1] + 1 if entered else NOT_YET
            if number >= REGISTERS:
                if len(moved) <= number - REGISTERS:
                    yield moved, number - REGISTERS
                room = max(room, moved[number - REGISTERS])
            while True:
                goes, returns = self._next(room), self._next_back(room)
                if self._owed and goes is not None and returns is not None:
                    is_back = returns <= goes
                    break
                if not self._owed and goes is not None:
                    is_back = False
                    break
                if self._owed and returns is not None and self._is_held_up():
                    is_back = True
                    break
                if self._is_decided:
                    is_back = returns is not None
                    break
                self.moment = (goes if returns is None else returns) if self._owed else None
                yield self.news, len(self.news)
                self.moment = self.moment if self._is_decided else None
            self._is_decided, self.moment = False, None
            if is_back:
                entered.append(returns)
                back.taken.append(returns)
                self._moves.append(Block())
                self._owed -= self._ends.popleft()
            else:
                self._go(goes)

    def _go(self, cycle: int) -> None:
        block = self._blocks[len(self._taken)]
        self._entered.append(cycle)
        self._taken.append(cycle)
        self._moves.append(block)
        self._rows += block.is_pass and block.row_first
        if block.packs:
            self._owed += block.row_first
            self._ends.append(block.row_last)

    def _is_held_up(self) -> bool:
        """Tell whether the next block waits for rows that are to come back."""
        place = len(self._taken)
        return len(self._offered) > place and not self._blocks[place].is_pass

    def _next(self, room: int) -> int | None:
        """Say when the next block that comes can enter, if that is known."""
        place = len(self._taken)
        if len(self._offered) <= place:
            return None
        block, cycle = self._blocks[place], max(room, self._offered[place])
        if not block.is_pass:
            return None if self._owed else cycle
        before = self._rows - ROWS_HELD
        if block.row_first and before >= 0:
            if len(self._row_left) <= before:
                return None
            cycle = max(cycle, self._row_left[before] + RELEASED)
        return cycle

    def _next_back(self, room: int) -> int | None:
        """Say when the next block that comes back can, if that is known."""
        place = len(self._back.taken)
        return max(room, self._back.offered[place]) if len(self._back.offered) > place else None

    def part(self) -> Step:
        """Let blocks go to where they belong."""
        entered, moved, parted, stored = self._entered, self._moved, self.parted, self._stored
        for number in count():
            if len(entered) <= number:
                yield entered, number
            block = self._moves.popleft()
            cycle = max(entered[number] + REGISTERS, moved[-1] + 1 if moved else NOT_YET)
            if block.is_pass:
                cycle = max(cycle, (yield from self._order.turn(block.job)))
                self.came.append(cycle)
                if block.job_last:
                    self._order.ended.append(cycle)
            else:
                before = len(parted) - self.registers - 1
                if before >= 0:
                    if len(stored) <= before:
                        yield stored, before
                    cycle = max(cycle, stored[before] + 1)
                parted.append(cycle)
            moved.append(cycle)
