"""Words to bursts on a bus: every byte, the longest bursts, answers, stalls, speed."""

import cocotb
import numpy as np
import pytest

from hw.memory.work import store_layout
from hw.memory.write_port import WritePort
from sim_tests import bench, drive
from sim_tests.memory.slave import Manners, Slave

SIZES = {"address_bits": 40, "data_bytes": 16}
BEATS, SIZE = 8, 1 << 14

GENTLE = Manners()
HOSTILE = Manners(write_latency=50, jitter=40, pause=0.4)
BACKWARDS = Manners(write_latency=9, data_first=True, pause=0.2)


def draw_runs(rng, count):
    """Draw runs of words that follow each other: their first words and lengths.

    The memory comes again at every multiple of its size.
    """
    length = np.where(rng.random(count) < 0.5, rng.integers(1, 4, count),
                      rng.integers(1, 40, count))
    words = SIZE // SIZES["data_bytes"]
    times = rng.integers(0, (1 << SIZES["address_bits"]) // SIZE, count)
    return rng.integers(0, words - 40, count) + words * times, length


def stores_of(rng, runs, share):
    """Make the words of runs; after a share of them a command ends."""
    words, size = [], SIZES["data_bytes"]
    for first, length in zip(*runs, strict=True):
        ends = rng.random() < share
        for at in range(length):
            some = int(rng.integers(1, 1 << size)) if rng.random() < 0.3 else (1 << size) - 1
            words.append({"word": int(first + at), "strobes": some,
                          "data": int.from_bytes(rng.bytes(size), "little"),
                          "ends": int(ends and at == length - 1)})
    words[-1]["ends"] = 1
    return words


def memory_of(words):
    """Write words one after the other."""
    memory, size = np.full(SIZE, 0xA5, np.uint8), SIZES["data_bytes"]
    for word in words:
        octets = word["data"].to_bytes(size, "little")
        for byte in range(size):
            if word["strobes"] >> byte & 1:
                memory[(word["word"] * size + byte) % SIZE] = octets[byte]
    return memory


async def store(dut, words, manners=GENTLE, idle=0.0, errors=None):
    """Send words, compare all of memory, and return the cycles and what was seen."""
    await drive.reset(dut)
    memory = np.full(SIZE, 0xA5, np.uint8)
    slave = Slave(dut, memory, dut.clk, manners, errors, base=None)
    cocotb.start_soon(slave.run())
    layout = store_layout(**SIZES)
    ended, answers, begin = 0, [], drive.cycle()
    sending = cocotb.start_soon(drive.send(
        dut, "i", [layout.const(word).as_value().value for word in words], idle))
    wanted = sum(word["ends"] for word in words)
    while ended < wanted:
        await drive.ticks(dut, 1)
        ended += int(dut.ended.value)
        if int(dut.answered.value):
            answers.append(int(dut.resp.value))
        assert drive.cycle() - begin < 100_000, f"{ended} of {wanted} commands have ended"
    cycles = drive.cycle() - begin
    await sending
    await drive.ticks(dut, 30)
    assert slave.is_idle and not int(dut.owes.value)
    assert len(answers) == len(slave.seen.writes)
    if errors is None:
        drive.compare(memory, memory_of(words), "memory")
    return cycles, slave.seen, answers


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE, BACKWARDS], idle=[0.0, 0.5])
async def writes_every_word(dut, manners, idle):
    rng = drive.rng()
    words = stores_of(rng, draw_runs(rng, drive.amount(60, 600)), 0.2)
    await store(dut, words, manners, idle)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bursts_are_as_long_as_they_can_be(dut):
    rng = drive.rng()
    runs = draw_runs(rng, 40)
    _, seen, _ = await store(dut, stores_of(rng, runs, 0.0))
    expected, at = [], None
    for first, length in zip(*runs, strict=True):
        for word in range(first, first + length):
            if word == at and word % BEATS:
                expected[-1] = (expected[-1][0], expected[-1][1] + 1)
            else:
                expected.append((int(word) * SIZES["data_bytes"], 1))
            at = word + 1
    assert seen.writes == expected


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(step=[1, 3])
async def a_word_each_cycle(dut, step):
    rng = drive.rng()
    words = stores_of(rng, (np.arange(300) * step, np.ones(300, int)), 0.0)
    cycles, _, _ = await store(dut, words, GENTLE)
    # Where none follows another, one that could be no more than its own burst takes two cycles.
    waits = len(words) // BEATS if step > 1 else 0
    assert cycles < len(words) + waits + 30, f"{cycles} cycles for {len(words)} words"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_lonely_word_does_not_wait_for_ever(dut):
    await drive.reset(dut)
    memory = np.full(SIZE, 0xA5, np.uint8)
    slave = Slave(dut, memory, dut.clk)
    cocotb.start_soon(slave.run())
    word = store_layout(**SIZES).const({"word": 3, "data": 7, "strobes": 1, "ends": 0})
    await drive.send(dut, "i", [word.as_value().value])
    await drive.ticks(dut, 60)
    assert slave.seen.writes == [(48, 1)] and memory[48] == 7


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def answers_come_through(dut):
    rng = drive.rng()
    words = stores_of(rng, draw_runs(rng, 30), 0.2)
    _, _, answers = await store(dut, words, HOSTILE, errors={3: 2, 5: 3, 8: 2})
    assert [(at, answer) for at, answer in enumerate(answers) if answer] == [(3, 2), (5, 3), (8, 2)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def no_more_wait_than_may(dut):
    rng = drive.rng()
    words = stores_of(rng, (rng.permutation(200)[:100] * 3, np.ones(100, int)), 0.0)
    _, seen, _ = await store(dut, words, Manners(write_latency=300))
    outstanding = drive.parameters()["outstanding"]
    assert outstanding - 1 <= seen.most_writes <= outstanding


@pytest.mark.parametrize("outstanding", [4, 32])
def test_write_port(outstanding):
    port = WritePort(burst_beats=BEATS, id_bits=2, outstanding=outstanding, **SIZES)
    bench.simulate(port, __name__, f"write_port_{outstanding}",
                   parameters={"outstanding": outstanding})
