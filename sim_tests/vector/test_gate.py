"""The gates of GELU and SiLU: every argument of both tables, both signs, rounding, the ends."""

import cocotb
import numpy as np
import pytest

from golden.memory.jobs import Function
from golden.vector import gate, lane
from golden.vector.formats import GELU_LIMIT, SILU_LIMIT
from golden.vector.tables import GELU_GATE, SILU_GATE
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

BUILT = {"gates": ("gelu", "silu"), "shared": ("exp2", "gelu", "silu")}

OF = {Function.GELU: (gate.gelu_gate, GELU_GATE, GELU_LIMIT),
      Function.SILU: (gate.silu_gate, SILU_GATE, SILU_LIMIT)}


def parts(built):
    """Make gates side by side, without exp2 or with it."""
    return SideBySide(lambda: Functions(BUILT[built]), "functions")


async def check(dut, x, what):
    """Compare both gates of numbers, NaNs aside, whose gates nobody uses."""
    value = lane.canonical(numbers(x))
    x, value = x[~np.isnan(value)], value[~np.isnan(value)]
    for function, (golden, _, _) in OF.items():
        actual = await results_of(dut, parts(drive.parameters()["built"]),
                                  i=value.view(np.uint32), chosen=function.value)
        wanted = golden(value).view(np.uint32) >> 8
        compare(actual["gate"], wanted, f"{function.name}, {what}", x=x)
        compare(actual["o"], value, f"{function.name}, the number itself", x=x)


@cocotb.test
async def takes_special_values(dut):
    await drive.reset(dut)
    await check(dut, SPECIAL, "gate of a special value")


@cocotb.test
async def looks_up_every_argument(dut):
    await drive.reset(dut)
    for _, table, limit in OF.values():
        units = np.arange(1 << table.argument_bits)
        x = (units * (limit / len(units))).astype(np.float32).view(np.uint32)
        x = np.where(drive.rng().integers(0, 2, len(x)), x, x | SIGN)
        if drive.amount(0, 1):
            x = np.concatenate([x, x ^ np.uint32(SIGN)])
        await check(dut, x.astype(np.uint32), f"argument of {table.name}")


@cocotb.test
async def rounds_twice_as_golden_does(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 400_000)
    await check(dut, patterns(rng, n, 105, 132), "gate")


@cocotb.test
async def ends_at_the_limits(dut):
    await drive.reset(dut)
    limits = np.array([4, GELU_LIMIT, SILU_LIMIT, 256], np.float32).view(np.uint32)
    near = (limits[:, None] + np.arange(-300, 300).astype(np.uint32)).ravel()
    await check(dut, np.concatenate([near, near | np.uint32(SIGN)]), "gate near a limit")


@cocotb.test
async def takes_any_number(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(10_000, 400_000)
    await check(dut, rng.integers(0, 1 << 32, n, np.uint32), "gate")


@pytest.mark.parametrize("built", BUILT)
def test_gate(built):
    bench.simulate(parts(built), __name__, f"vector_gates_{built}", parameters={"built": built})
