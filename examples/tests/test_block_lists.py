"""A DiT block's lists through the Verilog, every byte of memory compared."""

from functools import partial

import pytest
from rich.console import Console

import golden
from examples.block.in_memory import BlockInMemory
from examples.gemms import Style
from examples.lists.computation import Computation
from examples.lists.running import ListRow, simulate_lists
from examples.tests.drawn_block import CHOICES, SHAPE, drawn, run_on_golden
from hw.host.memory.fences import Fences
from sim_tests.host.memory.golden_device import SMALL

pytestmark = pytest.mark.xdist_group("small ring")  # one build of its machine


def run_through_the_verilog(styles) -> list[ListRow]:
    computation = Computation(drawn().reference(), partial(BlockInMemory, drawn()),
                              SHAPE.memory_bytes(SMALL))
    rows, _, _ = simulate_lists(computation, [CHOICES[style] for style in styles], SMALL, 30,
                                Console(quiet=True))
    return rows


def test_all_lists_run_through_the_verilog_to_the_byte():
    rows = run_through_the_verilog(Style)
    assert [(row.style, row.name) for row in rows] == [
        (style, name) for style in Style for name in ("q to Q·Kᵀ", "P·V to out", "ff1", "ff2")]
    for row in rows:
        assert row.wrong_bytes == 0
        assert row.touches == 2  # the doorbell, and one that acknowledges the interrupt
        assert 0 < row.beats < row.cycles
    assert [row.jobs for row in rows[:4]] == [3 + 3 * SHAPE.heads, SHAPE.heads + 1, 1, 1]
    for style in Style:
        tensors, _ = run_on_golden(style)
        last, = (row for row in rows if row.style is style and row.name == "ff2")
        assert last.qsnr["block"] == golden.qsnr(drawn().reference()["block"],
                                                 tensors.read()["block"])


def test_lists_whose_commands_do_not_wait_are_seen(monkeypatch):
    monkeypatch.setattr(Fences, "distances", lambda self, reads: {})
    rows = run_through_the_verilog([Style.MX6])
    assert [bool(row.wrong_bytes) for row in rows] == [True, True, False, False]
