"""Conversion of blocks of results: the bits of golden, and the right place beside each block."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from hw.contract.config import Config
from hw.contract.result_block import result_block_layout
from hw.contract.tile_block import tile_block_layout
from hw.results.result_converter import ResultConverter
from sim_tests import bench, drive
from sim_tests.blocks.test_mx_converter import corner_blocks, expected_blocks, random_blocks


def make_config(rounding):
    """Make a machine whose tiles have up to 40 rows."""
    return Config.sized(rows=40, cols=8, k_max=16, rounding=rounding)


def result_patterns(rng, n):
    """Draw blocks as results are: with the NaN and the infinities of a sum among them."""
    patterns = random_blocks(rng, n)
    special = np.array([0x7FC00000, 0x7F800000, 0xFF800000, 0x80000000], np.uint32)
    rows = np.arange(3, n, 17)
    patterns[rows, rng.integers(0, 16, len(rows))] = rng.choice(special, len(rows))
    return patterns


async def convert(dut, patterns, idle=0.0, stall=0.0):
    """Convert blocks of random place and precision, compare all, return the cycles it took."""
    rng, n = drive.rng("places"), len(patterns)
    rounding = drive.parameters()["rounding"]
    config = make_config(rounding)
    is_mx9 = rng.random(n) < 0.5
    place = {"row": rng.integers(0, 40, n), "row_last": rng.integers(0, 2, n),
             "job_last": rng.integers(0, 2, n)}
    words = drive.pack(result_block_layout(config),
                       {"elements": patterns, "is_mx9": is_mx9, **place})
    start = drive.cycle()
    _, received = await gather(
        drive.send(dut, "i", words, idle), drive.receive(dut, "o", n, stall))
    cycles = drive.cycle() - start
    expected = {"rounded": expected_blocks(patterns, is_mx9, rounding), **place,
                "k_first": np.ones(n, int), "k_last": np.ones(n, int)}
    drive.compare(drive.unpack(tile_block_layout(config), received), expected, "o",
                  idle=idle, stall=stall)
    return cycles


@cocotb.test
async def converts_corner_blocks(dut):
    await drive.reset(dut)
    await convert(dut, corner_blocks())


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def matches_golden(dut, idle, stall):
    await drive.reset(dut)
    await convert(dut, result_patterns(drive.rng(), drive.amount(400, 10_000)), idle, stall)


@cocotb.test
async def keeps_places_beside_blocks_through_a_long_stall(dut):
    await drive.reset(dut)
    await convert(dut, result_patterns(drive.rng(), 60), stall=drive.LongPause(10, 300))


@cocotb.test
async def converts_a_block_each_cycle(dut):
    await drive.reset(dut)
    cycles = await convert(dut, result_patterns(drive.rng(), 100))
    assert cycles == 100 + ResultConverter.latency


@pytest.mark.parametrize("rounding", ["half_even", "truncate"])
def test_result_converter(rounding):
    bench.simulate(ResultConverter(make_config(rounding)), __name__,
                   f"conversion_{rounding}", parameters={"rounding": rounding})
