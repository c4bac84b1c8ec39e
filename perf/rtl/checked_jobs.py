"""Jobs with which the schedule is checked: drawn at random, and described to it by golden."""

from dataclasses import replace

import numpy as np

from golden import MXTensor
from golden.floats import narrow
from golden.formats import BLOCK_SIZE, FLOAT_FORMATS
from golden.lanes import destinations
from hw.activations.scatter import scatter_lanes
from hw.contract.config import Config
from hw.contract.job_codes import JobKind, Selection
from hw.host.work import Work
from perf.rtl.schedule import ScheduledJob
from simulation.works.expected import operand_a, operand_b
from simulation.works.random_works import random_work

_SIZES = ((40, 600), (100, 256), (160, 40), (60, 16))
"""Most rows and columns of a job, and most channels: mixed, long sums, many tiles, short sums."""

_MOST_IN_GROUP = 8


def draw_groups(config: Config, rng: np.random.Generator, jobs: int) -> list[list[Work]]:
    """Draw jobs of every kind, in groups that run back to back.

    Only one job of a group has a channel order: software would write the second one's while the
    first one loads, and when it writes an entry is not in the schedule.
    """
    groups: list[list[Work]] = []
    while jobs > 0:
        size = int(rng.integers(1, min(_MOST_IN_GROUP, jobs) + 1))
        group = [random_work(config, rng, *_SIZES[rng.integers(len(_SIZES))]) for _ in range(size)]
        ordered = [index for index, work in enumerate(group) if work.job.reorder]
        group = [_flattened(work, rng) for work in group]
        for index in ordered[1:]:
            group[index] = replace(group[index], order=None,
                                   job=replace(group[index].job, reorder=False))
        groups.append(group)
        jobs -= size
    return groups


def _flattened(work: Work, rng: np.random.Generator) -> Work:
    """Make some K-blocks of a GEMM's numbers 1 and -1: beats of their residuals are left out.

    Those of half of the jobs: random numbers alone never have residuals that are all zero.
    """
    job = work.job
    if job.kind is not JobKind.GEMM or rng.random() < 0.5:
        return work
    flat = np.repeat(rng.random(-(-job.k // BLOCK_SIZE)) < 0.5, BLOCK_SIZE)[: job.k]
    ones = narrow(rng.choice([-1.0, 1.0], (job.m, job.k)).astype(np.float32),
                  FLOAT_FORMATS[job.float_format])
    return replace(work, activations=np.where(flat, ones, work.activations))


def order_cycles(order: np.ndarray, config: Config) -> tuple[int, ...]:
    """Count the cycles in which each arriving K-block is written, so many lanes at a time."""
    blocks = np.split(destinations(order) % BLOCK_SIZE, range(BLOCK_SIZE, len(order), BLOCK_SIZE))
    lanes = scatter_lanes(config)
    return tuple(sum(int(np.bincount(banks[first : first + lanes]).max())
                     for first in range(0, len(banks), lanes)) for banks in blocks)


def tile_flags(tensor: MXTensor, lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Tell of each tile of so many lines which K-blocks are MX9, and which have residuals."""
    firsts = np.arange(0, tensor.is_mx9.shape[0], lines)
    residual = np.logical_or.reduceat(tensor.residual.any(axis=-1), firsts, axis=0)
    return tensor.is_mx9[firsts], residual


def schedule_job(config: Config, work: Work, start: int | None = None,
                 loads_table: bool = False) -> ScheduledJob:
    """Describe a job to the schedule.

    Parameters
    ----------
    config : Config
    work : Work
    start : int, optional
        Cycle of its start.
    loads_table : bool
        Its channel order is written before.
    """
    job = work.job
    blocks = -(-job.k // BLOCK_SIZE)
    flags = {}
    if job.converts:
        flags["act_mx9"], _ = tile_flags(operand_b(config, work).transpose(), config.cols)
    else:
        flags["act_mx9"], flags["act_residual"] = tile_flags(operand_a(config, work), config.rows)
        flags["weight_mx9"], flags["weight_residual"] = tile_flags(
            operand_b(config, work).transpose(), config.cols)
    return ScheduledJob(
        kind=job.kind, m=job.m, n=job.n, k=job.k, tiles=job.tiles, float_format=job.float_format,
        output=job.output, bias=job.bias, start=start, table=job.table, loads_table=loads_table,
        searches=(job.kind is not JobKind.GEMM_PACKED and job.selection is Selection.TOP
                  and 0 < job.units < blocks),
        untagged=(job.kind is JobKind.GEMM and job.selection is Selection.HEAD and not job.units),
        order_cycles=order_cycles(work.order, config) if job.reorder else None, **flags)
