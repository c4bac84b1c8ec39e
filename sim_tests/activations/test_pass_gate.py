"""Blocks on their way to the vector unit and back: order, room for two rows, no needless wait."""

from dataclasses import dataclass

import cocotb
import numpy as np
import pytest
from amaranth import Const
from cocotb.triggers import ReadOnly, RisingEdge

from hw.activations.pass_gate import MOST_OWED, ROWS_HELD, PassGate
from hw.contract.config import Config
from hw.contract.tile_block import raw_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over

CYCLES = 60
"""After which a gate that could go on, and does not, counts as hung."""


@dataclass(frozen=True)
class Block:
    """A block, told from all others by its number.

    Attributes
    ----------
    number, job : int
    is_pass, packs, row_last : bool
    """

    number: int
    job: int
    is_pass: bool = False
    packs: bool = False
    row_last: bool = True

    def word(self, layout, comes_back=False):
        """Pack it; what came back is no pass any more, and the gate looks at no job of it."""
        job = {"is_pass": int(self.is_pass and not comes_back), "packs": int(self.packs)}
        return Const.cast(layout.const({
            "elements": [self.number] * 16, "row_last": int(self.row_last), "job": job})).value


def draw_blocks(rng, jobs, most_blocks=4, most_rows=6):
    """Draw blocks of jobs: others, passes whose numbers stay, and passes that pack."""
    blocks = []
    for job in range(jobs):
        kind = int(rng.integers(3))
        for _ in range(int(rng.integers(1, most_rows + 1))):
            length = int(rng.integers(1, most_blocks + 1))
            blocks += [Block(len(blocks) + place, job, kind > 0, kind > 1, place == length - 1)
                       for place in range(length)]
    return blocks


class Unit:
    """A vector unit with room for two rows, which may take its time with all of them.

    Attributes
    ----------
    held, owed : int
        Rows that are in it or on their way in, and those that are to come back.
    back : list of Block
        What may come back now.
    """

    def __init__(self):
        self.held, self.owed, self.most = 0, 0, 0
        self.inside, self.back, self._in_row = [], [], False

    def take(self, block):
        """Take a block of a pass that left the gate."""
        if not self._in_row:
            assert self.held < ROWS_HELD, "a third row went in"
            self.held += 1
            self.owed += block.packs
            self.most = max(self.most, self.owed)
            self.inside.append([])
        self._in_row = not block.row_last
        self.inside[-1].append(block)

    @property
    def may_let_go(self):
        """Whether the oldest row is whole."""
        return bool(self.inside) and self.inside[0][-1].row_last

    def let_go(self):
        """Let the oldest row leave its place; what packs comes back from then on."""
        row = self.inside.pop(0)
        self.held -= 1
        self.back += [block for block in row if block.packs]


class Rig:
    """Drives all of the gate's ports, cycle by cycle, and checks what it does."""

    def __init__(self, dut, blocks):
        self.dut, self.layout, self.blocks = dut, raw_block_layout(configuration()), blocks
        self.unit, self.left, self.sent, self.returned = Unit(), [], 0, 0
        self.entered_whole = True

    async def cycle(self, offers, comes, takes, lets_go):
        """Run a cycle in which each port does something, if it can."""
        dut, unit = self.dut, self.unit
        offers = offers and self.sent < len(self.blocks)
        comes, lets_go = comes and bool(unit.back), lets_go and unit.may_let_go
        dut.i__valid.value, dut.back__valid.value = int(offers), int(comes)
        dut.o__ready.value, dut.row_left.value = int(takes), int(lets_go)
        if offers:
            dut.i__payload.value = self.blocks[self.sent].word(self.layout)
        if comes:
            dut.back__payload.value = unit.back[0].word(self.layout, comes_back=True)
        await ReadOnly()
        block = self.blocks[self.sent] if offers else None
        goes = block is not None and not comes and self._may_go(block)
        assert int(dut.o__valid.value) == (comes or goes), f"{block}, {unit.held}, {unit.owed}"
        assert int(dut.back__ready.value) or not (comes and takes), "what comes back waits"
        assert int(dut.i__ready.value and offers) == (goes and takes), f"{block}"
        if comes or goes:
            wanted = (unit.back[0].word(self.layout, comes_back=True) if comes
                      else block.word(self.layout))
            assert int(dut.o__payload.value) == wanted
        await RisingEdge(dut.clk)
        if lets_go:
            unit.let_go()
        if comes and takes:
            back = unit.back.pop(0)
            unit.owed -= back.row_last
            self.returned += 1
            self.left.append((back, True))
        elif goes and takes:
            self.sent += 1
            self.left.append((block, False))
            if block.is_pass:
                self.entered_whole = block.row_last
                unit.take(block)

    def _may_go(self, block):
        """Tell whether a block at ``i`` may leave, by the rules."""
        if not block.is_pass:
            return self.unit.owed == 0
        return not self.entered_whole or (
            self.unit.held < ROWS_HELD and self.unit.owed < MOST_OWED)

    @property
    def is_done(self):
        """Whether all blocks have left, and those that pack a second time."""
        return self.sent == len(self.blocks) and self.returned == sum(
            block.packs for block in self.blocks)

    def check_order(self):
        """Check that what goes on to the converter does so in the order of jobs, each once."""
        on = [block.number for block, is_back in self.left if is_back or not block.is_pass]
        assert on == [block.number for block in self.blocks if block.packs or not block.is_pass]
        passes = [block.number for block, is_back in self.left if not is_back and block.is_pass]
        assert passes == [block.number for block in self.blocks if block.is_pass]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(slow=["nobody", "i", "back", "o", "unit", "all"])
