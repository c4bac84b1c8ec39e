"""Descriptors from a ring: order, numbers, how far ahead, answers, and a new beginning."""

import cocotb
import pytest
from cocotb.queue import Queue
from cocotb.triggers import gather

from golden.memory.descriptor import BYTES
from hw.memory.axi4 import segment_layout
from hw.memory.descriptor import ADDRESS_BITS
from hw.memory.descriptor_reader import AHEAD, DescriptorReader
from sim_tests import bench, drive
from sim_tests.memory.descriptors import KNOWN, known

SIZES = {"address_bits": 40, "length_bits": 24}
COUNTS = 1 << 32
PATIENCE = 2_000
"""Cycles within which a descriptor comes."""
WRAP = COUNTS - 5
"""A count that wraps soon."""


def shown(bits):
    """Give what is handed on of a descriptor: its fields, and whether what is reserved is set.

    Of an address the bits of the bus, and one more for all above.
    """
    fields = bits & (1 << known().bits) - 1
    reserved = sum(bool(bits & mask) << place
                   for place, mask in enumerate(known().reserved.values()))
    for place in known().places.values():
        above = place + SIZES["address_bits"] - 1
        mask = (1 << place + ADDRESS_BITS) - (1 << above)
        fields = fields & ~mask | (fields & mask != 0) << above
    return fields | reserved << known().bits


class RingBench:
    """A ring in memory, the bus that brings its words, and who takes the descriptors.

    Attributes
    ----------
    taken : list of (int, int, int)
        Sequence number, bits and answer of each descriptor that came.
    expected : list of (int, int, int)
        The same, of those that were put into the ring.
    most_ahead : int
        Most descriptors that were asked for and not taken.
    """

    def __init__(self, dut, size, first, idle=0.0, stall=0.0):
        self.dut, self.rng, self.size = dut, drive.rng(f"ring {size} {first}"), size
        self.idle, self.stall = idle, stall
        self.base = 64 * int(self.rng.integers(1 << 33))
        self.slots, self.next, self.completed = {}, first, first
        self.asked, self.owed, self.most_ahead = Queue(), 0, 0
        self.taken, self.expected = [], []
        dut.base.value, dut.size_log2.value = self.base, size.bit_length() - 1
        dut.completed.value = dut.tail.value = first

    def put(self, count):
        """Put descriptors behind the tail, each where one has ended; then say so."""
        words = BYTES // drive.parameters()["data_bytes"]
        for _ in range(count):
            assert self.next - self.completed < self.size
            octets = bytearray(self.rng.bytes(BYTES))
            if self.rng.random() < 0.7:  # what one operation must not have, but for a bit
                masks = list(known().reserved.values())
                mask = masks[int(self.rng.integers(len(masks)))]
                bits = int.from_bytes(octets, "little") & ~mask
                bit = int(self.rng.integers(8 * BYTES))
                bits |= (mask >> bit & 1) << bit if self.rng.random() < 0.7 else 0
                octets = bytearray(bits.to_bytes(BYTES, "little"))
            # EXOKAY is the least of the answers that are not OKAY.
            answers = [int(self.rng.choice([0, 0, 0, 1, 2, 3])) * int(self.rng.random() < 0.2)
                       for _ in range(words)]
            self.slots[self.base + self.next % self.size * BYTES] = octets, answers
            self.expected.append((self.next % COUNTS, shown(int.from_bytes(octets, "little")),
                                  max(answers)))
            self.next += 1
        self.dut.tail.value = self.next % COUNTS

    def end_all(self):
        """Say that all that were taken have ended."""
        self.completed = self.next - len(self.expected) + len(self.taken)
        self.dut.completed.value = self.completed % COUNTS

    async def produce(self, count):
        """Put so many descriptors into the ring, some at a time, as room comes."""
        while count:
            room = min(count, self.size - (self.next - self.completed))
            if room and self.rng.random() < 0.3:
                some = int(self.rng.integers(1, room + 1))
                self.put(some)
                count -= some
            await drive.ticks(self.dut, 1)

    async def ask(self):
        """Take what is asked for, for ever."""
        layout = segment_layout(**SIZES)
        while True:
            word, = await drive.receive(self.dut, "segments", 1, self.stall, patience=1 << 40)
            segment = layout.from_bits(word)
            assert segment["length"] == BYTES
            self.owed += 1
            self.most_ahead = max(self.most_ahead, self.owed)
            self.asked.put_nowait(segment["address"])

    async def answer(self):
        """Bring the words, as they are then, for ever."""
        size = drive.parameters()["data_bytes"]
        while True:
            address = await self.asked.get()
            octets, answers = self.slots[address]
            await drive.send(self.dut, "words", [
                int.from_bytes(octets[at * size : (at + 1) * size], "little") | resp << 8 * size
                for at, resp in enumerate(answers)], self.idle)

    async def take(self, count):
        """Take descriptors; each ends at once, or with a later one."""
        dut, flips = self.dut, drive.rng("take")
        for number in range(count):
            for _ in range(PATIENCE):
                dut.o__ready.value = int(flips.random() >= self.stall)
                await drive.ticks(dut, 1)
                if int(dut.o__valid.value) and int(dut.o__ready.value):
                    break
            else:
                raise AssertionError(f"descriptor {number} does not come")
            word = int(dut.o__payload.value)
            self.owed -= 1
            bits = known().bits + len(known().reserved)  # before its answer
            self.taken.append((int(dut.number.value), word & (1 << bits) - 1, word >> bits))
            if flips.random() < 0.6 or number == count - 1 or self._is_full():
                self.end_all()
        dut.o__ready.value = 0

    def _is_full(self):
        return self.next - self.completed == self.size

    async def compare(self):
        """Compare all that came, and see that nothing else does."""
        await drive.ticks(self.dut, 20)
        assert not int(self.dut.o__valid.value) and not int(self.dut.segments__valid.value)
        for number, (got, wanted) in enumerate(zip(self.taken, self.expected, strict=True)):
            assert got == wanted, f"descriptor {number}"


