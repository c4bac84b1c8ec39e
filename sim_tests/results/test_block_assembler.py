"""Assembly of results to blocks of sixteen: order, padding, overwriting, speed.

Expected blocks are cut from the whole of C with NumPy; nothing there knows of parts or groups.
"""

from dataclasses import dataclass

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import Output
from hw.contract.result_block import result_block_layout
from hw.contract.result_rows import result_rows_layout
from hw.results.block_assembler import BlockAssembler
from sim_tests import bench, drive

TILE_SLOTS = 4
SHAPES = ((1, 1, 1), (3, 2, 1), (3, 2, 2), (4, 4, 1), (4, 4, 2), (5, 8, 2), (2, 16, 1), (2, 16, 2),
          (3, 32, 1), (3, 32, 2))
"""Rows and columns of the array, rows that drain in a cycle."""

LATENCY = 2
"""Cycles from the last part of a block to the block."""
WIDE_LATENCY = 3
"""Cycles from the last rows of a tile to its first block, where tiles are turned."""


def configuration():
    """Rebuild the machine of this simulation."""
    return make_config(*drive.parameters()["shape"])


def make_config(rows, cols, drain_rows):
    """Make a small machine of that array."""
    return Config.sized(rows=rows, cols=cols, k_max=16, drain_lanes=drain_rows * cols,
                        tile_slots=TILE_SLOTS)


