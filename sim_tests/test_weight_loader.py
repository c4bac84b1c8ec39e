"""Packets of weights to stored column tiles: every format and width, no room, bad packets."""

import functools
import operator
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden import MX4, MX6, MX9, quantize
from golden.packing import weight_stream
from hw.driver import Job, weight_passes
from hw.weight_loader import WeightLoader
from sim_tests import bench, drive
from sim_tests.operands import (
    FaultWatch,
    configuration,
    handed_over,
    job_words,
    matrix,
    mixed,
    packet_words,
    small_config,
)
from sim_tests.store_watch import StoreWatch, Tile

FORMATS = {"MX4": MX4, "MX6": MX6, "MX9": MX9}


def draw_weights(rng, job, kind):
    """Draw weights (k, n) in one format, or mixed by K-block; some MX9 blocks have no residual."""
    w = matrix(rng, job.n, job.k, nans=int(rng.integers(2))).T
    if kind != "mixed":
        return quantize(w, FORMATS[kind], axis=0)
    exact = np.repeat(rng.random(-(-job.k // 16)) < 0.3, 16)[: job.k, None]
    w = np.where(exact, quantize(w, MX6, axis=0).dequantize(), w)
    return mixed(w, rng.random(-(-job.k // 16)) < 0.5, axis=0)


def lines(tensor, first, last):
    """Take some columns of a weight, which are the lines of its codes."""
    names = ("exponent", "microexponent", "mantissa", "sign", "is_mx9")
    return replace(tensor, **{name: getattr(tensor, name)[first:last] for name in names})


def stream_of(config, jobs, weights):
    """List packets and the tiles they become, for all passes of all jobs."""
    packets, tiles = [], []
    for job, tensor in zip(jobs, weights, strict=True):
        for _ in range(weight_passes(config, job)):
            packets += weight_stream(tensor, config.cols, config.weight_bytes)
            tiles += [Tile(lines(tensor, first, first + config.cols), tensor.exponent.shape[1])
                      for first in range(0, job.n, config.cols)]
    return [packet_words(packet, config.weight_bytes) for packet in packets], tiles


async def load(dut, jobs, packets, tiles, idle=0.0, keep=0.0, hold=0):
    """Run jobs; keep all that fits for `hold` cycles first.

    Returns the cycles of each flag, and the cycles from one tile's completion to the next.
    """
    config = configuration()
    faults = FaultWatch(dut)
    await drive.reset(dut)

    watch = StoreWatch(dut, lanes=config.cols, depth=config.weight_depth,
                       slots=config.weight_slots, tiles=tiles)
    cocotb.start_soon(watch.follow())
    cocotb.start_soon(faults.follow())
    words = [word for packet in packets for word in packet]
    sending = [cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs), idle)),
               cocotb.start_soon(drive.send(dut, "i", words, idle))]
    if hold:
        await drive.ticks(dut, hold)
        assert watch.ready == watch.most_held(), (
            f"{watch.ready} tiles came while {watch.most_held()} have room")
    await gather(watch.release(keep=keep), *sending)
    assert len(faults.jobs) == len(jobs)
    assert bool(functools.reduce(operator.or_, faults.jobs)) == any(faults.cycles.values())
    return faults.cycles, list(np.diff(watch.ready_at))


GOOD = {"bad_length": 0, "bad_keep": 0}


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=["MX4", "MX6", "MX9", "mixed"])
async def stores_every_format(dut, kind):
    rng, config = drive.rng(), configuration()
    job = Job(m=1, n=2 * config.cols + 1, k=min(config.k_max, 75))
    packets, tiles = stream_of(config, [job], [draw_weights(rng, job, kind)])
    flags, cycles = await load(dut, [job], packets, tiles)
    assert flags == GOOD
    # A beat per cycle, and one cycle between tiles.
    assert cycles == [len(packet) + 1 for packet in packets[1:]]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], keep=[0.0, 0.98])
async def stores_jobs_back_to_back(dut, idle, keep):
    rng, config = drive.rng(), configuration()
    jobs = [Job(m=1, n=1, k=1), Job(m=3 * config.rows, n=config.cols + 1, k=33, tiles=2),
            Job(m=4 * config.rows, n=1, k=20, tiles=2), Job(m=1, n=2, k=50, tiles=2),
            Job(m=1, n=3 * config.cols, k=config.k_max), Job(m=5, n=2, k=16),
            Job(m=1, n=1, k=config.k_max - 17)]
    weights = [draw_weights(rng, job, "mixed") for job in jobs]
    packets, tiles = stream_of(config, jobs, weights)
    flags, _ = await load(dut, jobs, packets, tiles, idle, keep)
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(is_long=[False, True])
async def waits_for_room(dut, is_long):
    rng, config = drive.rng(), configuration()
    # Short tiles run out of slots, long ones of words.
    job = Job(m=1, n=9 * config.cols, k=config.k_max if is_long else 16)
    packets, tiles = stream_of(config, [job], [draw_weights(rng, job, "mixed")])
    flags, _ = await load(dut, [job], packets, tiles, hold=1_000)
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def survives_a_long_pause_of_the_stream(dut):
    rng, config = drive.rng(), configuration()
    job = Job(m=1, n=2 * config.cols, k=40)
    packets, tiles = stream_of(config, [job], [draw_weights(rng, job, "mixed")])
    flags, _ = await load(dut, [job], packets, tiles, idle=drive.LongPause(7, 400))
    assert flags == GOOD


def spoil(config, packet, how):
    """Make a packet end early or late, or carry a wrong tkeep."""
    keep_at, last_at = 8 * config.weight_bytes, 9 * config.weight_bytes
    middle = len(packet) // 2
    match how:
        case "early":
            return [*packet[:middle], packet[middle] | 1 << last_at]
        case "at once":
            return [packet[0] | 1 << last_at]
        case "late":
            return [*packet[:-1], packet[-1] ^ 1 << last_at, *packet[:middle], packet[-1]]
        case "keep":
            return [*packet[:middle], packet[middle] ^ 1 << keep_at + 1, *packet[middle + 1 :]]


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(how=["early", "at once", "late", "keep"])
async def flags_a_bad_packet_and_stores_the_next(dut, how):
    rng, config = drive.rng(), configuration()
    job = Job(m=1, n=6 * config.cols, k=70)
    packets, tiles = stream_of(config, [job], [draw_weights(rng, job, "mixed")])
    for bad in (1, 3, 4):
        packets[bad] = spoil(config, packets[bad], how)
        if how in ("early", "at once"):  # nobody can know what was lost
            tiles[bad] = replace(tiles[bad], tensor=None)
    flags, _ = await load(dut, [job], packets, tiles)
    assert flags == GOOD | {"bad_keep" if how == "keep" else "bad_length": 3}


@pytest.mark.parametrize("cols, weight_bytes, k_max", [
    (4, 16, 256),
    (3, 8, 1100),  # 69 K-blocks need two beats of precision bits
    (1, 2, 300),   # 19 K-blocks need two; a block takes six beats
])
def test_weight_loader(cols, weight_bytes, k_max):
    depth = 2 * -(-k_max // 16) + 3
    config = small_config(cols=cols, weight_bytes=weight_bytes, k_max=k_max, weight_depth=depth,
                          act_depth=depth)
    bench.simulate(WeightLoader(config), __name__, f"weight_loader_{cols}_{weight_bytes}",
                   parameters=handed_over(config))
