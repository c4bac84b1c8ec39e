"""Rows of activations to blocks: every format, ragged rows, tile markers, bad packets, speed."""

import functools
import operator

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.formats import FLOAT_FORMATS
from golden.mx import to_blocks
from golden.packing import activation_rows
from hw.driver import FORMAT_CODES, Job
from hw.outlier_policy import Selection
from hw.row_unpacker import RowUnpacker, raw_block_layout
from sim_tests import bench, drive
from sim_tests.operands import (
    FaultWatch,
    configuration,
    handed_over,
    job_words,
    packet_words,
    small_config,
)


def draw_job(rng, config, m, k):
    """Draw a job of some format and policy."""
    top = bool(rng.integers(2))
    return Job(
        m=m, n=1, k=k, float_format=str(rng.choice(config.float_formats)),
        selection=Selection.TOP if top else Selection.THRESHOLD,
        units=int(rng.integers(0, -(-k // 16) + 1)), threshold=int(rng.integers(1 << 31)))


def draw_rows(rng, job):
    """Draw any bit patterns of a job's format, shape (m, k)."""
    width = FLOAT_FORMATS[job.float_format].width
    return rng.integers(1, 1 << width, (job.m, job.k), dtype=np.uint64).astype(f"uint{width}")


def expected_blocks(config, job, rows):
    """List a job's blocks as fields of `raw_block_layout`."""
    elements = to_blocks(rows, -1).astype(np.uint32)
    k_blocks = elements.shape[1]
    row, block = np.divmod(np.arange(job.m * k_blocks), k_blocks)
    return {
        "elements": elements.reshape(-1, 16),
        "float_format": np.full(len(row), FORMAT_CODES[job.float_format]),
        "row_first": row % config.rows == 0,
        "row_last": (row % config.rows == config.rows - 1) | (row == job.m - 1),
        "block_last": block == k_blocks - 1,
        "policy": {name: np.full(len(row), value) for name, value in (
            ("selection", job.selection.value), ("units", job.units),
            ("threshold", job.threshold))},
    }


def packets_of(config, job, rows):
    """Cut rows into beats, a list per row; the bytes that tkeep leaves out hold anything."""
    packets = [packet_words(packet, config.act_bytes)
               for packet in activation_rows(rows, FLOAT_FORMATS[job.float_format])]
    kept = 8 * (job.k * FLOAT_FORMATS[job.float_format].width // 8 % config.act_bytes)
    junk = ((1 << 8 * config.act_bytes) - 1) >> kept << kept if kept else 0
    return [[*packet[:-1], packet[-1] | junk] for packet in packets]


async def unpack(dut, jobs, packets, expected, idle=0.0, stall=0.0):
    """Run jobs, compare every block, and return the flags' cycles and the cycles of the stream."""
    config, faults = configuration(), FaultWatch(dut)
    await drive.reset(dut)

    async def feed():
        await drive.send(dut, "i", [word for packet in packets for word in packet], idle)
        return drive.cycle()

    cocotb.start_soon(faults.follow())
    cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs)))
    await drive.ticks(dut, 2)  # the first job is there
    start = drive.cycle()
    count = sum(len(blocks["elements"]) for blocks in expected)
    fed, words = await gather(feed(), drive.receive(dut, "o", count, stall))
    await drive.ticks(dut, 4)
    assert not int(dut.o__valid.value), "a block too many"
    actual, at = drive.unpack(raw_block_layout(config), words), 0
    for job, blocks in zip(jobs, expected, strict=True):
        part = slice(at, at + len(blocks["elements"]))
        one = {key: {k: v[part] for k, v in value.items()} if isinstance(value, dict)
               else value[part] for key, value in actual.items()}
        drive.compare(one, blocks, "o", job=job, idle=idle, stall=stall)
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
    rows = [draw_rows(rng, job) for job in jobs]
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
    job = draw_job(rng, config, 4, 50)
    rows = draw_rows(rng, job)
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
        rows = draw_rows(rng, job)
        cut = packets_of(config, job, rows)
        for bad in (0, config.rows, 2 * config.rows + 1):
            packet, middle, spoiled = cut[bad], len(cut[bad]) // 2, spoiled + 1
            if how == "early":  # what is missing counts as zeros
                cut[bad] = [*packet[:middle], packet[middle] | 1 << last_at]
                rows[bad, (middle + 1) * config.act_bytes // element_bytes :] = 0
            elif how == "late":
                cut[bad] = [*packet[:-1], packet[-1] ^ 1 << last_at, *packet[-3:]]
            else:
                cut[bad] = [*packet[:middle], packet[middle] ^ 1 << keep_at, *packet[middle + 1 :]]
        jobs.append(job)
        packets += cut
        expected.append(expected_blocks(config, job, rows))
    flags, _ = await unpack(dut, jobs, packets, expected)
    assert flags == GOOD | {"bad_keep" if how == "keep" else "bad_length": spoiled}


@pytest.mark.parametrize("rows, act_bytes, float_formats", [
    (3, 32, ("fp32", "fp16", "bf16")),
    (2, 4, ("fp32", "bf16")),  # one FP32 element per beat
    (1, 64, ("fp32",)),        # one block per beat
])
def test_row_unpacker(rows, act_bytes, float_formats):
    config = small_config(rows=rows, act_bytes=act_bytes, float_formats=float_formats, k_max=100)
    bench.simulate(RowUnpacker(config), __name__, f"row_unpacker_{act_bytes}",
                   parameters=handed_over(config))
