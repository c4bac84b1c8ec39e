"""exp2: every argument, numbers beside each, saturation, both ends; also beside the gates."""

import cocotb
import numpy as np
import pytest

from golden.memory.jobs import Function
from golden.vector import exponential, lane
from golden.vector.formats import EXP2_LIMIT
from hw.vector.functions import Functions
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

BUILT = {"alone": ("exp2",), "shared": ("exp2", "gelu", "silu")}


def parts(built):
    """Make exp2 side by side, alone or with what shares its table's circuit."""
    return SideBySide(lambda: Functions(BUILT[built]), "functions")


async def check(dut, x, what):
    """Compare powers of two, and whether they saturate."""
    value = lane.canonical(numbers(x))
    actual = await results_of(dut, parts(drive.parameters()["built"]), i=value.view(np.uint32),
                              chosen=Function.EXP2.value)
    compare(actual["o"], exponential.exp2(value), what, x=x)
    compare(actual["saturated"], exponential.exp2_saturates(value), f"{what}, saturated", x=x)


@cocotb.test
async def takes_special_values(dut):
    await drive.reset(dut)
    await check(dut, SPECIAL, "exp2 of a special value")


@cocotb.test
async def looks_up_every_fraction(dut):
    await drive.reset(dut)
    rng, fraction = drive.rng(), np.arange(1 << exponential.EXP2_PLACE)
    for whole in (0, -1, rng.integers(-126, EXP2_LIMIT)):
        x = whole + fraction / (1 << exponential.EXP2_PLACE)  # exact in FP32
        await check(dut, x.astype(np.float32).view(np.uint32), "exp2 of a fraction")


@cocotb.test
async def gives_every_power_of_two(dut):
    await drive.reset(dut)
    whole = np.arange(-140, 140).astype(np.float32)
    x = np.concatenate([whole, np.nextafter(whole, np.float32(200)),
                        np.nextafter(whole, np.float32(-200))])
    await check(dut, x.view(np.uint32), "exp2 of a whole number")


@cocotb.test
async def rounds_arguments_away_from_zero(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 300_000)
    half = (rng.integers(0, 1 << 22, n) >> rng.integers(0, 22, n)) + 0.5
    x = (half * 2.0**-exponential.EXP2_PLACE).astype(np.float32).view(np.uint32)
    near = x + rng.choice([0, 1, -1], n).astype(np.uint32)
    await check(dut, near | rng.choice([0, SIGN], n).astype(np.uint32), "exp2 near a half")


@cocotb.test
async def saturates_and_flushes_at_the_limits(dut):
    await drive.reset(dut)
    limits = np.array([EXP2_LIMIT, 127, 128, 256, -125, -126, -127, -128, -256], np.float32)
    near = limits.view(np.uint32)[:, None] + np.arange(-300, 300).astype(np.uint32)
    await check(dut, near.ravel(), "exp2 near a limit")


@cocotb.test
async def takes_any_number(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    await check(dut, np.concatenate([patterns(rng, n, 100, 140), patterns(rng, n)]), "exp2")


@pytest.mark.parametrize("built", BUILT)
def test_exponential(built):
    bench.simulate(parts(built), __name__, f"vector_exp2_{built}", parameters={"built": built})
