"""What goes over a bus, counted; and when it has been silent for too long."""

import cocotb
import pytest
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge

from hw.memory.axi4 import axi4_signature
from hw.memory.bus_watch import COUNTERS, BusWatch
from hw.registers.model import REGISTER_BITS
from sim_tests import bench, drive

SIZES = {"address_bits": 40, "data_bytes": 8, "id_bits": 2}
OUTSTANDING = 300
COUNTS = 1 << REGISTER_BITS

CHANNELS = ("ar", "r", "aw", "w", "b")
HANDSHAKES = tuple(f"{channel}{end}" for channel in CHANNELS for end in ("valid", "ready"))
UNUSED = tuple(name for name in axi4_signature(**SIZES).members
               if name not in (*HANDSHAKES, "rlast"))


class Model:
    """The counters, what the bus owes, and how long it has been silent."""

    def __init__(self):
        self.counts = dict.fromkeys(COUNTERS, drive.parameters()["first"])
        self.reads = self.writes = self.silent = 0

    def is_late(self, limit):
        return bool(limit and self.silent >= limit)

    def after(self, given, limit):
        """Follow a cycle with these inputs."""
        moves = {each: given[f"{each}valid"] & given[f"{each}ready"] for each in CHANNELS}
        stalls = {each: given[f"{each}valid"] & 1 - given[f"{each}ready"] for each in CHANNELS}
        steps = {
            "read_bursts": moves["ar"], "read_beats": moves["r"], "read_stalls": stalls["ar"],
            "read_owed": self.reads, "write_bursts": moves["aw"], "write_beats": moves["w"],
            "write_stalls": stalls["aw"] | stalls["w"], "write_owed": self.writes}
        self.counts = {name: (self.counts[name] + step) % COUNTS for name, step in steps.items()}
        owes = self.reads or self.writes or stalls["ar"] or stalls["aw"] or stalls["w"]
        if any(moves.values()) or not owes:
            self.silent = 0
        elif not self.is_late(limit):
            self.silent = (self.silent + 1) % COUNTS
        self.reads += moves["ar"] - (moves["r"] & given["rlast"])
        self.writes += moves["aw"] - moves["b"]


class Watch:
    """A bus with any handshakes, and the model of what is seen of it."""

    def __init__(self, dut, rng):
        self.dut, self.rng, self.model = dut, rng, Model()
        self.times_out = 0

    async def step(self, limit, **given):
        """Go on a cycle with these handshakes and no other; compare all that is seen before."""
        dut = self.dut
        given = dict.fromkeys((*HANDSHAKES, "rlast"), 0) | given
        for name, value in given.items():
            getattr(dut, f"bus__{name}").value = int(value)
        name = UNUSED[self.rng.integers(len(UNUSED))]
        port = getattr(dut, f"bus__{name}")
        port.value = int.from_bytes(self.rng.bytes(8), "little") & (1 << len(port)) - 1
        dut.limit.value = limit
        await drive.ticks(dut, 1)
        is_late = self.model.is_late(limit)
        assert int(dut.timed_out.value) == is_late, f"silent {self.model.silent} of {limit}"
        self.times_out += is_late
        for name, count in self.model.counts.items():
            assert int(getattr(dut, name).value) == count, name
        self.model.after(given, limit)

    def draw(self, chance):
        """Draw handshakes: the bus answers no more than it owes, and only so much is owed."""
        given = {name: int(self.rng.random() < chance) for name in (*HANDSHAKES, "rlast")}
        given["rvalid"] &= int(self.model.reads > 0)
        given["bvalid"] &= int(self.model.writes > 0)
        return given


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(chance=[0.05, 0.2, 0.5])
async def counts_all_that_happens(dut, chance):
    """The bus does much or little; limits are short, and change."""
    await drive.reset(dut)
    watch = Watch(dut, drive.rng())
    limit = 0
    for _ in range(drive.amount(1_000, 20_000)):
        if watch.rng.random() < 0.02:
            limit = int(watch.rng.choice([0, 1, 2, 5, 9, 1 << int(watch.rng.integers(32))]))
        await watch.step(limit, **watch.draw(chance))
    assert watch.times_out > 5 or chance > 0.2


OWES = {"a read": {"arvalid": 1, "arready": 1}, "a write": {"awvalid": 1, "awready": 1},
        "a read that it does not take": {"arvalid": 1},
        "a write that it does not take": {"awvalid": 1},
        "a word that it does not take": {"wvalid": 1}}
