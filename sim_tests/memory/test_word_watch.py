"""Words that others write: counts about their wrap, every place of a word, how often one looks."""

import cocotb
import pytest

from golden.memory.descriptor import WORD_BYTES
from hw.memory.axi4 import OKAY, segment_layout
from hw.memory.read_channel import word_layout
from hw.memory.word_watch import PAUSE, WordWatch, watch_layout
from hw.memory.work import COUNT_BITS
from sim_tests import bench, drive

SIZES = {"address_bits": 41, "length_bits": 24}
COUNTS = 1 << COUNT_BITS
HALF = COUNTS // 2
AHEAD = (0, 1, HALF - 1, *(1 << bit for bit in range(1, COUNT_BITS - 1)))
"""How far ahead of its count a word has come."""

LIMIT = 20_000


class Watched:
    """Whoever asks for a word, and the bus that brings it.

    Attributes
    ----------
    looks : list of int
        The cycles in which the bus took that it was asked.
    waits : int
        What `waits` says: the last look found that the word had not come.
    """

    def __init__(self, dut, rng, stall=0.0):
        self.dut, self.rng, self.stall = dut, rng, stall
        self.waits, self.size = 0, drive.parameters()["data_bytes"]
        self.looks, self.answers = [], []

    def _word(self, address, value, resp):
        """Give a word of the bus, everything else in it garbage."""
        at = address % self.size // WORD_BYTES * 8 * WORD_BYTES
        data = int.from_bytes(self.rng.bytes(self.size), "little")
        data = data & ~(COUNTS - 1 << at) | value << at
        word = word_layout(self.size).const({"data": data, "resp": resp})
        return word.as_value().value

    def _garbage(self, port):
        """Put anything on a port, which nobody looks at."""
        bits = int.from_bytes(self.rng.bytes(len(port) // 8 + 1), "little")
        port.value = bits & (1 << len(port)) - 1

    async def _step(self):
        """Go on a cycle, in which `waits` is what it has to be."""
        await drive.ticks(self.dut, 1)
        assert int(self.dut.waits.value) == self.waits

    async def _pause(self):
        """Let some cycles go by, in which nothing is taken or answered."""
        while self.rng.random() < self.stall:
            await self._step()

    async def ask(self, address, count, values):
        """Watch a word that is found to be each of some (value, resp); the last ends it."""
        dut = self.dut
        watch = watch_layout(address_bits=SIZES["address_bits"]).const(
            {"address": address, "count": count}).as_value().value
        dut.i__valid.value, dut.i__payload.value = 1, watch
        for number, (value, resp) in enumerate(values):
            await self._asked(address)
            self._garbage(dut.words__payload)
            await self._pause()
            dut.words__valid.value = 1
            dut.words__payload.value = self._word(address, value, resp)
            await self._step()
            assert int(dut.words__ready.value) and not int(dut.segments__valid.value)
            is_last = number == len(values) - 1
            assert int(dut.i__ready.value) == is_last, f"{value:#x}, {resp} for {count:#x}"
            if is_last:
                assert int(dut.resp.value) == resp
            self.answers.append(drive.cycle())
            self.waits = int(not is_last)
            dut.words__valid.value = 0
            self._garbage(dut.words__payload)
        dut.i__valid.value = 0
        self._garbage(dut.i__payload)

    async def _asked(self, address):
        """Wait until the word is asked for; take it at once, or keep it waiting."""
        dut = self.dut
        for _ in range(LIMIT):
            await self._step()
            assert not int(dut.i__ready.value) and not int(dut.words__ready.value)
            if int(dut.segments__valid.value):
                break
        else:
            raise AssertionError("the word is not asked for")
        layout, is_taken = segment_layout(**SIZES), False
        while not is_taken:
            is_taken = bool(self.rng.random() >= self.stall)
            dut.segments__ready.value = int(is_taken)
            await self._step()
            assert int(dut.segments__valid.value)
            segment = layout.from_bits(int(dut.segments__payload.value))
            assert (segment["address"], segment["length"]) == (address, WORD_BYTES)
        dut.segments__ready.value = 0
        self.looks.append(drive.cycle())


def draw_address(rng):
    return WORD_BYTES * int(rng.integers(1 << SIZES["address_bits"] - 2))


def draw_count(rng):
    return int(rng.choice([0, 1, HALF - 1, HALF, COUNTS - 1, int(rng.integers(COUNTS))]))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def a_count_has_come_up_to_half_of_all_later(dut, stall):
    await drive.reset(dut)
    rng = drive.rng()
    watched = Watched(dut, rng, stall)
    for ahead in AHEAD:
        for _ in range(2):
            count = draw_count(rng)
            behind = [(count - 1 - int(late)) % COUNTS
                      for late in (ahead % HALF, rng.integers(HALF))]
            await watched.ask(draw_address(rng), count, [
                *((value, OKAY) for value in behind[: int(rng.integers(3))]),
                ((count + ahead) % COUNTS, OKAY)])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_place_of_a_word_of_the_bus_is_watched(dut):
    await drive.reset(dut)
    rng = drive.rng()
    watched = Watched(dut, rng)
    for place in range(watched.size // WORD_BYTES):
        for bit in range(2, SIZES["address_bits"]):
            address = (1 << bit) // watched.size * watched.size + WORD_BYTES * place
            count = draw_count(rng)
            late = [((count - 1) % COUNTS, OKAY)] if bit % 8 == 2 else []
            await watched.ask(address, count, [*late, (count, OKAY)])


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(resp=[1, 2, 3])
async def an_error_ends_it_whatever_the_word_is(dut, resp):
    await drive.reset(dut)
    rng = drive.rng()
    watched = Watched(dut, rng)
    for early in range(3):
        for behind in (1, HALF, 0):
            count = draw_count(rng)
            await watched.ask(draw_address(rng), count, [
                *[((count - 1) % COUNTS, OKAY)] * early, ((count - behind) % COUNTS, resp)])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def looks_again_after_a_pause_and_no_earlier(dut):
    await drive.reset(dut)
    rng = drive.rng()
    watched = Watched(dut, rng)
    for _ in range(3):
        await watched.ask(draw_address(rng), 7, [(6, OKAY)] * 4 + [(7, OKAY)])
    for at in range(len(watched.looks) - 1):
        apart = watched.looks[at + 1] - watched.answers[at]
        if at % 5 == 4:  # of another word: at once
            assert apart == 2
        else:  # a cycle in which it is on offer, and one in which it is taken
            assert apart == PAUSE + 1
    asked = len(watched.looks)
    for _ in range(2 * PAUSE):  # nothing is to be watched
        await watched._step()
        assert not int(dut.segments__valid.value) and not int(dut.words__ready.value)
    assert asked == len(watched.looks) == 15


@pytest.mark.parametrize("data_bytes", [8, 32, 64])
def test_word_watch(data_bytes):
    bench.simulate(WordWatch(data_bytes=data_bytes, **SIZES), __name__, f"word_watch_{data_bytes}",
                   parameters={"data_bytes": data_bytes})
