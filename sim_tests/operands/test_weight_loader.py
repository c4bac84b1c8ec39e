"""Packets of weights to stored column tiles: every format and width, no room, bad packets."""

import functools
import operator
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.packing import weight_stream
from hw.contract.config import Config
from hw.host.job_request import Job
from hw.host.packet_order import weight_passes
from hw.operands.weight_loader import WeightLoader
from sim_tests import bench, drive
from sim_tests.accelerator.store_watch import StoreWatch, Tile
from sim_tests.stimuli.litter import filled, unused_bits
from sim_tests.stimuli.operands import (
    FaultWatch,
    configuration,
    handed_over,
    job_words,
    packet_words,
)
from sim_tests.stimuli.packed_streams import KINDS, draw_operand, spoil, tiles_of

GOOD = {"bad_length": 0, "bad_keep": 0}


class BiasWatch:
    """Keep the biases that a loader writes, and compare those of each tile once it is ready.

    Parameters
    ----------
    dut : handle
    store : StoreWatch
        Follows the tiles.
    slots : int
    tiles : list of ndarray of uint32, or None
        The bits of each tile's biases; None if it has none.
    """

    def __init__(self, dut, store, slots, tiles):
        self.dut, self.store, self.tiles, self.words = dut, store, tiles, [0] * slots
        self.writes = 0

    async def follow(self):
        """Watch for ever."""
        seen = 0
        while True:
            await drive.ticks(self.dut, 1)
            slots = len(self.words)
            if int(self.dut.bias__write.value):
                slot = int(self.dut.bias__slot.value)
                in_use = [tile % slots for tile in range(self.store.released, self.store.ready)]
                assert slot not in in_use, f"biases of slot {slot} went while they are needed"
                self.words[slot] = int(self.dut.bias__values.value)
                self.writes += 1
            if int(self.dut.ready.value):
                expected = self.tiles[seen]
                if expected is not None:
                    octets = self.words[seen % slots].to_bytes(4 * 128, "little")
                    biases = np.frombuffer(octets, "<u4")[: len(expected)]
                    drive.compare(biases, expected, f"tile {seen} biases")
                seen += 1


def draw_biases(rng, job):
    """Draw a job's biases, any normal numbers, or none."""
    return rng.standard_normal(job.n).astype(np.float32) if job.bias else None


def draw_weights(rng, job, kind="mixed"):
    """Draw a weight transposed, a line per column."""
    return draw_operand(rng, job.n, job.k, configuration().cols, kind)


def stream_of(config, jobs, weights, biases=None, rng=None):
    """List packets, and the tiles and biases they become, for all passes of all jobs.

    With a generator the bits that packets do not use hold garbage.
    """
    packets, tiles, heads = [], [], []
    for job, tensor, bias in zip(jobs, weights, biases or [None] * len(jobs), strict=True):
        for _ in range(weight_passes(config, job)):
            made = weight_stream(tensor.transpose(), config.cols, config.weight_bytes, bias)
            lines = [min(config.cols, job.n - first) for first in range(0, job.n, config.cols)]
            packets += made if rng is None else [
                filled(rng, packet, unused_bits(job, packet, count, config.weight_bytes, job.bias))
                for packet, count in zip(made, lines, strict=True)]
            tiles += [Tile(tile, tile.exponent.shape[1]) for tile in tiles_of(tensor, config.cols)]
            heads += [None if bias is None else bias[first : first + config.cols].view(np.uint32)
                      for first in range(0, job.n, config.cols)]
    return [packet_words(packet, config.weight_bytes) for packet in packets], tiles, heads

IGNORED = ("float_format", "output", "reorder", "measure", "table", "policy")
"""Fields of a job that the loader does not look at."""


async def load(dut, jobs, packets, tiles, heads, idle=0.0, keep=0.0, hold=0):
    """Run jobs; keep all that fits for `hold` cycles first.

    Returns the cycles of each flag, and the cycles from one tile's completion to the next.
    """
    config = configuration()
    faults = FaultWatch(dut)
    await drive.reset(dut)

    watch = StoreWatch(dut, lanes=config.cols, depth=config.weight_depth,
                       slots=config.weight_slots, tiles=tiles)
    bias_watch = BiasWatch(dut, watch, config.weight_slots, heads)
    for follower in (watch, bias_watch, faults):
        cocotb.start_soon(follower.follow())
    words = [word for packet in packets for word in packet]
    sending = [cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs, IGNORED), idle)),
               cocotb.start_soon(drive.send(dut, "i", words, idle))]
    if hold:
        await drive.ticks(dut, hold)
        assert watch.ready == watch.most_held(), (
            f"{watch.ready} tiles came while {watch.most_held()} have room")
    await gather(watch.release(keep=keep), *sending)
    assert bias_watch.writes == sum(head is not None for head in heads)
    assert len(faults.jobs) == len(jobs)
    assert bool(functools.reduce(operator.or_, faults.jobs)) == any(faults.cycles.values())
    return faults.cycles, list(np.diff(watch.ready_at))


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=KINDS, bias=[False, True])
async def stores_every_format(dut, kind, bias):
    rng, config = drive.rng(), configuration()
    k = min(config.k_max, 75)
    jobs = [Job(n=2 * config.cols + 1, k=k, bias=bias), Job(n=config.cols, k=16, bias=not bias),
            Job(n=1, k=k, bias=bias)]
    packets, tiles, heads = stream_of(config, jobs, [draw_weights(rng, job, kind) for job in jobs],
                                      [draw_biases(rng, job) for job in jobs])
    flags, cycles = await load(dut, jobs, packets, tiles, heads)
    assert flags == GOOD
    assert cycles == [len(packet) for packet in packets[1:]], "a beat per cycle"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], keep=[0.0, 0.98])
