"""Static tags of blocks of results: which block has which, what the packer is told, and when.

What is expected follows from the order in which results leave: groups of resident token tiles, in
them column tiles, in these token tiles, and of each its blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Const
from cocotb.triggers import gather

from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.outlier_policy import Tag
from hw.contract.result_block import result_block_layout
from hw.results.result_tags import ResultTags
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over

CONFIGS = {
    "4x4": Config.sized(rows=4, cols=4, k_max=256, bus_bytes=16, vector_lanes=2),
    # Beats that mark 64 blocks, of rows of more; a column tile that is two blocks.
    "2x32": Config.sized(rows=2, cols=32, k_max=1280, act_bytes=8, bus_bytes=16, vector_lanes=2),
}


@dataclass
class Job:
    """A GEMM whose results are MX.

    Attributes
    ----------
    m, n, tiles, table : int
    tags : ndarray of bool or None
        Of a row's blocks.
    """

    m: int
    n: int
    tiles: int
    table: int
    tags: np.ndarray | None

    def word(self, config):
        """Pack it."""
        return Const.cast(job_layout(config).const({
            "m": self.m, "n": self.n, "tiles": self.tiles, "table": self.table,
            "stages": {"tagged": int(self.tags is not None)}})).value

    def pieces(self, config) -> Iterator[tuple[int, int]]:
        """List the blocks of its tiles in order: rows, and the place in their row."""
        blocks = -(-self.n // BLOCK_SIZE)
        together = max(1, config.cols // BLOCK_SIZE)
        heights = [min(config.rows, self.m - first) for first in range(0, self.m, config.rows)]
        for group in range(0, len(heights), self.tiles):
            for first in range(0, blocks, together):
                for rows in heights[group:group + self.tiles]:
                    for block in range(first, min(blocks, first + together)):
                        yield rows, block


@dataclass
class Expected:
    """What goes in and what must come out.

    Attributes
    ----------
    given, left, tags : list of int
    fed_by : list of (int, int)
        How many blocks' rows have left at each job's end, and how many tags have by then.
    """

    given: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    fed_by: list[tuple[int, int]] = field(default_factory=list)

    def add(self, config, rng, job):
        """Append a job."""
        layout, covered = result_block_layout(config), 8 * config.act_bytes
        pieces, blocks = list(job.pieces(config)), -(-job.n // BLOCK_SIZE)
        for piece, (rows, block) in enumerate(pieces):
            is_due = job.tags is not None and block % covered == 0
            if is_due:
                marked = job.tags[block:min(blocks, block + covered)]
                self.tags += [Const.cast(Tag.const({
                    "is_mx9": int(tag), "last": int(place == len(marked) - 1)})).value
                    for place, tag in enumerate(marked)]
            for row in range(rows):
                is_mx9 = int(rng.integers(2))
                fields = {
                    "elements": [len(self.given)] * BLOCK_SIZE, "row": row,
                    "row_last": int(row == rows - 1),
                    "job_last": int(row == rows - 1 and piece == len(pieces) - 1)}
                self.given.append(Const.cast(layout.const(fields | {"is_mx9": is_mx9})).value)
                self.left.append(Const.cast(layout.const(fields | {
                    "is_mx9": is_mx9 if job.tags is None else int(job.tags[block]),
                    "tags_due": int(is_due)})).value)
        self.fed_by.append((len(self.left), len(self.tags)))


def draw_job(rng, config, has_tags=None):
    """Draw a job, of few rows or of a tile and more, and few columns or all that may be."""
    n = int(rng.choice([rng.integers(1, 40), rng.integers(1, config.k_max + 1)]))
    if has_tags is None:
        has_tags = rng.random() < 0.7
    tags = rng.random(-(-n // BLOCK_SIZE)) < 0.5 if has_tags else None
    return Job(m=int(rng.integers(1, 3 * config.rows + 1)), n=n, tiles=int(rng.integers(1, 4)),
               table=int(rng.integers(config.tables)), tags=tags)


async def answer(dut, config, jobs):
    """Play the tables: the tag that was asked for a cycle ago stands until the next is asked for.

    A job's table holds its tags while it is the one at ``jobs``.
    """
    at = 0
    while True:
        await drive.ticks(dut, 1)
        if int(dut.table__en.value):
            job = jobs[at]
            assert int(dut.table__table.value) == job.table
            block = int(dut.table__k_block.value)
            # The block behind a row's last may be asked for, and is nobody's.
            dut.table__is_mx9.value = int(block < len(job.tags) and job.tags[block])
        at += int(dut.jobs__valid.value) and int(dut.jobs__ready.value)


async def watch(dut, fed_by):
    """See that the packer has all of a job's tags before the job's last block leaves."""
    left = fed = 0
    for blocks, tags in fed_by:
        while left < blocks:
            await drive.ticks(dut, 1)
            leaves = int(dut.o__valid.value) and int(dut.o__ready.value)
            left += leaves
            if leaves and left == blocks:
                assert fed == tags, f"{fed} of {tags} tags"
            fed += int(dut.tags__valid.value) and int(dut.tags__ready.value)


async def run(dut, jobs, idle=0.0, stall=0.0, tag_stall=0.0):
    """Send jobs and their blocks, compare all that leaves; return the cycles."""
    config, rng, expected = configuration(), drive.rng("blocks"), Expected()
    await drive.reset(dut)
    for job in jobs:
        expected.add(config, rng, job)
    cocotb.start_soon(answer(dut, config, jobs))
    begin = drive.cycle()
    _, _, left, tags, _ = await gather(
        drive.send(dut, "jobs", [job.word(config) for job in jobs]),
        drive.send(dut, "i", expected.given, idle),
        drive.receive(dut, "o", len(expected.left), stall),
        drive.receive(dut, "tags", len(expected.tags), tag_stall) if expected.tags else _nothing(),
        watch(dut, expected.fed_by))
    assert left == expected.left
    assert tags == expected.tags
    return drive.cycle() - begin


async def _nothing():
    return []


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(pauses=[(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.7), (0.3, 0.3, 0.3)])
async def blocks_get_the_tags_of_their_places(dut, pauses):
    rng, config = drive.rng(), configuration()
    await run(dut, [draw_job(rng, config) for _ in range(drive.amount(6, 60))], *pauses)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def jobs_without_tags_pass_at_a_block_per_cycle(dut):
    rng, config = drive.rng(), configuration()
    jobs = [draw_job(rng, config, has_tags=False) for _ in range(4)]
    rows = sum(rows for job in jobs for rows, _ in job.pieces(config))
    assert await run(dut, jobs) <= rows + 2 * len(jobs) + 4


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def tags_of_whole_tiles_cost_a_few_cycles(dut):
    """Four rows hide the two cycles in which a tag is read; two do not."""
    config = configuration()
    rows = 8 * config.rows
    job = Job(m=rows, n=4 * BLOCK_SIZE, tiles=2, table=0, tags=np.array([True, False, False, True]))
    lost = await run(dut, [job]) - 4 * rows
    tiles, pieces = 8, len(list(job.pieces(config)))
    assert lost <= 2 * tiles + (pieces if config.rows < 4 else 0), f"{lost} cycles"


@pytest.mark.parametrize("name", list(CONFIGS))
def test_result_tags(name):
    config = CONFIGS[name]
    bench.simulate(ResultTags(config), __name__, f"result_tags_{name}",
                   parameters=handed_over(config))
