"""Segments to words over a bus: every offset and length, reordering, errors, room, speed."""

import itertools

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather
from cocotbext.axi import AxiRamRead, AxiReadBus

from hw.memory.axi4 import OUTSIDE, PAGE_BYTES, SLVERR, segment_layout
from hw.memory.bus_reader import BusReader
from hw.memory.read_channel import word_layout
from sim_tests import bench, drive
from sim_tests.memory.windows import set_window

SIZE = 1 << 16
SIZES = {"address_bits": 40, "length_bits": 10, "data_bytes": 32, "burst_beats": 8}
INSIDE = {"address_bits": SIZES["address_bits"] + 1, "length_bits": SIZES["length_bits"]}
CHANNELS = 3


async def begin(dut, **window):
    """Reset, and open the window."""
    await drive.reset(dut)
    set_window(dut, SIZES["address_bits"], **window)


class Ram(AxiRamRead):
    """A memory whose bytes are drawn, and which takes pauses."""

    def __init__(self, dut, pause=0.0):
        super().__init__(AxiReadBus.from_prefix(dut, "bus_"), dut.clk, dut.rst, size=SIZE)
        self.write(0, drive.rng("ram").bytes(SIZE))
        for number, channel in enumerate((self.read_if.ar_channel, self.read_if.r_channel)
                                         if hasattr(self, "read_if") else
                                         (self.ar_channel, self.r_channel)):
            if pause:
                flips = drive.rng(f"pause {number}")
                channel.set_pause_generator(bool(flips.random() < pause)
                                            for _ in itertools.count())


class Rules:
    """Follow the address channel: what a manager may never do, and what it asks for.

    Attributes
    ----------
    bursts : list of (int, int, int)
        ID, address and beats of each.
    most_owed : int
        Beats that were asked for and had not come.
    """

    def __init__(self, dut):
        self.dut, self.bursts, self.owed, self.most_owed = dut, [], 0, 0

    async def follow(self):
        """Watch for ever."""
        dut, names, before = self.dut, ("araddr", "arlen", "arid", "arsize", "arburst"), None
        while True:
            await drive.ticks(dut, 1)
            offer = tuple(int(getattr(dut, f"bus__{name}").value) for name in names)
            is_valid = int(dut.bus__arvalid.value)
            assert before is None or (is_valid and offer == before), "an address did not stay"
            before = offer if is_valid and not int(dut.bus__arready.value) else None
            if is_valid and before is None:
                address, beats, number = offer[0], offer[1] + 1, offer[2]
                size = SIZES["data_bytes"]
                assert address % size == 0 and offer[3:] == (size.bit_length() - 1, 1)
                assert address // PAGE_BYTES == (address + beats * size - 1) // PAGE_BYTES
                assert beats <= SIZES["burst_beats"]
                self.bursts.append((number, address, beats))
                self.owed += beats
            self.owed -= int(dut.bus__rvalid.value) and int(dut.bus__rready.value)
            self.most_owed = max(self.most_owed, self.owed)
            assert int(dut.bus__rready.value), "an answer was refused"


