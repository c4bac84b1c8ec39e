"""1/x and 1/sqrt(x): every significand, every exponent, special values."""

import cocotb
import numpy as np

from golden.vector import reciprocal, reciprocal_root
from hw.vector.reciprocal import Reciprocal
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    SIGN,
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    patterns,
    results_of,
)

PARTS = SideBySide(Reciprocal, "reciprocal")


async def check(dut, x, what):
    """Compare both with golden's."""
    for of_root, golden in enumerate((reciprocal, reciprocal_root)):
        actual = await results_of(dut, PARTS, i=x, of_root=of_root)
        wanted = golden(numbers(x)).view(np.uint32) >> 8
        compare(actual["o"], wanted, f"{golden.__name__} {what}", x=x)


@cocotb.test
async def takes_special_values(dut):
    await drive.reset(dut)
    await check(dut, SPECIAL, "of a special value")


@cocotb.test
async def looks_up_every_significand(dut):
    await drive.reset(dut)
    rng, fraction = drive.rng(), np.arange(1 << 15) << 8
    for exponent in (127, 128, *(rng.integers(1, 252) + np.arange(2))):
        await check(dut, fraction | exponent << 23, "of every significand")


@cocotb.test
async def turns_every_exponent(dut):
    await drive.reset(dut)
    exponent = np.arange(256)[:, None]
    fraction = np.array([0, 1 << 8, 0x400000, 0x7FFF00, 0x7FFF7F, 0x7FFF80])
    x = (exponent << 23 | fraction).ravel()
    await check(dut, np.concatenate([x, x | SIGN]), "of every exponent")


@cocotb.test
async def takes_any_number(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    await check(dut, patterns(rng, n), "of any number")
    await check(dut, patterns(rng, n) & 0x7FFFFFFF, "of any magnitude")


def test_reciprocal():
    bench.simulate(PARTS, __name__, "vector_reciprocals")
