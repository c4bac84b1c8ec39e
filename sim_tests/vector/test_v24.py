"""Rounding to V24: every upper half beside every tie, special values, any number."""

import cocotb
import numpy as np

from golden.vector import lane
from hw.vector.v24 import V24Rounder
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    LANES,
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    results_of,
)

PARTS = SideBySide(V24Rounder, "v24_rounder")


async def check(dut, x):
    """Compare with golden's numbers."""
    actual = await results_of(dut, PARTS, i=x)
    compare(actual["o"], lane.to_lane(numbers(x)).view(np.uint32) >> 8, "V24", x=x)


@cocotb.test
async def rounds_special_values(dut):
    await drive.reset(dut)
    await check(dut, np.repeat(SPECIAL, LANES))  # in every lane


@cocotb.test
async def sees_every_bit_of_a_mantissa(dut):
    await drive.reset(dut)
    exponent, bit = np.meshgrid(np.arange(256) << 23, 1 << np.arange(23))
    for beside in (0, 0x80):
        x = (exponent | bit | beside).ravel().astype(np.uint32)
        await check(dut, np.repeat(x, LANES))


@cocotb.test
async def rounds_the_neighbourhood_of_ties(dut):
    await drive.reset(dut)
    rng = drive.rng()
    upper = np.concatenate([np.arange(0, 1 << 24, drive.amount(251, 17)), [0x7F7FFF, 0xFF7FFF]])
    for low in (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF):
        await check(dut, (upper << 8 | low).astype(np.uint32))
    await check(dut, rng.integers(0, 1 << 32, drive.amount(20_000, 400_000), np.uint32))


def test_v24():
    bench.simulate(PARTS, __name__, "v24_rounders")
