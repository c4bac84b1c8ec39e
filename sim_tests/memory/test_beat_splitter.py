"""Beats to shorter ones: as many as the kept bytes need, what goes with them, speed."""

import cocotb
import pytest
from cocotb.triggers import gather

from hw.memory.aligner import aligned_layout
from hw.memory.beat_splitter import BeatSplitter
from sim_tests import bench, drive


def draw(rng, count, kept=None):
    """Draw long beats, and the short ones that they become."""
    wide, narrow = (drive.parameters()[name] for name in ("wide", "narrow"))
    sent, expected = [], []
    for _ in range(count):
        octets, size = rng.bytes(wide), kept or int(rng.integers(1, wide + 1))
        of_all = {"resp": int(rng.integers(4)), "index": int(rng.integers(8))}
        last = int(rng.integers(2))
        sent.append(_beat(wide, octets, size, last, of_all))
        for at in range(0, size, narrow):
            ends = at + narrow >= size
            expected.append(_beat(narrow, octets[at : at + narrow], min(narrow, size - at),
                                  last and ends, of_all))
    return sent, expected


def _beat(size, octets, kept, last, of_all):
    return aligned_layout(size).const({
        "data": int.from_bytes(octets, "little"), "keep": (1 << kept) - 1, "last": last,
        **of_all}).as_value().value


async def split(dut, sent, expected, idle=0.0, stall=0.0):
    """Send beats, compare what leaves, and return the cycles."""
    await drive.reset(dut)
    begin = drive.cycle()
    _, received = await gather(drive.send(dut, "i", sent, idle),
                               drive.receive(dut, "o", len(expected), stall))
    assert received == expected
    cycles = drive.cycle() - begin
    dut.o__ready.value = 1
    for _ in range(5):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value), "a beat too many"
    return cycles


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def beats_leave_in_as_many_as_they_need(dut, idle, stall):
    await split(dut, *draw(drive.rng(), drive.amount(200, 3_000)), idle, stall)


@cocotb.test
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await split(dut, *draw(drive.rng(), 40), **{side: drive.LongPause(9, 300)})


@cocotb.test
async def every_number_of_bytes(dut):
    for kept in range(1, drive.parameters()["wide"] + 1):
        await split(dut, *draw(drive.rng(), 3, kept))


@cocotb.test
async def a_short_beat_each_cycle(dut):
    sent, expected = draw(drive.rng(), 100)
    assert await split(dut, sent, expected) <= len(expected) + 2


@pytest.mark.parametrize("wide, narrow", [(8, 2), (64, 32), (4, 1)])
def test_beat_splitter(wide, narrow):
    bench.simulate(BeatSplitter(aligned_layout, wide_bytes=wide, narrow_bytes=narrow), __name__,
                   f"beat_splitter_{wide}_{narrow}",
                   parameters={"wide": wide, "narrow": narrow})
