"""Rows of activations to blocks: every format, ragged rows, tile markers, bad packets, speed."""

import functools
import operator
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge, gather

from golden.formats import FLOAT_FORMATS
from golden.mx import to_blocks
from golden.packing import activation_rows
from hw.activations.row_unpacker import RowUnpacker
from hw.contract.job_codes import FORMAT_CODES, JobKind, Selection
from hw.contract.tile_block import raw_block_layout
from hw.host.driver import Job
from sim_tests import bench, drive
from sim_tests.stimuli.operands import (
    FaultWatch,
    configuration,
    handed_over,
    job_words,
    packet_words,
    small_config,
)

IGNORED = ("tiles", "output", "has_bias")
"""Fields of a job that the unpacker does not look at."""


def draw_job(rng, config, lines, k, kind=None):
    """Draw a job of some kind, format and policy with so many rows (or columns) and K = k."""
    kind = kind or rng.choice([JobKind.GEMM, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED])
    top = bool(rng.integers(2))
    straight = kind is not JobKind.CONVERT_TRANSPOSED
    return Job(
        kind=kind, m=lines, n=lines, k=k, float_format=str(rng.choice(config.float_formats)),
        reorder=straight and bool(rng.integers(2)), measure=straight and bool(rng.integers(2)),
        table=int(rng.integers(config.tables)),
        selection=Selection.TOP if top else Selection.THRESHOLD,
        units=int(rng.integers(0, -(-k // 16) + 1)), threshold=int(rng.integers(1 << 31)))


def draw_rows(rng, config, job):
    """Draw the rows that a job reads, any bit patterns of its format."""
    width = FLOAT_FORMATS[job.float_format].width

    def matrix(rows, length):
        return rng.integers(1, 1 << width, (rows, length), dtype=np.uint64).astype(f"uint{width}")

    if job.kind is not JobKind.CONVERT_TRANSPOSED:
        return [*matrix(job.m, job.k)]
    return [row for col in range(0, job.n, config.cols)
            for row in matrix(job.k, min(config.cols, job.n - col))]


def expected_blocks(config, job, rows):
    """List a job's blocks as fields of `raw_block_layout`."""
    transposed = job.kind is JobKind.CONVERT_TRANSPOSED
    tile = {JobKind.GEMM: config.rows, JobKind.CONVERT: config.cols}.get(job.kind, job.k)
    wraps = 16 if transposed else tile
    blocks, places = [], []
    for index, row in enumerate(rows):
        cut = to_blocks(row[None], -1)[0].astype(np.uint32)
        in_tile = index % tile
        for k_block, elements in enumerate(cut):
            blocks.append(elements)
            places.append((min(16, len(row) - 16 * k_block), k_block, in_tile % wraps,
                           k_block == len(cut) - 1,
                           in_tile == tile - 1 or index == len(rows) - 1, index == 0))
    count, k_block, row, row_last, tile_last_row, first = np.array(places, int).T

    def same(value):
        return np.full(len(blocks), value)

    return {
        "elements": np.array(blocks), "count": count, "k_block": k_block, "row": row,
        "row_last": row_last, "tile_last_row": tile_last_row,
        "job": {
            "transposed": same(transposed), "float_format": same(FORMAT_CODES[job.float_format]),
            "reorder": same(job.reorder), "measure": same(job.measure), "table": same(job.table),
            "policy": {"selection": same(job.selection.value), "units": same(job.units),
                       "threshold": same(job.threshold)}},
    }, first


def packets_of(config, job, rows):
    """Cut rows into beats, a list per row; the bytes that tkeep leaves out hold anything."""
    packets = []
    for row in rows:
        (packet,) = activation_rows(row[None], FLOAT_FORMATS[job.float_format])
        words = packet_words(packet, config.act_bytes)
        kept = 8 * (len(packet) % config.act_bytes)
        junk = ((1 << 8 * config.act_bytes) - 1) >> kept << kept if kept else 0
        packets.append([*words[:-1], words[-1] | junk])
    return packets


def part_of(fields, part):
    """Take some of the entries of nested arrays."""
    return {name: part_of(value, part) if isinstance(value, dict) else value[part]
            for name, value in fields.items()}


def with_noise(jobs):
    """Let jobs have any size in the dimension that is not that of their rows."""
    rng = drive.rng("other dimension")
    sizes = map(int, rng.integers(1, 1 << 32, len(jobs)))
    return [replace(job, **{"n" if job.kind is JobKind.GEMM else "m": size})
            for job, size in zip(jobs, sizes, strict=True)]


async def watch_firsts(dut, count):
    """Note `job_first` beside each block taken."""
    firsts = []
    while len(firsts) < count:
        await RisingEdge(dut.clk)
        if int(dut.o__valid.value) and int(dut.o__ready.value):
            firsts.append(int(dut.job_first.value))
    return firsts


async def unpack(dut, jobs, packets, expected, idle=0.0, stall=0.0, sent=None):
    """Run jobs, compare every block, and return the flags' cycles and the cycles of the stream.

    Jobs are sent as they are, or as they are given packed.
    """
    config, faults = configuration(), FaultWatch(dut)
    sent = sent or job_words(config, with_noise(jobs), IGNORED)
    await drive.reset(dut)

    async def feed():
        await drive.send(dut, "i", [word for packet in packets for word in packet], idle)
        return drive.cycle()

    cocotb.start_soon(faults.follow())
    cocotb.start_soon(drive.send(dut, "jobs", sent))
    await drive.ticks(dut, 2)  # the first job is there
    start = drive.cycle()
    count = sum(len(first) for _, first in expected)
    fed, words, firsts = await gather(
        feed(), drive.receive(dut, "o", count, stall), watch_firsts(dut, count))
    await drive.ticks(dut, 4)
    assert not int(dut.o__valid.value), "a block too many"
    actual, at = drive.unpack(raw_block_layout(config), words), 0
    for job, (blocks, first) in zip(jobs, expected, strict=True):
        part = slice(at, at + len(first))
        drive.compare(part_of(actual, part), blocks, "o", job=job, idle=idle, stall=stall)
        assert firsts[part] == [*first], f"first rows of {job}"
        at = part.stop
    assert len(faults.jobs) == len(jobs)
    assert bool(functools.reduce(operator.or_, faults.jobs)) == any(faults.cycles.values())
    return faults.cycles, fed - start


GOOD = {"bad_length": 0, "bad_keep": 0}


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def cuts_rows_of_every_length(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    lengths = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, config.k_max]
    lengths += list(rng.integers(1, config.k_max, drive.amount(6, 200)))
    jobs = [draw_job(rng, config, int(rng.integers(1, 2 * config.rows + 2)), int(k))
            for k in lengths]
    rows = [draw_rows(rng, config, job) for job in jobs]
    packets = [packet for job, x in zip(jobs, rows, strict=True)
               for packet in packets_of(config, job, x)]
    expected = [expected_blocks(config, job, x) for job, x in zip(jobs, rows, strict=True)]
    flags, cycles = await unpack(dut, jobs, packets, expected, idle, stall)
    assert flags == GOOD
    if not idle and not stall:
        beats = sum(map(len, packets))
        assert cycles == beats, f"{beats} beats took {cycles} cycles"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    rng, config = drive.rng(), configuration()
    job = draw_job(rng, config, 4, 50, JobKind.GEMM)
    rows = draw_rows(rng, config, job)
    flags, _ = await unpack(dut, [job], packets_of(config, job, rows),
                            [expected_blocks(config, job, rows)],
                            **{side: drive.LongPause(9, 400)})
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(how=["early", "late", "keep"])
async def flags_a_bad_row_and_is_in_step_for_the_next(dut, how):
    rng, config = drive.rng(), configuration()
    jobs, packets, expected, spoiled = [], [], [], 0
    for name in config.float_formats:
        element_bytes = FLOAT_FORMATS[name].width // 8
        keep_at, last_at = 8 * config.act_bytes, 9 * config.act_bytes
        job = Job(m=2 * config.rows + 2, n=1, k=77, float_format=name)
        rows = draw_rows(rng, config, job)
        cut = packets_of(config, job, rows)
        for bad in (0, config.rows, 2 * config.rows + 1):
            packet, middle, spoiled = cut[bad], len(cut[bad]) // 2, spoiled + 1
            if how == "early":  # what is missing counts as zeros
                cut[bad] = [*packet[:middle], packet[middle] | 1 << last_at]
                rows[bad][(middle + 1) * config.act_bytes // element_bytes :] = 0
            elif how == "late":
                cut[bad] = [*packet[:-1], packet[-1] ^ 1 << last_at, *packet[-3:]]
            else:
                cut[bad] = [*packet[:middle], packet[middle] ^ 1 << keep_at, *packet[middle + 1 :]]
        jobs.append(job)
        packets += cut
        expected.append(expected_blocks(config, job, rows))
    flags, _ = await unpack(dut, jobs, packets, expected)
    assert flags == GOOD | {"bad_keep" if how == "keep" else "bad_length": spoiled}


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=[JobKind.GEMM, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED])
async def begins_a_job_of_any_size(dut, kind):
    """The first rows of jobs that would take hours; with a bit less they would be the last."""
    rng, config = drive.rng(), configuration()
    for size in (1 << 32) - 1, *((1 << bit) + 2 for bit in range(8, 32)):
        job = draw_job(rng, config, 6, 16, kind)
        large = replace(job, **{"m" if kind is JobKind.GEMM else "n": size})
        if kind is JobKind.CONVERT_TRANSPOSED:
            job = replace(job, n=config.cols)
        rows = draw_rows(rng, config, job)[: 16 if kind is JobKind.CONVERT_TRANSPOSED else 3]
        blocks, firsts = expected_blocks(config, job, rows)
        await drive.reset(dut)
        faults = FaultWatch(dut)
        watching = cocotb.start_soon(faults.follow())
        cocotb.start_soon(drive.send(dut, "jobs", job_words(config, [large], IGNORED)))
        words = [word for packet in packets_of(config, job, rows) for word in packet]
        _, received = await gather(drive.send(dut, "i", words),
                                   drive.receive(dut, "o", len(firsts)))
        actual = drive.unpack(raw_block_layout(config), received)
        drive.compare(actual["elements"], blocks["elements"], "elements", size=size)
        await drive.ticks(dut, 4)
        watching.cancel()
        assert not faults.jobs, f"the job of {size} ended"


@pytest.mark.parametrize("rows, act_bytes, float_formats", [
    (3, 32, ("fp32", "fp16", "bf16")),
    (2, 4, ("fp32", "bf16")),  # one FP32 element per beat
    (1, 64, ("fp32",)),        # one block per beat
])
def test_row_unpacker(rows, act_bytes, float_formats):
    config = small_config(rows=rows, act_bytes=act_bytes, float_formats=float_formats, k_max=100)
    bench.simulate(RowUnpacker(config), __name__, f"row_unpacker_{act_bytes}",
                   parameters=handed_over(config))