@dataclass
class Work:
    """The result C of one job, FP32 patterns, and how it is cut."""

    results: np.ndarray
    tiles: int
    output: Output

    def groups(self, config):
        """List the token tiles of each group, as slices of rows."""
        tiles = [slice(first, first + config.rows)
                 for first in range(0, len(self.results), config.rows)]
        return [tiles[first : first + self.tiles] for first in range(0, len(tiles), self.tiles)]

    def drained(self, config, rng):
        """Give the groups of rows as they drain, with rubbish where there is no result."""
        columns = self.results.shape[1]
        parts = max(1, BLOCK_SIZE // config.cols)
        drained = []
        for group in self.groups(config):
            for index, col in enumerate(range(0, columns, config.cols)):
                for token_tile, where in enumerate(group):
                    tile = self.results[where, col : col + config.cols]
                    for row in range(0, len(tile), config.drain_rows):
                        part = tile[row : row + config.drain_rows]
                        lanes = rng.integers(0, 1 << 32, (config.drain_rows, config.cols))
                        lanes[: part.shape[0], : part.shape[1]] = part
                        drained.append({
                            "results": lanes.ravel(), "rows": part.shape[0], "cols": part.shape[1],
                            "output": self.output.value, "token_tile": token_tile,
                            "part": index % parts,
                            "block_ends": (index % parts == parts - 1
                                           or col + config.cols >= columns),
                            "tile_last": row + config.drain_rows >= len(tile), "job_last": 0,
                        })
        drained[-1]["job_last"] = 1
        return drained

    def blocks(self, config):
        """Cut C into blocks: chunk of columns > token tile > block > row."""
        rows, columns = self.results.shape
        padded = np.zeros((rows, -(-columns // BLOCK_SIZE) * BLOCK_SIZE), np.int64)
        padded[:, :columns] = self.results
        chunk = max(BLOCK_SIZE, config.cols)
        blocks = []
        for group in self.groups(config):
            for first in range(0, padded.shape[1], chunk):
                for where in group:
                    tile = padded[where, first : first + chunk]
                    for column in range(0, tile.shape[1], BLOCK_SIZE):
                        blocks += [{
                            "elements": elements, "row": row, "row_last": row == len(tile) - 1,
                            "job_last": 0, "is_mx9": self.output is Output.MX9,
                        } for row, elements in enumerate(tile[:, column : column + BLOCK_SIZE])]
        blocks[-1]["job_last"] = 1
        return blocks


def draw_work(rng, rows, columns, tiles):
    """Draw a job's results; no two neighbours are alike."""
    results = rng.integers(0, 1 << 32, (rows, columns))
    return Work(results, tiles, Output.MX9 if rng.random() < 0.5 else Output.MX6)


def draw_works(rng, config, count):
    """Draw jobs of any size, ragged or not, one after another."""
    chunk = max(BLOCK_SIZE, config.cols)
    works = []
    for tiles in (rng.permutation(count) % TILE_SLOTS + 1).tolist():
        rows = int(rng.integers(1, 2 * tiles * config.rows + 2))
        columns = int(rng.choice([config.cols, chunk, 2 * chunk, rng.integers(1, 3 * chunk)]))
        works.append(draw_work(rng, rows, columns, tiles))
    return works


def stacked(records):
    """Turn a list of records into a record of arrays."""
    return {key: np.array([record[key] for record in records]) for key in records[0]}


async def assemble(dut, config, works, idle=0.0, stall=0.0):
    """Send jobs through, compare every block, and return the cycles it took."""
    rng = drive.rng("rubbish")
    rows = stacked([rows for work in works for rows in work.drained(config, rng)])
    expected = stacked([block for work in works for block in work.blocks(config)])
    words = drive.pack(result_rows_layout(config), rows)
    start = drive.cycle()
    _, received = await gather(
        drive.send(dut, "i", words, idle),
        drive.receive(dut, "o", len(expected["row"]), stall))
    cycles = drive.cycle() - start
    drive.compare(drive.unpack(result_block_layout(config), received), expected, "o",
                  idle=idle, stall=stall)
    dut.o__ready.value = 1
    for _ in range(10):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value), "a block too many"
    return cycles


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def cuts_the_results_of_any_jobs_into_blocks(dut, idle, stall):
    await drive.reset(dut)
    config = configuration()
    works = draw_works(drive.rng(), config, drive.amount(12, 200))
    await assemble(dut, config, works, idle, stall)


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(tiles=[1, 2, 3, 4])
async def keeps_what_waits_through_a_long_stall(dut, tiles):
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    rows, columns = tiles * config.rows, 4 * max(BLOCK_SIZE, config.cols)
    works = [draw_work(rng, rows, columns, tiles)]
    await assemble(dut, config, works, stall=drive.LongPause(rows + 3, 300))


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(columns=["one", "ragged", "whole"])
async def hands_out_a_block_each_cycle(dut, columns):
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    count = {"one": 1, "ragged": max(1, config.cols - 1), "whole": config.cols}[columns]
    work = draw_work(rng, 7 * config.rows, count, tiles=2)
    cycles = await assemble(dut, config, [work])
    before = config.drain_cycles - 1 + WIDE_LATENCY if config.cols > BLOCK_SIZE else LATENCY
    assert cycles == len(work.blocks(config)) + before


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def takes_a_row_each_cycle_where_parts_wait(dut):
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    work = draw_work(rng, 3 * config.rows, 2 * BLOCK_SIZE, tiles=3)
    cycles = await assemble(dut, config, [work])
    assert cycles == len(work.drained(config, rng)) + LATENCY


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def fills_before_its_reader_is_ready(dut):
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    work = draw_work(rng, config.drain_rows, config.cols, tiles=1)
    words = drive.pack(result_rows_layout(config), stacked(work.drained(config, rng)))
    dut.o__ready.value = 0
    sending = cocotb.start_soon(drive.send(dut, "i", words))
    await drive.ticks(dut, 20)
    assert sending.done(), "a group waits though nothing else is there"
    assert int(dut.o__valid.value), "a block waits to be offered"
    await drive.receive(dut, "o", len(work.blocks(config)))


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def forgets_everything_when_reset(dut):
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    rubbish = drive.rng("rubbish")
    for sent in rng.integers(1, 40, 6).tolist():
        work = draw_work(rng, 4 * config.rows, 2 * max(BLOCK_SIZE, config.cols), tiles=2)
        words = drive.pack(result_rows_layout(config), stacked(work.drained(config, rubbish)))
        dut.o__ready.value = 1
        broken_off = cocotb.start_soon(drive.send(dut, "i", words[:sent]))
        await drive.ticks(dut, sent)
        broken_off.cancel()
        dut.i__valid.value, dut.o__ready.value, dut.rst.value = 0, 0, 1
        await drive.ticks(dut, 1)
        dut.rst.value = 0
        await assemble(dut, config, [draw_work(rng, 3 * config.rows, BLOCK_SIZE, tiles=2)])


@pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}x{0[1]}_by_{0[2]}".format)
def test_block_assembler(shape):
    rows, cols, drain_rows = shape
    rows_are_slower = cols > BLOCK_SIZE or drain_rows > 1  # to leave than to arrive
    bench.simulate(BlockAssembler(make_config(*shape)), __name__,
                   f"block_assembler_{rows}x{cols}_by_{drain_rows}", parameters={"shape": shape},
                   only=r"\.(cuts|keeps|hands|fills|forgets)_" if rows_are_slower else None)


def test_refuses_columns_that_do_not_fit_blocks():
    with pytest.raises(ValueError, match="cols that divide 16, or a multiple of it, not 24"):
        BlockAssembler(Config.sized(rows=2, cols=24, k_max=16))
