"""AXI4 between two clocks: every channel, at many ratios, with stalls and through resets."""

import itertools
from collections import Counter

import cocotb
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, gather
from cocotb.utils import get_sim_time

from hw.memory.axi4 import axi4_signature
from hw.memory.clock_crossing import LEAST_RESET, ClockCrossing
from hw.streams.clock_queue import DEPTH, ClockQueue
from sim_tests import bench, drive
from sim_tests.memory.slave import ADDRESS

SIZES = {"address_bits": 40, "data_bytes": 8, "id_bits": 2}
PERIOD = 2_000
"""Of the manager's clock, in picoseconds."""

PERIODS = {"equal": 2_000, "a little slower": 2_014, "slower": 3_140, "much slower": 14_602,
           "a little faster": 1_986, "faster": 1_370, "much faster": 246}
"""Of the bus's clock, by how it compares; a bench has one of them."""

WIDTHS = {name: member.shape for name, member in axi4_signature(**SIZES).members.items()}
FIELDS = {"ar": ADDRESS, "r": ("data", "resp", "last", "id"), "aw": ADDRESS,
          "w": ("data", "strb", "last"), "b": ("resp", "id")}
CHANNELS, OUTWARDS = tuple(FIELDS), ("ar", "aw", "w")


class End:
    """One end of a channel, in the clock of its side.

    Parameters
    ----------
    dut : handle
    channel : str
    side : str
        "manager" or "bus".
    """

    def __init__(self, dut, channel, side):
        self.names = [f"{channel}{name}" for name in FIELDS[channel]]
        self.valid, self.ready, *self.payload = (
            getattr(dut, f"{side}__{name}")
            for name in (f"{channel}valid", f"{channel}ready", *self.names))
        self.edge = RisingEdge(dut.clk if side == "manager" else dut.bus_clk)
        self.rng = drive.rng(f"{channel} {side}")

    def words(self, count):
        """Draw payloads."""
        return [tuple(int.from_bytes(self.rng.bytes(-(-WIDTHS[name] // 8)), "little")
                      & (1 << WIDTHS[name]) - 1 for name in self.names) for _ in range(count)]

    def show(self, word):
        for port, value in zip(self.payload, word, strict=True):
            port.value = value

    async def send(self, words, pause=0.0):
        """Offer words, garbage between them; return the cycles in which one waited."""
        waited = 0
        await self.edge  # whoever calls may come at any time, this one's edge included
        for word in words:
            while pause and self.rng.random() < pause:
                self.valid.value = 0
                self.show(self.words(1)[0])
                await self.edge
            self.valid.value = 1
            self.show(word)
            await self.edge
            while not int(self.ready.value):
                waited += 1
                await self.edge
        self.valid.value = 0
        return waited

    async def receive(self, count, pause=0.0, begin=0):
        """Take words; one that waits stays what it is. Return them, and the cycles from the first.

        Parameters
        ----------
        begin : int
            Cycles before the first is taken.
        """
        words, stalled, cycles = [], None, 0
        await self.edge
        for number in itertools.count():
            takes = number >= begin and not (pause and self.rng.random() < pause)
            self.ready.value = int(takes)
            await self.edge
            is_valid = bool(int(self.valid.value))
            cycles += bool(words) or is_valid
            word = tuple(int(port.value) for port in self.payload) if is_valid else None
            assert stalled in (None, word), "an offer changed"
            stalled = None if takes else word
            if takes and is_valid:
                words.append(word)
            if len(words) == count:
                self.ready.value = 0
                return words, cycles
            assert number < 100 * (count + begin + 100), f"{len(words)} of {count} came"


def ends(dut):
    """Make source and sink of every channel."""
    return {channel: [End(dut, channel, side) for side in (
        ("manager", "bus") if channel in OUTWARDS else ("bus", "manager"))]
        for channel in CHANNELS}


def bus_period():
    """Return the period of this bench's bus."""
    return PERIODS[drive.parameters()["ratio"]]


async def begin(dut, phase=0):
    """Start the clocks, and reset both sides; return the ends of all channels."""
    channels = ends(dut)
    for source, sink in channels.values():
        source.valid.value = sink.ready.value = 0
    Clock(dut.clk, PERIOD, "ps").start()
    if phase:
        await Timer(phase, "ps")
    Clock(dut.bus_clk, bus_period(), "ps").start()
    await reset(dut)
    return channels


async def cycles(count):
    """Wait for cycles of the slower clock."""
    if count:
        await Timer(count * max(PERIOD, bus_period()), "ps")


async def reset(dut, sides=("rst", "bus_rst"), between=0):
    """Reset some sides for as long as they need, the others so much later and so much longer."""
    for side in sides:
        getattr(dut, side).value = 1
        await cycles(between)
    await cycles(LEAST_RESET)
    for side in sides:
        getattr(dut, side).value = 0
        await cycles(between)
    await cycles(8)


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def every_channel_brings_all_in_order(dut, idle, stall):
    channels = await begin(dut, phase=int(drive.rng("phase").integers(2_000)))

    async def carry(source, sink):
        words = source.words(drive.amount(100, 2_000))
        _, (received, _) = await gather(source.send(words, idle), sink.receive(len(words), stall))
        assert received == words

    await gather(*(carry(*each) for each in channels.values()))


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(phase=[0, 1, 700, 1_999])
async def a_word_in_every_cycle_of_the_slower_clock(dut, phase):
    """And whoever sends at the slower one never waits."""
    period = bus_period()
    channels = await begin(dut, phase)

    async def carry(channel, source, sink):
        words = source.words(200)
        waited, (received, taken) = await gather(source.send(words), sink.receive(len(words)))
        assert received == words
        sends_faster = (period > PERIOD) if channel in OUTWARDS else (period < PERIOD)
        if sends_faster or period == PERIOD:
            assert taken == len(words), f"{channel}: {taken} cycles"
        if not sends_faster:
            assert waited == 0, f"{channel}: waited {waited} cycles"

    await gather(*(carry(channel, *each) for channel, each in channels.items()))


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_word_is_offered_behind_the_third_edge_after_it_was_taken(dut):
    channels = await begin(dut, phase=700)
    rng = drive.rng()
    for channel, (source, sink) in channels.items():
        for word in source.words(20):
            await Timer(int(rng.integers(1, 20 * PERIOD)), "ps")
            await source.edge
            source.valid.value = 1
            source.show(word)
            await source.edge
            taken, edges = get_sim_time("ps"), 0
            source.valid.value = 0
            sink.ready.value = 1
            while not edges or not int(sink.valid.value):
                await sink.edge
                edges += get_sim_time("ps") > taken
            sink.ready.value = 0
            # An edge that falls in with the one at which it was taken may see what is behind it.
            assert 3 <= edges <= 4, f"{channel}: offered at edge {edges}"
            assert tuple(int(port.value) for port in sink.payload) == word


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(silent=list(CHANNELS))
async def a_channel_that_stands_still_keeps_its_words_and_holds_up_no_other(dut, silent):
    channels = await begin(dut)
    source, sink = channels[silent]
    words = source.words(3 * DEPTH)
    sender = cocotb.start_soon(source.send(words))
    await cycles(4 * DEPTH)
    assert not sender.done() and not int(source.ready.value)
    for channel, (other, its_sink) in channels.items():
        if channel != silent:
            sent = other.words(2 * DEPTH)
            _, (received, _) = await gather(other.send(sent), its_sink.receive(len(sent)))
            assert received == sent
    assert not int(source.ready.value)
    received, _ = await sink.receive(DEPTH + 1)
    await cycles(3 * DEPTH)
    assert not sender.done() and not int(source.ready.value), "more came in than went out"
    assert received + (await sink.receive(len(words) - DEPTH - 1))[0] == words


class Watch:
    """Send on all channels without an end, and hold all that is offered to what was sent."""

    def __init__(self, dut, channels):
        self.dut, self.channels, self.seen = dut, channels, Counter()
        self.tasks = [cocotb.start_soon(each) for channel, (source, sink) in channels.items()
                      for each in self._pair(channel, source, sink)]

    def _pair(self, channel, source, sink):
        taken = []
        return self._send(source, taken), self._receive(channel, sink, taken)

    async def _send(self, source, taken):
        word = source.words(1)[0]
        await source.edge
        while True:
            source.valid.value = 1
            source.show(word)
            await source.edge
            if int(source.ready.value):
                taken.append(word)
                word = source.words(1)[0]

    async def _receive(self, channel, sink, taken):
        await sink.edge
        while True:
            takes = sink.rng.random() < 0.7
            sink.ready.value = int(takes)
            await sink.edge
            if int(sink.valid.value):
                word = tuple(int(port.value) for port in sink.payload)
                assert taken and word == taken[0], f"{channel} offers what nobody sent, or again"
                if takes:
                    taken.pop(0)
                    self.seen[channel] += 1

    def end(self):
        for task in self.tasks:
            task.cancel()
        for source, sink in self.channels.values():
            source.valid.value = sink.ready.value = 0


RESETS = {"both": ("rst", "bus_rst"), "manager first": ("rst", "bus_rst"),
          "bus first": ("bus_rst", "rst"), "manager alone": ("rst",), "bus alone": ("bus_rst",)}


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(which=list(RESETS))
async def a_reset_drops_what_is_inside_and_invents_nothing(dut, which):
    """Until it drops all each channel offers what it was given; then it begins anew."""
    rng = drive.rng()
    channels = await begin(dut, phase=int(rng.integers(2_000)))
    for _ in range(drive.amount(6, 60)):
        watch = Watch(dut, channels)
        await cycles(int(rng.integers(20, 60)))
        await Timer(int(rng.integers(1, 2_000)), "ps")
        assert all(watch.seen[channel] for channel in CHANNELS)
        between = int(rng.integers(1, 30)) if "first" in which else 0
        sender = cocotb.start_soon(reset(dut, RESETS[which], between))
        await cycles(5)  # until both sides have noticed
        watch.end()
        await sender
        for channel, (_, sink) in channels.items():
            assert not int(sink.valid.value), f"{channel} offers something behind a reset"

        async def carry(source, sink):
            words = source.words(3 * DEPTH)
            _, (received, _) = await gather(source.send(words), sink.receive(len(words)))
            assert received == words

        await gather(*(carry(*each) for each in channels.values()))


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(side=["rst", "bus_rst"])
async def in_reset_nothing_is_taken_or_offered(dut, side):
    channels = await begin(dut)
    getattr(dut, side).value = 1
    await cycles(LEAST_RESET)
    for source, _ in channels.values():
        source.valid.value = 1
    for _ in range(20):
        await cycles(1)
        for source, sink in channels.values():
            assert not int(source.ready.value) and not int(sink.valid.value)
    for source, _ in channels.values():
        source.valid.value = 0
    getattr(dut, side).value = 0
    await cycles(8)
    assert all(int(source.ready.value) for source, _ in channels.values())


@pytest.mark.parametrize("ratio", PERIODS)
def test_clock_crossing(ratio):
    bench.simulate(ClockCrossing(**SIZES), __name__, "clock_crossing",
                   opened=("bus_clk", "bus_rst"), parameters={"ratio": ratio}, label=ratio)


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_a_depth_that_gray_code_cannot_count_is_refused(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two from 2, not {depth}"):
        ClockQueue(8, depth=depth)
