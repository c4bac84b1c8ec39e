"""Numbers as integers of their row's units: every distance, ties, what does not count."""

import cocotb
import numpy as np

from golden.vector.fixed import to_fixed
from hw.vector.row_element import FINE_BITS, RowElement, Units
from sim_tests import bench, drive


@cocotb.test
async def shifts_to_every_exponent(dut):
    await drive.reset(dut)
    rng, n = drive.rng(), drive.amount(12, 400)
    distance = np.repeat(np.arange(256), n)
    exponent = np.minimum(distance + rng.integers(0, 255, len(distance)), 254)
    own = np.maximum(exponent - distance, 0)
    mantissa = rng.integers(0, 1 << 23, len(own))
    mantissa = np.choose(rng.integers(0, 3, len(own)), [
        mantissa, 0x7FFFFF, mantissa >> 12 << 12])  # many bits to carry, and ties
    is_valid, sign = rng.random(len(own)) < 0.9, rng.integers(0, 2, len(own))
    bits = (sign << 31 | own << 23 | mantissa).astype(np.uint32)
    words = []
    for element, valid, largest in zip(bits, is_valid, exponent, strict=True):
        dut.element.value, dut.is_valid.value = int(element), int(valid)
        dut.exponent.value = int(largest)
        await drive.settle(dut)
        words.append(int(dut.units.value))
    units = drive.unpack(Units, words)
    numbers = np.where(is_valid, bits, 0).astype(np.uint32).view(np.float32)
    units = {name: value.astype(np.int64) for name, value in units.items()}
    fine = (units["coarse"] << FINE_BITS) + units["rest"] + units["rounds"]
    drive.compare(fine, abs(to_fixed(numbers, 150 - exponent)), "fine")
    drive.compare(units["coarse"], abs(to_fixed(numbers, 150 - FINE_BITS - exponent)), "coarse")
    drive.compare(units["sign"], sign, "sign")


def test_row_element():
    bench.simulate(RowElement(), __name__, "row_element")
