"""The memory of the benches: what is written is read, and all else is garbage."""

import cocotb
import numpy as np

from hw.parts.sram import Sram
from sim_tests import bench, drive

GRANULES, WIDTH, DEPTH = 3, 24, 20


async def write(dut, address, data, granules=7):
    """Write granules of a word."""
    dut.write_en.value, dut.write_addr.value, dut.write_data.value = granules, address, data
    await drive.ticks(dut, 1)
    dut.write_en.value = 0


async def read(dut, address):
    """Read a word."""
    dut.read_en.value, dut.read_addr.value = 1, address
    await drive.ticks(dut, 1)
    dut.read_en.value = 0
    await drive.ticks(dut, 1)
    return int(dut.read_data.value)


@cocotb.test
async def keeps_what_is_written(dut):
    await drive.reset(dut)
    words = [int(word) for word in drive.rng().integers(0, 1 << WIDTH, DEPTH)]
    for address, word in enumerate(words):
        await write(dut, address, word)
    await write(dut, 5, 0xABCDEF, granules=0b010)
    words[5] = words[5] & 0xFF00FF | 0x00CD00
    assert [await read(dut, address) for address in range(DEPTH)] == words
    assert int(dut.read_data.value) == words[-1], "what was read holds"


@cocotb.test
async def what_was_not_written_since_the_reset_differs_at_every_read(dut):
    await drive.reset(dut)
    await write(dut, 3, 0x123456)
    await write(dut, 4, 0xABCDEF, granules=0b100)
    assert {await read(dut, 3) for _ in range(8)} == {0x123456}
    partial = np.array([await read(dut, 4) for _ in range(8)])
    assert set(partial >> 16) == {0xAB} and len(set(partial & 0xFFFF)) == 8
    assert len({await read(dut, 2) for _ in range(8)}) == 8
    dut.rst.value = 1
    await drive.ticks(dut, 1)
    dut.rst.value = 0
    assert len({await read(dut, 3) for _ in range(8)}) == 8


@cocotb.test
async def a_word_that_is_being_written_differs_at_every_read(dut):
    await drive.reset(dut)
    dut.read_en.value, dut.read_addr.value = 1, 7
    seen = set()
    for _ in range(10):
        await write(dut, 7, 0x123456, granules=0b001)
        seen.add(int(dut.read_data.value))
    assert len(seen) >= 9


def test_poisoned_sram():
    sram = Sram(width=WIDTH, depth=DEPTH, granules=GRANULES)
    bench.run(bench.build(sram, "sram", poison=True), __name__)