def draw_segments(rng, count, longest=700):
    """Draw segments of any address and length, some of them about the ends of pages.

    The memory comes again at every multiple of its size.
    """
    address = rng.integers(0, SIZE - longest, count)
    near = rng.random(count) < 0.3
    address[near] = (rng.integers(1, SIZE // PAGE_BYTES - 1, near.sum()) * PAGE_BYTES
                     - rng.integers(0, 300, near.sum()))
    length = np.where(rng.random(count) < 0.5, rng.integers(1, 40, count),
                      rng.integers(1, longest, count))
    return address + SIZE * rng.integers(0, (1 << SIZES["address_bits"]) // SIZE, count), length


def words_of(ram, address, length):
    """Return the words that a segment touches."""
    size = SIZES["data_bytes"]
    first = address // size * size
    data = ram.read(first % SIZE, -(-(address + length) // size) * size - first)
    return [int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]


async def bring(dut, ram, segments, stalls):
    """Read the segments of each channel, compare every word, and return the cycles it took."""
    rules = Rules(dut)
    cocotb.start_soon(rules.follow())
    layout = segment_layout(**INSIDE)
    start = drive.cycle()

    async def one(number, address, length, stall):
        words = drive.pack(layout, {"address": address, "length": length})
        expected = [word for each in zip(address, length, strict=True)
                    for word in words_of(ram, *map(int, each))]
        cocotb.start_soon(drive.send(dut, f"segments_{number}", words))
        came = await drive.receive(dut, f"o_{number}", len(expected), stall)
        assert came == expected, f"channel {number}"

    await gather(*(one(number, *each, stall)
                   for number, (each, stall) in enumerate(zip(segments, stalls, strict=True))))
    cycles = drive.cycle() - start
    await drive.ticks(dut, 30)
    assert not any(int(getattr(dut, f"o_{number}__valid").value) for number in range(CHANNELS))
    assert not int(dut.owes.value)
    return cycles, rules


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(pause=[0.0, 0.5], stall=[0.0, 0.5])
async def brings_every_segment(dut, pause, stall):
    await begin(dut)
    ram, rng = Ram(dut, pause), drive.rng()
    segments = [draw_segments(rng, drive.amount(40, 400)) for _ in range(CHANNELS)]
    await bring(dut, ram, segments, [stall] * CHANNELS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_channel_that_stands_still_stops_no_other(dut):
    await begin(dut)
    ram, rng = Ram(dut), drive.rng()
    segments = [draw_segments(rng, 40) for _ in range(CHANNELS)]
    stalls = [drive.LongPause(5, 3_000), 0.0, 0.0]
    await bring(dut, ram, segments, stalls)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def asks_for_no_more_than_it_has_room_for(dut):
    await begin(dut)
    ram, rules = Ram(dut), Rules(dut)
    cocotb.start_soon(rules.follow())
    layout = segment_layout(**INSIDE)
    words = drive.pack(layout, {"address": np.zeros(20, int), "length": np.full(20, 500)})
    cocotb.start_soon(drive.send(dut, "segments_1", words))
    await drive.ticks(dut, 500)
    asked = sum(beats for _, _, beats in rules.bursts)
    depth = drive.parameters()["depths"][1]
    assert depth - SIZES["burst_beats"] < asked <= depth
    received = await drive.receive(dut, "o_1", 20 * -(-500 // SIZES["data_bytes"]))
    assert received == words_of(ram, 0, 500) * 20


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def brings_a_word_each_cycle(dut):
    await begin(dut)
    ram = Ram(dut)
    long = (np.arange(32) * 1024, np.full(32, 1008))
    little = (np.zeros(1, int), np.ones(1, int))
    cycles, _ = await bring(dut, ram, [little, long, little], [0.0] * CHANNELS)
    words = 32 * 1008 // SIZES["data_bytes"]
    assert cycles <= words + 40, f"{cycles} cycles for {words} words"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def takes_answers_of_other_ids_in_between(dut):
    """By hand: two bursts of different channels, whose words come in turn, the second's first."""
    await begin(dut)
    layout = segment_layout(**INSIDE)
    dut.bus__arready.value = 1
    for number in (0, 2):
        word = drive.pack(layout, {"address": [4096 * number], "length": [4 * SIZES["data_bytes"]]})
        await drive.send(dut, f"segments_{number}", word)
    await drive.ticks(dut, 10)
    for beat in range(4):
        for number in (2, 0):
            dut.bus__rvalid.value, dut.bus__rid.value = 1, number
            dut.bus__rdata.value, dut.bus__rlast.value = 100 * number + beat, int(beat == 3)
            dut.bus__rresp.value = SLVERR if (number, beat) == (2, 1) else 0
            await drive.ticks(dut, 1)
    dut.bus__rvalid.value = 0
    shape = word_layout(SIZES["data_bytes"])
    for number in (0, 2):
        words = [shape.from_bits(word) for word in await drive.receive(dut, f"o_{number}", 4)]
        assert [word["data"] for word in words] == [100 * number + beat for beat in range(4)]
        assert [word["resp"] for word in words] == [0, SLVERR * (number == 2), 0, 0]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def serves_channels_in_turn(dut):
    await begin(dut)
    ram = Ram(dut)
    segments = [(np.arange(12) * 1024, np.full(12, 1008)) for _ in range(CHANNELS)]
    _, rules = await bring(dut, ram, segments, [0.0] * CHANNELS)
    if min(drive.parameters()["depths"]) < 64:
        return  # what has less room asks less often
    served = [sum(number == channel for number, _, _ in rules.bursts[:60])
              for channel in range(CHANNELS)]
    assert served == [20] * CHANNELS


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(pause=[0.0, 0.5])
async def nothing_outside_of_the_window_is_asked_for(dut, pause):
    """But answered, in order, and said to be so; addresses do not begin again at 0."""
    first, end, last = 3, 11, 1 << SIZES["address_bits"]
    await begin(dut, first=first, end=end)
    ram, rng, size = Ram(dut, pause), drive.rng(), SIZES["data_bytes"]
    rules = Rules(dut)
    cocotb.start_soon(rules.follow())

    async def one(number):
        address, length = draw_segments(rng, drive.amount(60, 600))
        near = rng.random(len(address)) < 0.7
        address[near] %= SIZE
        edges = np.array([first * PAGE_BYTES, end * PAGE_BYTES, last, 2 * last - 700])
        at_edge = rng.random(len(address)) < 0.3
        address[at_edge] = rng.choice(edges, at_edge.sum()) - rng.integers(0, 700, at_edge.sum())
        segments = drive.pack(segment_layout(**INSIDE), {"address": address, "length": length})
        cocotb.start_soon(drive.send(dut, f"segments_{number}", segments))
        places = [at for start, bytes_ in zip(address, length, strict=True)
                  for at in range(int(start) // size * size, int(start + bytes_), size)]
        came = await drive.receive(dut, f"o_{number}", len(places), 0.2)
        found = [(word & (1 << 8 * size) - 1, word >> 8 * size) for word in came]
        for at, (data, resp) in zip(places, found, strict=True):
            inside = first <= at // PAGE_BYTES < end
            assert resp == (0 if inside else OUTSIDE), f"{at:#x}"
            assert not inside or [data] == words_of(ram, at, 1), f"{at:#x}"

    await gather(*(one(number) for number in range(CHANNELS)))
    await drive.ticks(dut, 30)
    assert not int(dut.owes.value)
    assert rules.bursts
    assert all(first <= address // PAGE_BYTES < end for _, address, _ in rules.bursts)


@pytest.mark.parametrize("depths, outstanding", [((16, 40, 8), 4), ((64, 64, 64), 32)])
def test_bus_reader(depths, outstanding):
    reader = BusReader(depths=depths, outstanding=outstanding, **SIZES)
    bench.simulate(reader, __name__, f"bus_reader_{depths[0]}", parameters={"depths": depths})


@pytest.mark.parametrize("wrong", [{"burst_beats": 512}, {"data_bytes": 64, "burst_beats": 128}])
def test_refuses_bursts_that_axi4_does_not_have(wrong):
    with pytest.raises(ValueError, match="a burst has 1 to 256 beats and at most 4096 bytes"):
        BusReader(depths=[1024], outstanding=4, **(SIZES | wrong))


def test_refuses_a_queue_without_room_for_a_burst():
    with pytest.raises(ValueError, match="a queue of 4 words has no room for a burst of 8"):
        BusReader(depths=[4], outstanding=4, **SIZES)
