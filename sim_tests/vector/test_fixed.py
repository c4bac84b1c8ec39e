"""Fixed point: every exponent, ties, both signs, the ends."""

import cocotb
import numpy as np
import pytest
from amaranth import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.vector import fixed, lane
from hw.vector.fixed import largest_exponent, to_fixed
from sim_tests import bench, drive
from sim_tests.vector.side_by_side import (
    LANES,
    SIGN,
    SPECIAL,
    SideBySide,
    compare,
    numbers,
    patterns,
    results_of,
)

SIZES = {"exp2": (15, 22), "gate": (14, 18), "least": (4, 1), "most": (0, 23)}
"""Binary places, and bits of the magnitude."""


class Fixed(wiring.Component):
    """FP32 numbers as integers.

    Parameters
    ----------
    place, width : int
    """

    def __init__(self, place, width):
        self.place, self.width = place, width
        super().__init__({"i": In(32), "o": Out(width + 2), "overflows": Out(1)})

    def elaborate(self, platform):
        m = Module()
        exponent = self.i[23:31]
        units, overflows = to_fixed(
            m, Cat(self.i[:23], Const(1, 1)), exponent, width=self.width, is_negative=self.i[-1],
            largest=largest_exponent(self.place, self.width), name="number")
        m.d.comb += [self.o.eq(units), self.overflows.eq(overflows)]
        return m


def parts(size):
    """Make them side by side."""
    return SideBySide(lambda: Fixed(*SIZES[size]), "fixed")


async def check(dut, x):
    """Compare with golden's integers, and with its most where a number overflows."""
    size = drive.parameters()["size"]
    place, width = SIZES[size]
    actual = await results_of(dut, parts(size), i=x)
    value = lane.canonical(numbers(x))
    is_over = ~(np.abs(value.astype(np.float64)) < 2.0 ** (width - place))
    compare(actual["overflows"], is_over, "overflow", x=x)
    # At its own limit golden takes one unit less than what a magnitude rounds up to.
    wanted = fixed.to_fixed(value[~is_over], place, 1 << width) & ((1 << width + 2) - 1)
    compare(actual["o"][~is_over], wanted, "units", x=x[~is_over])


@cocotb.test
async def takes_special_values(dut):
    await drive.reset(dut)
    await check(dut, np.repeat(SPECIAL, LANES))  # in every lane


@cocotb.test
async def rounds_halves_away_from_zero(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 200_000)
    place, width = SIZES[drive.parameters()["size"]]
    half = (rng.integers(0, 1 << width, n) >> rng.integers(0, width, n)) + 0.5
    x = (half * 2.0**-place).astype(np.float32).view(np.uint32)
    near = x + rng.choice([0, 1, -1], n).astype(np.uint32)
    await check(dut, near | rng.choice([0, SIGN], n).astype(np.uint32))


@cocotb.test
async def takes_numbers_of_every_exponent(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(20_000, 200_000)
    place, width = SIZES[drive.parameters()["size"]]
    first = 127 - place
    await check(dut, np.concatenate([patterns(rng, n), patterns(
        rng, n, first - 4, first + width + 1)]))


@pytest.mark.parametrize("size", SIZES)
def test_fixed(size):
    bench.simulate(parts(size), __name__, f"fixed_numbers_{size}", parameters={"size": size})
