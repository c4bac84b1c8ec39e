"""Squares of all numbers."""

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.vector.square import square
from sim_tests import bench, drive


class Square(wiring.Component):
    """A squarer with ports of its own."""

    def __init__(self, width):
        self.width = width
        super().__init__({"i": In(width), "o": Out(2 * width)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(square(m, self.i, name="square"))
        return m


@cocotb.test
async def squares_every_number(dut):
    await drive.reset(dut)
    numbers, squares = np.arange(1 << drive.parameters()["width"]), []
    for number in numbers:
        dut.i.value = int(number)
        await drive.settle(dut)
        squares.append(int(dut.o.value))
    drive.compare(squares, numbers**2, "square")


@pytest.mark.parametrize("width", [1, 13])
def test_square(width):
    bench.simulate(Square(width), __name__, f"square_{width}", parameters={"width": width})
