"""Both buffers of a stalled stream: order, speed, latency, and ``ready`` from a register."""

import cocotb
import pytest
from amaranth import unsigned
from cocotb.triggers import Timer, gather

from hw.streams.skid_buffer import SkidBuffer
from hw.streams.stream_buffer import StreamBuffer
from sim_tests import bench, drive

WIDTH = 1024
"""More than any stream of the machines in the benches."""


def draw_words(count):
    """Draw words, all different ones: equal ones would hide a lost or a repeated one."""
    rng = drive.rng("words")
    return [int.from_bytes(rng.bytes(WIDTH // 8), "little") for _ in range(count)]


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def keeps_the_order(dut, idle, stall):
    await drive.reset(dut)
    words = draw_words(drive.amount(250, 5_000))
    start = drive.cycle()
    _, received = await gather(
        drive.send(dut, "i", words, idle), drive.receive(dut, "o", len(words), stall))
    assert received == words, "words were lost, repeated or changed"
    if not idle and not stall:
        cycles = drive.cycle() - start
        expected = len(words) + drive.parameters()["latency"]
        assert cycles == expected, f"{len(words)} words took {cycles} cycles, not {expected}"


@cocotb.test
async def holds_no_more_than_its_places(dut):
    await drive.reset(dut)
    places = drive.parameters()["places"]
    taken, dut.i__valid.value, dut.o__ready.value = 0, 1, 0
    for _ in range(places + 5):
        await drive.ticks(dut, 1)
        taken += int(dut.i__ready.value)
    assert taken == places, f"{taken} words were taken where {places} have a place"


@cocotb.test
async def no_ready_waits_for_the_other_side(dut):
    await drive.reset(dut)
    rng = drive.rng("readies")
    dut.i__valid.value = 1
    for _ in range(200):
        dut.o__ready.value = int(rng.integers(2))
        await drive.ticks(dut, 1)
        seen = []
        for ready in (0, 1):
            dut.o__ready.value = ready
            await Timer(1, "step")
            seen.append(int(dut.i__ready.value))
        assert seen[0] == seen[1], "i.ready depends on o.ready in the same cycle"


@pytest.mark.parametrize(("component", "latency", "places"),
                         [(SkidBuffer, 0, 1), (StreamBuffer, 1, 2)])
def test_skid_buffer(component, latency, places):
    bench.simulate(component(unsigned(WIDTH)), __name__, component.__name__.lower(),
                   parameters={"latency": latency, "places": places})
