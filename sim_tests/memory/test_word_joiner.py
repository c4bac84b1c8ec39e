"""Parts of words to words: every byte, in the order in which they come, and as few as can be."""

import cocotb
import pytest
from cocotb.triggers import gather

from hw.memory.word_joiner import WordJoiner
from hw.memory.work import store_layout
from sim_tests import bench, drive

ADDRESS_BITS = 24


def layout():
    """Give the layout of a word."""
    return store_layout(address_bits=ADDRESS_BITS, data_bytes=drive.parameters()["data_bytes"])


def draw(rng, count):
    """Draw parts of words: often several of one, sometimes the same bytes of it again."""
    size, words, place = drive.parameters()["data_bytes"], [], 0
    for _ in range(count):
        if rng.random() < 0.4:
            place = int(rng.integers(1 << ADDRESS_BITS)) // size
        words.append({"word": place, "strobes": _bits(rng, size),
                      "data": _bits(rng, 8 * size),
                      "ends": int(rng.random() < 0.1), "after": int(rng.random() < 0.1)})
    words[-1]["ends"] = 1
    return words


def _bits(rng, width):
    return int.from_bytes(rng.bytes(-(-width // 8)), "little") & (1 << width) - 1


def joined(words):
    """Join what follows each other, as the component says that it does."""
    size, found = drive.parameters()["data_bytes"], []
    for word in words:
        last = found[-1] if found else None
        if last and last["word"] == word["word"] and not (
                last["ends"] or last["after"] or word["after"]
                or last["strobes"] == (1 << size) - 1):
            octets = sum(255 << 8 * byte for byte in range(size) if word["strobes"] >> byte & 1)
            found[-1] = last | {"strobes": last["strobes"] | word["strobes"],
                                "data": last["data"] & ~octets | word["data"] & octets,
                                "ends": word["ends"]}
        else:
            found.append(dict(word))
    return found


def compared(words):
    """Give words without the bytes that are not written."""
    size = drive.parameters()["data_bytes"]
    return [word | {"data": [word["data"] >> 8 * byte & 255 for byte in range(size)
                             if word["strobes"] >> byte & 1]} for word in words]


async def join(dut, words, idle=0.0, stall=0.0):
    """Send words, compare what leaves, and return the cycles."""
    await drive.reset(dut)
    begin, expected = drive.cycle(), joined(words)
    _, received = await gather(
        drive.send(dut, "i", [layout().const(word).as_value().value for word in words], idle),
        drive.receive(dut, "o", len(expected), stall, patience=500))
    found = [{name: int(fields[name]) for name in expected[0]}
             for fields in map(layout().from_bits, received)]
    assert compared(found) == compared(expected)
    return drive.cycle() - begin


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def parts_of_a_word_leave_together(dut, idle, stall):
    await join(dut, draw(drive.rng(), drive.amount(300, 5_000)), idle, stall)


@cocotb.test
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await join(dut, draw(drive.rng(), 60), **{side: drive.LongPause(9, 300)})


@cocotb.test
async def whole_words_leave_one_each_cycle(dut):
    words = [{"word": place, "strobes": (1 << drive.parameters()["data_bytes"]) - 1,
              "data": place, "ends": int(place == 99), "after": 0} for place in range(100)]
    assert await join(dut, words) <= len(words) + 3


@pytest.mark.parametrize("data_bytes", [8, 64])
def test_word_joiner(data_bytes):
    bench.simulate(WordJoiner(address_bits=ADDRESS_BITS, data_bytes=data_bytes), __name__,
                   f"word_joiner_{data_bytes}", parameters={"data_bytes": data_bytes})