async def begin(dut, ring):
    """Let the reader begin, and start those who serve it."""
    await drive.ticks(dut, 2)
    dut.enable.value = 1
    return [cocotb.start_soon(each) for each in (ring.ask(), ring.answer())]


async def fetch(dut, ring, count):
    """Pass so many descriptors through a ring."""
    await begin(dut, ring)
    await gather(ring.produce(count), ring.take(count))
    await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(size=[1, 2, 4, 8, 16], idle=[0.0, 0.5], stall=[0.0, 0.5])
async def brings_all_in_their_order(dut, size, idle, stall):
    await drive.reset(dut)
    ring = RingBench(dut, size, 11, idle, stall)
    await fetch(dut, ring, drive.amount(40, 200))
    assert ring.most_ahead <= AHEAD


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(size=[1, 8, 16])
async def goes_on_where_counts_wrap(dut, size):
    await drive.reset(dut)
    ring = RingBench(dut, size, WRAP)
    await fetch(dut, ring, 24)
    assert ring.most_ahead <= AHEAD


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    ring = RingBench(dut, 8, 3)
    serving = await begin(dut, ring)
    if side == "idle":
        serving[1].cancel()
    producing = cocotb.start_soon(ring.produce(20))
    await drive.ticks(dut, 300)
    if side == "idle":
        assert not int(dut.o__valid.value)
        cocotb.start_soon(ring.answer())
    await gather(producing, ring.take(20))
    await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(first=[0, WRAP, COUNTS - 1])
async def asks_for_as_many_ahead_and_no_more(dut, first):
    await drive.reset(dut)
    ring = RingBench(dut, 16, first)
    await begin(dut, ring)
    ring.put(12)
    await drive.ticks(dut, 300)  # nobody takes
    assert ring.owed == AHEAD
    await ring.take(1)
    await drive.ticks(dut, 200)
    assert ring.owed == AHEAD and ring.most_ahead == AHEAD
    await ring.take(11)
    await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def asks_for_nothing_beyond_the_tail(dut):
    await drive.reset(dut)
    ring = RingBench(dut, 16, 7)
    await begin(dut, ring)
    for count in (0, 1, 2):
        ring.put(count)
        await drive.ticks(dut, 300)
        assert ring.owed == count
        await ring.take(count)
    await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def begins_anew_at_what_has_ended(dut):
    """Between two rings, at other places and of other counts; nothing is on its way."""
    await drive.reset(dut)
    first, *others = 0, 9, WRAP, 1 << 31
    ring = RingBench(dut, 4, first)
    await fetch(dut, ring, 6)
    for number, count in enumerate(others):
        dut.enable.value = 0
        await drive.ticks(dut, 2)
        again = RingBench(dut, 4 << number, count)
        ring.base, ring.size, ring.slots = again.base, again.size, again.slots
        ring.next = ring.completed = count
        ring.taken, ring.expected = [], []
        await drive.ticks(dut, 2)
        assert not int(dut.segments__valid.value)
        dut.enable.value = 1
        await gather(ring.produce(6), ring.take(6))
        await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def asks_for_nothing_while_it_is_not_enabled(dut):
    await drive.reset(dut)
    ring = RingBench(dut, 4, 0)
    ring.put(3)
    for _ in range(50):
        await drive.ticks(dut, 1)
        assert not int(dut.segments__valid.value)
    await begin(dut, ring)
    await ring.take(3)
    await ring.compare()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def forgets_a_descriptor_that_nobody_took(dut):
    """All words have come; software puts another descriptor into the place of the one on offer."""
    await drive.reset(dut)
    ring = RingBench(dut, 4, 0)
    await begin(dut, ring)
    ring.put(1)
    await drive.ticks(dut, 200)
    assert int(dut.o__valid.value)
    dut.enable.value = 0
    await drive.ticks(dut, 4)
    assert not int(dut.o__valid.value), "it still offers what was to be forgotten"
    ring.next, ring.owed, ring.expected = 0, 0, []
    ring.put(1)
    await drive.ticks(dut, 2)
    dut.enable.value = 1
    await ring.take(1)
    await ring.compare()


@pytest.mark.parametrize("data_bytes", [8, 32, 64])
def test_descriptor_reader(data_bytes):
    simulate(data_bytes, "plain")


@pytest.mark.parametrize("data_bytes", [8, 32, 64])
def test_descriptor_reader_of_a_vector_unit(data_bytes):
    simulate(data_bytes, "vector")


def simulate(data_bytes, descriptor):
    reader = DescriptorReader(data_bytes=data_bytes, descriptor=KNOWN[descriptor], **SIZES)
    bench.simulate(reader, __name__, f"descriptor_reader_{descriptor}_{data_bytes}",
                   parameters={"data_bytes": data_bytes, "descriptor": descriptor})
