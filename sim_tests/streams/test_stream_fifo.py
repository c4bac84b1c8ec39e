"""The queues in SRAM: order, capacity, latency, speed; reads of what is written are poisoned."""

import cocotb
import pytest
from amaranth import unsigned
from cocotb.triggers import gather

from hw.streams.memory_fifo import MemoryFIFO
from hw.streams.stream_fifo import StreamFIFO
from sim_tests import bench, drive

WIDTH = 80


def draw_words(count):
    """Draw words; equal neighbours would hide a lost or a repeated one."""
    rng = drive.rng("words")
    return [index << 64 | int(rng.integers(1 << 63)) for index in range(count)]


async def transfer(dut, words, idle, stall):
    """Send and receive words, and return the cycles it took."""
    start = drive.cycle()
    _, received = await gather(
        drive.send(dut, "i", words, idle), drive.receive(dut, "o", len(words), stall))
    cycles = drive.cycle() - start
    wrong = [at for at, pair in enumerate(zip(received, words, strict=True)) if pair[0] != pair[1]]
    assert not wrong, (f"word {wrong[0]} of {len(words)} is {received[wrong[0]]:#x}, "
                       f"not {words[wrong[0]]:#x} (idle={idle}, stall={stall})")
    return cycles


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def keeps_the_order(dut, idle, stall):
    await drive.reset(dut)
    await transfer(dut, draw_words(drive.amount(250, 5_000)), idle, stall)


@cocotb.test
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    pauses = {"idle": 0.0, "stall": 0.0} | {side: drive.LongPause(20, 300)}
    await transfer(dut, draw_words(100), **pauses)


@cocotb.test
async def takes_depth_words_and_stops_when_full(dut):
    await drive.reset(dut)
    capacity, words = drive.parameters()["capacity"], draw_words(64)
    sender = cocotb.start_soon(drive.send(dut, "i", words))
    await drive.ticks(dut, 2 * len(words))
    assert not sender.done() and not int(dut.i__ready.value), "a full queue still takes words"
    received = await drive.receive(dut, "o", 1)
    await drive.ticks(dut, 20)
    assert not int(dut.i__ready.value), "more than one word entered where one left"
    received += await drive.receive(dut, "o", len(words) - 1)
    assert received == words
    await drive.ticks(dut, 20)
    assert not int(dut.o__valid.value), "a word too many"

    # Count what an empty queue takes.
    taken, dut.i__valid.value = 0, 1
    for _ in range(4 * capacity + 40):
        await drive.ticks(dut, 1)
        taken += int(dut.i__ready.value)
    assert taken == capacity, f"{taken} words"


@cocotb.test
async def hands_a_word_out_after_its_latency_and_then_one_per_cycle(dut):
    await drive.reset(dut)
    latency, count = drive.parameters()["latency"], 100
    assert await transfer(dut, draw_words(1), 0.0, 0.0) == 1 + latency
    cycles = await transfer(dut, draw_words(count), 0.0, 0.0)
    if drive.parameters()["depth"] > 1:  # a single word is either written or read
        assert cycles == count + latency, f"{count} words took {cycles} cycles"


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("kind", [MemoryFIFO, StreamFIFO])
def test_stream_fifo(kind, depth):
    queue = kind(unsigned(WIDTH), depth=depth)
    bench.simulate(queue, __name__, f"{kind.__name__.lower()}_{depth}", parameters={
        "depth": depth, "capacity": queue.capacity, "latency": queue.latency})
