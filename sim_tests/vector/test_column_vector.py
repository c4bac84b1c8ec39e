"""A number for each column: rows of all lengths meet them, each from column 0 on."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hw.vector.column_vector import ColumnVector
from sim_tests import bench, drive


def draw(rng, length):
    """Draw groups of numbers."""
    width = 8 * -(-drive.parameters()["bits"] // 8)
    mask = (1 << drive.parameters()["bits"]) - 1
    return [int.from_bytes(rng.bytes(width // 8), "little") & mask for _ in range(length)]


async def write(dut, rng, groups, idle):
    """Write a vector."""
    for place, group in enumerate(groups):
        while rng.random() < idle:
            dut.write.value, dut.write_last.value = 0, int(rng.integers(2))
            dut.numbers.value = draw(rng, 1)[0]
            await RisingEdge(dut.clk)
        dut.write.value, dut.write_last.value = 1, int(place == len(groups) - 1)
        dut.numbers.value = group
        await RisingEdge(dut.clk)
    dut.write.value = 0


def asked(groups, rows, of_tile):
    """List which groups are asked for, and what is said: last of its row, goes on, goes back.

    Rows of a tile of neighbouring columns, then those of the next tile; the last one goes back.
    """
    for first in range(0, groups, of_tile):
        tile = range(first, min(groups, first + of_tile))
        for row in range(rows):
            for group in tile:
                ends = group == tile[-1]
                moves = ends and row == rows - 1 and of_tile < groups
                yield group, int(ends), int(moves), int(moves and tile[-1] == groups - 1)


async def read(dut, rng, groups, rows, idle, of_tile=None):
    """Read a vector for each of some rows; a group stays until the next one is asked for."""
    shown, says = None, (dut.read_last, dut.goes_on, dut.goes_back)
    for place, (group, *said) in enumerate(asked(len(groups), rows, of_tile or len(groups))):
        while rng.random() < idle:
            dut.read.value = 0
            for port in says:
                port.value = int(rng.integers(2))
            await RisingEdge(dut.clk)
            assert shown is None or int(dut.o.value) == shown
        dut.read.value = 1
        for port, value in zip(says, said, strict=True):
            port.value = value
        await RisingEdge(dut.clk)
        assert shown is None or int(dut.o.value) == shown, f"group {place - 1}"
        shown = groups[group]
    dut.read.value = 0
    await RisingEdge(dut.clk)
    assert int(dut.o.value) == shown


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5])
async def every_row_meets_all_groups(dut, idle):
    rng, most = drive.rng(), drive.parameters()["groups"]
    await drive.reset(dut)
    lengths = [1, most, *rng.integers(1, most + 1, drive.amount(20, 200)), 1, most]
    for length in map(int, lengths):
        groups = draw(rng, length)
        await write(dut, rng, groups, idle)
        await read(dut, rng, groups, int(rng.integers(1, 5)), idle)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5])
async def every_row_of_a_tile_meets_its_columns(dut, idle):
    """Tile after tile, for one group of resident tiles after the other."""
    rng, most = drive.rng(), drive.parameters()["groups"]
    await drive.reset(dut)
    for _ in range(drive.amount(20, 200)):
        groups = draw(rng, int(rng.integers(1, most + 1)))
        await write(dut, rng, groups, idle)
        for _ in range(2):
            await read(dut, rng, groups, int(rng.integers(1, 5)), idle, int(rng.integers(1, 5)))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_vector_that_is_read_once_may_be_written_anew_at_once(dut):
    """A short one over a long one, and the next row is that of the short one."""
    rng, most = np.random.default_rng(1), drive.parameters()["groups"]
    await drive.reset(dut)
    for length in (most, 1, most, 2 if most > 1 else 1, most):
        groups = draw(rng, length)
        await write(dut, rng, groups, 0)
        await read(dut, rng, groups, 1, 0)


@pytest.mark.parametrize("lanes, width, columns_max", [(4, 32, 100), (8, 24, 7), (1, 32, 5)])
def test_column_vector(lanes, width, columns_max):
    component = ColumnVector(lanes=lanes, width=width, columns_max=columns_max)
    bench.simulate(component, __name__, f"column_vector_{lanes}",
                   parameters={"bits": lanes * width, "groups": -(-columns_max // lanes)})