MOVES = {channel: {f"{channel}valid": 1, f"{channel}ready": 1} for channel in CHANNELS}


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(what=list(OWES))
@cocotb.parametrize(limit=[1, 2, 7, 64])
async def a_bus_that_owes_is_late_at_the_limit(dut, what, limit):
    """Whatever moves begins the time anew, in its last cycle too."""
    await drive.reset(dut)
    watch = Watch(dut, drive.rng())
    await watch.step(limit)
    given = OWES[what]
    stands = {} if "arready" in given or "awready" in given else given
    await watch.step(limit, **given)
    begun = int(bool(stands))  # such a cycle counts by itself
    for moved in ({}, *MOVES.values()):
        if moved:
            # A move that leaves something owed, or else does not.
            await watch.step(limit, **stands | moved)
            if moved in (MOVES["r"], MOVES["b"]):
                continue
            begun = 0
        for cycle in range(begun, limit + 3):
            await watch.step(limit, **stands)
            assert int(dut.timed_out.value) == (cycle >= limit)
    assert watch.times_out


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_bus_that_owes_nothing_is_never_late(dut):
    """The machine not ready, or the bus ready: nothing of that is owed."""
    await drive.reset(dut)
    watch = Watch(dut, drive.rng())
    for given in ({}, {"rready": 1, "bready": 1}, {"arready": 1, "awready": 1, "wready": 1},
                  {"rvalid": 1}, {"bvalid": 1}, {"rlast": 1}):
        for _ in range(8):
            await watch.step(2, **given)
    assert not watch.times_out


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def without_a_limit_it_may_take_as_long_as_it_likes(dut):
    await drive.reset(dut)
    watch = Watch(dut, drive.rng())
    await watch.step(0, **OWES["a read"])
    for _ in range(200):
        await watch.step(0)
    assert not watch.times_out
    await watch.step(150)
    assert watch.times_out  # the time runs all the same
    for bit in range(REGISTER_BITS):
        await watch.step(1 << bit)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def long_times_are_told_apart(dut):
    """A read is not taken from the reset on: the bus has been silent for long already."""
    first = drive.parameters()["first"]
    for off in (0, 1, 9, 14, 20):
        await drive.reset(dut)
        dut.bus__arvalid.value = dut.rst.value = 1
        await drive.ticks(dut, 1)
        dut.rst.value = 0
        watch = Watch(dut, drive.rng())
        watch.model.silent = first
        limit = min(first + off, COUNTS - 1)
        for _ in range(25):
            await watch.step(limit, arvalid=1)
        assert watch.times_out
        near = (limit ^ 1 << bit for bit in range(REGISTER_BITS))
        for each in (*near, 0, 1, COUNTS - 1, limit):
            # One cycle each: where it is not late it goes on.
            await watch.step(each, arvalid=1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["read", "write"])
async def as_much_may_be_owed_as_is_outstanding(dut, side):
    """Up to all and down again; at every power of two it still owes something."""
    await drive.reset(dut)
    asks, answers = ("ar", "r") if side == "read" else ("aw", "b")
    dut.limit.value, dut.bus__rlast.value = 1, 1
    owed = drive.parameters()["first"]

    def put(channel, level):
        for end in ("valid", "ready"):
            getattr(dut, f"bus__{channel}{end}").value = level

    async def move(channel, count):
        """Let so many bursts, or answers, through."""
        put(channel, 1)
        await ClockCycles(dut.clk, count, RisingEdge)
        put(channel, 0)

    there = 0
    for bit in range(OUTSTANDING.bit_length()):
        await move(asks, (1 << bit) - there)
        owed += sum(range(there, 1 << bit))
        there = 1 << bit
        await drive.ticks(dut, 3)
        await ReadOnly()
        assert int(dut.timed_out.value), f"with {there} it owes nothing"
        owed += 3 * there
        assert int(getattr(dut, f"{side}_owed").value) == owed % COUNTS
        await drive.ticks(dut, 1)
        owed += there
    await move(answers, there)
    owed += sum(range(1, there + 1))
    await drive.ticks(dut, 4)
    await ReadOnly()
    assert not int(dut.timed_out.value)
    assert int(getattr(dut, f"{side}_owed").value) == owed % COUNTS


@pytest.mark.parametrize("first", [(1 << 31) - 16, COUNTS - 16])
def test_bus_watch(first):
    bench.simulate(BusWatch(first=first, outstanding=OUTSTANDING, **SIZES), __name__,
                   f"bus_watch_{first}", parameters={"first": first})
