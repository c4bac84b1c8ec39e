"""Packets of packed activations to blocks: formats, ragged tiles, bad packets, speed."""

import functools
import operator

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.packing import activation_tiles
from golden.unpacking import read_activation_tiles
from hw.activations.packed_unpacker import PackedUnpacker
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.contract.tile_block import tile_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import FaultWatch, configuration, handed_over, packet_words
from sim_tests.stimuli.packed_streams import (
    KINDS,
    beats_of,
    draw_operand,
    put_tile,
    spoil,
    tiles_of,
)
from sim_tests.stimuli.tile_blocks import TiledJob, job_words, stream_fields

GOOD = {"bad_length": 0, "bad_keep": 0}


def packets_of(config, tensor):
    """Cut activations into packets, each a list of beats."""
    return [packet_words(packet, config.act_bytes)
            for packet in activation_tiles(tensor, config.rows, config.act_bytes)]


def jobs_of(tensors):
    """Make a job of each operand; nothing of what is packed already saturates."""
    return [TiledJob(np.zeros(tensor.shape, np.float32), tensor, JobKind.GEMM_PACKED)
            for tensor in tensors]


async def unpack(dut, tensors, packets, idle=0.0, stall=0.0):
    """Run a job per operand, compare every block, and return the flags' cycles and all cycles."""
    config, jobs, faults = configuration(), jobs_of(tensors), FaultWatch(dut)
    await drive.reset(dut)
    cocotb.start_soon(faults.follow())
    cocotb.start_soon(drive.send(dut, "jobs", job_words(config, jobs), idle))
    await drive.ticks(dut, 3)  # the first job is there, and its first packet known
    start = drive.cycle()
    words, _ = await gather(
        drive.receive(dut, "o", sum(tensor.exponent.size for tensor in tensors), stall),
        drive.send(dut, "i", [word for packet in packets for word in packet], idle))
    cycles, at = drive.cycle() - start, 0
    await drive.ticks(dut, 10)
    assert not int(dut.o__valid.value), "a block too many"
    for number, fields in enumerate(stream_fields(config, jobs)):
        end = at + len(fields["row"])
        blocks = drive.unpack(tile_block_layout(config), words[at:end])
        drive.compare(blocks, fields, f"tile {number}", idle=idle, stall=stall)
        at = end
    assert len(faults.jobs) == len(jobs)
    assert bool(functools.reduce(operator.or_, faults.jobs)) == any(faults.cycles.values())
    return faults.cycles, cycles


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def cuts_tiles_of_every_size(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    depths = [1, 16, 17, 33, config.k_max, int(rng.integers(1, config.k_max))]
    tensors = [draw_operand(rng, int(rng.integers(1, 3 * config.rows + 1)), k, config.rows, kind)
               for k in depths for kind in rng.permutation(KINDS)[:2]]
    packets = [packet for tensor in tensors for packet in packets_of(config, tensor)]
    flags, _ = await unpack(dut, tensors, packets, idle, stall)
    assert flags == GOOD


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def counts_down_from_thousands_of_rows(dut):
    rng, config = drive.rng(), configuration()
    tensor = draw_operand(rng, 2_049 + config.rows, 1, config.rows, "MX6")
    flags, _ = await unpack(dut, [tensor], packets_of(config, tensor))
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(kind=["MX6", "MX9", "mixed"])
async def takes_as_long_as_rows_or_beats(dut, kind):
    rng, config = drive.rng(), configuration()
    tensors = [draw_operand(rng, 2 * config.rows, config.k_max, config.rows, kind)
               for _ in range(2)]
    packets = [packet for tensor in tensors for packet in packets_of(config, tensor)]
    _, cycles = await unpack(dut, tensors, packets)
    beats = [count for tensor in tensors for tile in tiles_of(tensor, config.rows)
             for count in beats_of(tile, config.act_bytes)]
    # One cycle between the last beat of a K-block and its first row. While its rows leave, the next
    # comes in.
    assert cycles == 1 + beats[0] + config.rows + sum(
        max(config.rows, count) for count in beats[1:])


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    rng, config = drive.rng(), configuration()
    tensors = [draw_operand(rng, config.rows + 1, 50, config.rows)]
    flags, _ = await unpack(dut, tensors, packets_of(config, tensors[0]),
                            **{side: drive.LongPause(9, 400)})
    assert flags == GOOD


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(how=["early", "at once", "late", "keep"])
async def flags_a_bad_packet_and_is_in_step_for_the_next(dut, how):
    rng, config = drive.rng(), configuration()
    k = min(config.k_max, 16 * 8 * config.act_bytes)  # one beat of precision bits
    tensors = [draw_operand(rng, 3 * config.rows, k, config.rows) for _ in range(2)]
    packets = [packet for tensor in tensors for packet in packets_of(config, tensor)]
    for job, tile in ((0, 1), (1, 0), (1, 2)):
        whole = packets[3 * job + tile]
        packets[3 * job + tile] = came = spoil(whole, config.act_bytes, how)
        if how in ("early", "at once"):  # what is missing counts as zeros
            mask = (1 << 8 * config.act_bytes) - 1
            filled = b"".join((word & mask).to_bytes(config.act_bytes, "little") for word in came)
            put_tile(tensors[job], tile * config.rows, read_activation_tiles(
                [filled.ljust(len(whole) * config.act_bytes, b"\0")], (config.rows, k),
                config.rows, config.act_bytes))
    flags, _ = await unpack(dut, tensors, packets)
    assert flags == GOOD | {"bad_keep" if how == "keep" else "bad_length": 3}


@pytest.mark.parametrize("rows, act_bytes, k_max", [
    (8, 32, 256),
    (5, 64, 200),  # fewer beats than rows
    (4, 8, 1100),  # 69 K-blocks need two beats of precision bits
    (3, 16, 100),
    (1, 4, 700),   # 44 K-blocks need two; a block takes three beats
    (1, 64, 8200),  # one beat; all precision bits of the widest beat, and one more
])
def test_packed_unpacker(rows, act_bytes, k_max):
    config = Config.sized(rows=rows, cols=2, act_bytes=act_bytes, k_max=k_max,
                          float_formats=("fp32",))
    bench.simulate(PackedUnpacker(config), __name__, f"packed_unpacker_{rows}_{act_bytes}",
                   parameters=handed_over(config))