async def stores_jobs_back_to_back(dut, idle, keep):
    rng, config = drive.rng(), configuration()
    jobs = [Job(n=1, k=1), Job(m=3 * config.rows, n=config.cols + 1, k=33, tiles=2, bias=True),
            Job(m=4 * config.rows, n=1, k=20, tiles=2), Job(n=2, k=50, tiles=2, bias=True),
            Job(n=3 * config.cols, k=config.k_max), Job(m=5, n=2, k=16, bias=True),
            Job(n=1, k=config.k_max - 17)]
    weights = [draw_weights(rng, job) for job in jobs]
    stream = stream_of(config, jobs, weights, [draw_biases(rng, job) for job in jobs])
    flags, _ = await load(dut, jobs, *stream, idle, keep)
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def looks_at_nothing_that_only_fills_beats_up(dut):
    """Garbage there makes no residual of a K-block that has none."""
    rng, config = drive.rng(), configuration()
    jobs = [Job(n=count, k=min(config.k_max, 75), bias=bool(count % 2))
            for count in (*range(1, config.cols + 1), 2 * config.cols + 1)]
    stream = stream_of(config, jobs, [draw_weights(rng, job) for job in jobs],
                       [draw_biases(rng, job) for job in jobs], rng)
    flags, _ = await load(dut, jobs, *stream)
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(is_long=[False, True])
async def waits_for_room(dut, is_long):
    rng, config = drive.rng(), configuration()
    # Short tiles run out of slots, long ones of words.
    job = Job(n=9 * config.cols, k=config.k_max if is_long else 16, bias=True)
    stream = stream_of(config, [job], [draw_weights(rng, job)], [draw_biases(rng, job)])
    flags, _ = await load(dut, [job], *stream, hold=1_000)
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def survives_a_long_pause_of_the_stream(dut):
    rng, config = drive.rng(), configuration()
    job = Job(n=2 * config.cols, k=40)
    stream = stream_of(config, [job], [draw_weights(rng, job)])
    flags, _ = await load(dut, [job], *stream, idle=drive.LongPause(7, 400))
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(how=["early", "at once", "late", "keep"], bias=[False, True])
async def flags_a_bad_packet_and_stores_the_next(dut, how, bias):
    rng, config = drive.rng(), configuration()
    job = Job(n=6 * config.cols, k=70, bias=bias)
    packets, tiles, heads = stream_of(config, [job], [draw_weights(rng, job)],
                                      [draw_biases(rng, job)])
    for bad in (1, 3, 4):
        packets[bad] = spoil(packets[bad], config.weight_bytes, how)
        if how in ("early", "at once"):  # `ChunkReader` says what was lost, see the unpacker's test
            tiles[bad] = replace(tiles[bad], tensor=None)
            heads[bad] = heads[bad][: config.weight_bytes // 4] if bias else None
    flags, _ = await load(dut, [job], packets, tiles, heads)
    assert flags == GOOD | {"bad_keep" if how == "keep" else "bad_length": 3}


@pytest.mark.parametrize("cols, weight_bytes, k_max", [
    (4, 16, 256),
    (3, 8, 1100),  # 69 K-blocks need two beats of precision bits
    (5, 64, 100),  # one beat of bases, or of residuals
    (1, 2, 300),   # 19 K-blocks need two; a block takes six beats
])
def test_weight_loader(cols, weight_bytes, k_max):
    config = Config.sized(rows=2, cols=cols, weight_bytes=weight_bytes, k_max=k_max, tile_slots=4,
                          weight_depth=2 * -(-k_max // 16) + 3)
    bench.simulate(WeightLoader(config), __name__, f"weight_loader_{cols}_{weight_bytes}",
                   parameters=handed_over(config))
