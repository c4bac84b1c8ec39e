"""Bytes cut out of words: every offset and length, answers, stalls, speed."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from hw.memory.aligner import Aligner, aligned_layout, cut_layout
from hw.memory.work import UNDER_WAY
from sim_tests import bench, drive

LENGTH_BITS = 12


def draw_cuts(rng, count):
    """Draw cuts, with every offset and many short ones."""
    size, unit = (drive.parameters()[name] for name in ("data_bytes", "unit_bytes"))
    return {"offset": np.resize(unit * rng.permutation(size // unit), count),
            "length": np.where(rng.random(count) < 0.6, rng.integers(1, 3 * size, count),
                               rng.integers(1, 20 * size, count))
            + (rng.random(count) < 0.02) * rng.integers(0, (1 << LENGTH_BITS) - 20 * size, count),
            "last": rng.integers(0, 2, count), "index": rng.integers(0, UNDER_WAY, count)}


def expected_beats(cuts, rng):
    """Draw the words of cuts; return them, and each beat: its bytes, last, resp and index."""
    size = drive.parameters()["data_bytes"]
    words, beats = [], []
    for offset, length, last, index in zip(*cuts.values(), strict=True):
        count = -(-(offset + length) // size)
        octets = rng.bytes(int(count * size))
        answers = rng.choice([0, 0, 0, 2, 3], count)
        for at in range(count):
            words.append(int.from_bytes(octets[at * size : (at + 1) * size], "little")
                         | int(answers[at]) << 8 * size)
        for at in range(0, length, size):
            part = octets[offset + at : offset + min(at + size, length)]
            # A beat waits for the next word where it may need it.
            touched = answers[at // size : at // size + (2 if offset else 1)]
            beats.append((part, bool(last) and at + size >= length, int(max(touched)), int(index)))
    return words, beats


def kept_of(word):
    """Give a beat without the bytes that are not kept, which mean nothing."""
    size = drive.parameters()["data_bytes"]
    keep = aligned_layout(size).from_bits(word)["keep"]
    dropped = sum(0xFF << 8 * byte for byte in range(size) if not keep >> byte & 1)
    return word & ~dropped


async def align(dut, cuts, rng, idle=0.0, stall=0.0):
    """Send cuts and words, compare every beat, and return the cycles they took."""
    size = drive.parameters()["data_bytes"]
    words, expected = expected_beats(cuts, rng)
    cut_words = drive.pack(cut_layout(data_bytes=size, length_bits=LENGTH_BITS), cuts)
    layout, start = aligned_layout(size), drive.cycle()
    received, *_ = await gather(
        drive.receive(dut, "o", len(expected), stall, of_word=kept_of),
        drive.send(dut, "cuts", cut_words, idle),
        drive.send(dut, "words", words, idle))
    cycles = drive.cycle() - start
    for number, (word, (part, last, resp, index)) in enumerate(
            zip(received, expected, strict=True)):
        beat = layout.from_bits(word)
        octets = beat["data"].to_bytes(size, "little")[: len(part)]
        assert (octets, beat["keep"], beat["last"], beat["resp"], beat["index"]) == (
            part, (1 << len(part)) - 1, int(last), resp, index), f"beat {number}"
    await drive.ticks(dut, 5)
    assert not int(dut.o__valid.value), "a beat too many"
    return cycles, len(words)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def cuts_at_every_offset(dut, idle, stall):
    await drive.reset(dut)
    rng = drive.rng()
    await align(dut, draw_cuts(rng, drive.amount(200, 2_000)), rng, idle, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    rng = drive.rng()
    await align(dut, draw_cuts(rng, 40), rng, **{side: drive.LongPause(11, 300)})


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def takes_a_word_each_cycle(dut):
    await drive.reset(dut)
    rng = drive.rng()
    cycles, words = await align(dut, draw_cuts(rng, 100), rng)
    assert cycles <= words + 2, f"{cycles} cycles for {words} words"


@pytest.mark.parametrize(("data_bytes", "unit_bytes"), [(4, 1), (32, 2), (32, 4)])
def test_aligner(data_bytes, unit_bytes):
    sizes = {"data_bytes": data_bytes, "unit_bytes": unit_bytes}
    bench.simulate(Aligner(length_bits=LENGTH_BITS, **sizes), __name__,
                   f"aligner_{data_bytes}_{unit_bytes}", parameters=sizes)


def test_refuses_lengths_of_few_bits():
    with pytest.raises(ValueError, match="lengths need more than the 5 bits of an offset, not 5"):
        Aligner(data_bytes=32, length_bits=5, unit_bytes=2)
