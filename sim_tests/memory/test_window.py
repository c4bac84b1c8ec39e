"""The window in whole pages: rounded inwards, cut off at the end of the bus, all ones."""

import cocotb
import pytest

from hw.memory.axi4 import PAGE_BITS, PAGE_BYTES, window_layout
from hw.memory.window import REGISTER_BITS, Window
from sim_tests import bench, drive

ALL = (1 << REGISTER_BITS) - 1


def pages(base, end, address_bits):
    """Give the first page that lies in the window whole, and the first behind it that does not."""
    last = (1 << address_bits) // PAGE_BYTES
    behind = last if end == ALL else end // PAGE_BYTES
    return min(-(-base // PAGE_BYTES), last), min(behind, last)


def corners(address_bits):
    """List addresses about every power of two, the last ones, and the places in a page.

    And those that lie a power of two of pages behind the end of the bus.
    """
    powers = [1 << bit for bit in range(REGISTER_BITS)]
    near = [each + off for each in powers for off in (-1, 0, 1)]
    near += [ALL - each for each in powers] + [ALL + 1 - each for each in powers] + [ALL]
    ends = [(1 << address_bits) + off for off in (-PAGE_BYTES - 1, -PAGE_BYTES, PAGE_BYTES - 1)]
    last_page = [(1 << address_bits) - PAGE_BYTES + (1 << bit) for bit in range(PAGE_BITS)]
    behind = [(1 << address_bits) + (1 << bit) + off
              for bit in range(PAGE_BITS, REGISTER_BITS) for off in (0, PAGE_BYTES - 1)]
    return [each & ALL for each in (0, *near, *ends, *last_page, *behind)]


async def compare(dut, cases):
    """Give a window in each cycle, and compare the pages of the one before."""
    address_bits = drive.parameters()["address_bits"]
    layout = window_layout(address_bits=address_bits + 1)
    before = None
    for base, end in (*cases, (0, 0)):
        dut.base.value, dut.limit.value = base, end
        await drive.ticks(dut, 1)
        seen = layout.from_bits(int(dut.pages.value))
        if before is not None:
            assert (seen["first"], seen["end"]) == pages(*before, address_bits), (
                f"base {before[0]:#x}, end {before[1]:#x}")
        before = base, end


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def rounds_inwards_at_every_corner(dut):
    await drive.reset(dut)
    rng = drive.rng()
    every = corners(drive.parameters()["address_bits"])
    mixed = [every[at] for at in rng.permutation(len(every))]
    await compare(dut, [*zip(every, reversed(every), strict=True),
                        *zip(every, mixed, strict=True)])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def takes_windows_of_any_size(dut):
    await drive.reset(dut)
    rng = drive.rng()

    def number():
        value = int.from_bytes(rng.bytes(8), "little") >> int(rng.integers(REGISTER_BITS))
        return value // PAGE_BYTES * PAGE_BYTES if rng.random() < 0.3 else value

    await compare(dut, [(number(), number()) for _ in range(drive.amount(2_000, 20_000))])


@pytest.mark.parametrize("address_bits", [40, 32, 64])
def test_window(address_bits):
    bench.simulate(Window(address_bits=address_bits), __name__, f"window_{address_bits}",
                   parameters={"address_bits": address_bits})