async def blocks_leave_in_the_order_of_jobs(dut, slow):
    rng = drive.rng()
    await drive.reset(dut)
    rig = Rig(dut, draw_blocks(rng, drive.amount(120, 1_200)))
    shares = [0.15 if slow in (name, "all") else 1 for name in ("i", "back", "o", "unit")]
    quiet = 0
    while not rig.is_done:
        before = len(rig.left)
        await rig.cycle(*(bool(flip) for flip in rng.random(4) < shares))
        quiet = 0 if len(rig.left) > before else quiet + 1
        assert quiet < CYCLES / min(shares), f"hung at block {rig.sent}"
    rig.check_order()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_unit_that_never_moves_gets_two_rows_and_stalls_nothing_that_returns(dut):
    """Two whole rows go in; the third waits at the gate, though its output is free."""
    await drive.reset(dut)
    blocks = [Block(3 * row + place, 0, True, False, place == 2)
              for row in range(4) for place in range(3)]
    rig = Rig(dut, blocks)
    for _ in range(40):
        await rig.cycle(True, False, True, False)
    assert rig.sent == 3 * ROWS_HELD
    await rig.cycle(True, False, True, True)
    for _ in range(40):
        await rig.cycle(True, False, True, False)
    assert rig.sent == 3 * (ROWS_HELD + 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(packs=[False, True])
async def a_later_job_waits_for_what_is_to_come_back_and_for_nothing_else(dut, packs):
    await drive.reset(dut)
    rig = Rig(dut, [Block(0, 0, True, packs), Block(1, 1), Block(2, 2, True, False), Block(3, 3)])
    for _ in range(10):
        await rig.cycle(True, False, True, False)
    assert rig.sent == (1 if packs else 4)
    await rig.cycle(True, False, True, True)
    for _ in range(10):
        await rig.cycle(True, True, True, False)
    assert rig.sent == 4
    rig.check_order()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def rows_on_their_way_back_are_counted_to_the_end(dut):
    """Rows leave the unit at once and come back only when no more go in."""
    await drive.reset(dut)
    rig = Rig(dut, [Block(number, 0, True, True) for number in range(2 * MOST_OWED)]
              + [Block(2 * MOST_OWED, 1)])
    for _ in range(2 * MOST_OWED):
        await rig.cycle(True, False, True, True)
    assert rig.sent == rig.unit.owed == MOST_OWED
    while not rig.is_done:
        await rig.cycle(True, True, True, True)
    rig.check_order()
    assert rig.unit.most == MOST_OWED


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def forgets_everything_at_reset(dut):
    rng = np.random.default_rng(1)
    for cycles in (3, 7, 20):
        await drive.reset(dut)
        rig = Rig(dut, [Block(number, 0, True, True, number % 3 == 2) for number in range(60)])
        for _ in range(cycles):
            await rig.cycle(True, False, True, bool(rng.integers(2)))
        await drive.reset(dut)
        rig = Rig(dut, [Block(0, 0), Block(1, 1, True, True), Block(2, 2)])
        while not rig.is_done:
            await rig.cycle(True, True, True, True)
        rig.check_order()


@pytest.mark.parametrize("rows", [3])
def test_pass_gate(rows):
    config = Config.sized(rows=rows, cols=4, k_max=64, bus_bytes=32, vector_lanes=4)
    bench.simulate(PassGate(config), __name__, "pass_gate", parameters=handed_over(config))
