"""Words to bursts on a bus: every byte, the longest bursts, answers, stalls, speed."""

import cocotb
import numpy as np
import pytest

from hw.memory.axi4 import OUTSIDE, PAGE_BYTES
from hw.memory.work import store_layout
from hw.memory.write_port import WritePort
from sim_tests import bench, drive
from sim_tests.memory.slave import Manners, Slave
from sim_tests.memory.windows import set_window

SIZES = {"address_bits": 40, "data_bytes": 16}
INSIDE = SIZES | {"address_bits": SIZES["address_bits"] + 1}
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


def memory_of(words, window=(0, None)):
    """Write words one after the other, those in a window."""
    memory, size = np.full(SIZE, 0xA5, np.uint8), SIZES["data_bytes"]
    for word in words:
        if not is_in(window, word["word"] * size):
            continue
        octets = word["data"].to_bytes(size, "little")
        for byte in range(size):
            if word["strobes"] >> byte & 1:
                memory[(word["word"] * size + byte) % SIZE] = octets[byte]
    return memory


def is_in(window, address):
    """Tell whether an address lies in some pages."""
    first, end = window
    end = (1 << SIZES["address_bits"]) // PAGE_BYTES if end is None else end
    return first <= address // PAGE_BYTES < end


async def store(dut, words, manners=GENTLE, idle=0.0, errors=None, window=(0, None), held=0.0,
                spoilt=0, written=None):
    """Send words, compare all of memory, and return the cycles and what was seen.

    No answer may come in a share of the cycles. Those of the words that are written may be named.
    """
    await drive.reset(dut)
    set_window(dut, SIZES["address_bits"], *window)
    dut.spoilt.value = spoilt
    flips = drive.rng("held")
    memory = np.full(SIZE, 0xA5, np.uint8)
    slave = Slave(dut, memory, dut.clk, manners, errors, base=None)
    cocotb.start_soon(slave.run())
    layout = store_layout(**INSIDE)
    ended, answers, begin = 0, [], drive.cycle()
    sending = cocotb.start_soon(drive.send(
        dut, "i", [layout.const(word).as_value().value for word in words], idle))
    wanted = sum(word["ends"] for word in words)
    while ended < wanted:
        holds = flips.random() < held
        dut.holds.value = int(holds)
        await drive.ticks(dut, 1)
        assert not holds or (not int(dut.answered.value) and not int(dut.ended.value))
        ended += int(dut.ended.value)
        if int(dut.answered.value):
            answers.append(int(dut.resp.value))
        assert drive.cycle() - begin < 100_000, f"{ended} of {wanted} commands have ended"
    cycles = drive.cycle() - begin
    dut.holds.value = 0
    await sending
    await drive.ticks(dut, 30)
    assert slave.is_idle and not int(dut.owes.value)
    turned_away = answers.count(OUTSIDE)
    assert spoilt or len(answers) - turned_away == len(slave.seen.writes)
    if errors is None:
        drive.compare(memory, memory_of(written or words, window), "memory")
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
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def no_answer_comes_while_none_may(dut, manners):
    rng = drive.rng()
    words = stores_of(rng, draw_runs(rng, 60), 0.3)
    await store(dut, words, manners, window=(1, 3), held=0.5)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE], idle=[0.0, 0.5])
async def nothing_outside_of_the_window_is_written(dut, manners, idle):
    """Each of its bursts is answered in its place, and addresses do not begin again at 0."""
    rng, size = drive.rng(), SIZES["data_bytes"]
    first, length = draw_runs(rng, drive.amount(80, 800))
    near = rng.random(len(first)) < 0.8
    first[near] %= SIZE // size
    beyond = rng.random(len(first)) < 0.1
    first[beyond] += (1 << SIZES["address_bits"]) // size
    words = stores_of(rng, (first, length), 0.2)
    window = (1, 3)
    _, seen, answers = await store(dut, words, manners, idle, window=window)
    assert seen.writes and all(is_in(window, address) for address, _ in seen.writes)
    assert set(answers) == {0, OUTSIDE}


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def a_word_that_goes_after_all_others_waits_for_their_answers(dut, manners):
    """And is a burst by itself, also where it follows another one."""
    rng, size = drive.rng(), SIZES["data_bytes"]
    words = stores_of(rng, draw_runs(rng, 60), 0.2)
    after = [number for number in range(len(words)) if rng.random() < 0.1]
    for number in after:
        words[number] |= {"after": 1, "ends": int(rng.integers(2))}
    words[-1]["ends"] = 1
    _, seen, _ = await store(dut, words, manners)
    burst, waited = -1, []
    bursts = iter(seen.writes)
    left = 0
    for word in words:
        if not left:
            burst, (address, left) = burst + 1, next(bursts)
            place = address
        assert place == word["word"] * size
        if word.get("after"):
            assert address == place and left == 1
            waited.append(seen.waiting[burst])
        place, left = place + size, left - 1
    assert len(waited) == len(after) > 5 and not any(waited)
    assert any(seen.waiting)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def a_spoilt_word_does_not_go_after_the_others(dut, manners):
    """It is answered all the same, and nothing else is dropped."""
    rng = drive.rng()
    words = stores_of(rng, draw_runs(rng, 40), 0.2)
    dropped = {number for number in range(len(words)) if rng.random() < 0.1}
    for number in dropped:
        words[number] |= {"after": 1, "ends": int(rng.integers(2))}
    words[-1]["ends"] = 1
    left = [word for number, word in enumerate(words) if number not in dropped]
    _, seen, answers = await store(dut, words, manners, spoilt=1, written=left)
    assert not any(answers) and len(answers) == len(seen.writes) + len(dropped)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_lonely_word_does_not_wait_for_ever(dut):
    await drive.reset(dut)
    set_window(dut, SIZES["address_bits"])
    memory = np.full(SIZE, 0xA5, np.uint8)
    slave = Slave(dut, memory, dut.clk)
    cocotb.start_soon(slave.run())
    word = store_layout(**INSIDE).const({"word": 3, "data": 7, "strobes": 1, "ends": 0})
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
