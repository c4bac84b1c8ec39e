"""A list on the machine and on golden's ring, compared."""

import cocotb

from golden.memory.descriptor import BYTES, FIELD
from hw.registers.map import REGISTER
from hw.registers.ring_map import MARKED, SETTINGS, STOPPED, WINDOW
from sim_tests import drive
from sim_tests.memory.slave import Manners, Slave

GENTLE = Manners()
HOSTILE = Manners(read_latency=30, write_latency=80, jitter=40, pause=0.3, mixes=True)


def packed(command):
    """Give the descriptor of a command, be it right or wrong; bytes are one already."""
    if isinstance(command, bytes):
        return command
    bits = sum(FIELD[name.upper()].put(value) for name, value in command.describe().items())
    return bits.to_bytes(BYTES, "little")


class Run:
    """A list on the machine, beside golden's ring.

    Parameters
    ----------
    dut : handle
    lists : Lists
    manners : Manners
    errors : dict of int to int, optional
        As in `Slave`.
    """

    def __init__(self, dut, lists, manners=GENTLE, errors=None):
        self.dut, self.lists, self.interrupts, self.stops = dut, lists, 0, 0
        for number, command in enumerate(lists.commands):
            lists.memory.write(lists.ring.address_of(number), packed(command))
        self.memory = lists.data.copy()
        self.attributes = int(drive.rng("attributes").integers(1 << 15))
        self.slave = Slave(dut, self.memory, drive.bus_clock_of(dut), manners, errors, lists.base,
                           attributes=REGISTER["BUS_ATTRIBUTES"].unpack(self.attributes))

    def set(self, name, value):
        """Write a register, or two of an address."""
        if f"{name}_LOW" in REGISTER:
            self.set(f"{name}_LOW", value & 0xFFFFFFFF)
            self.set(f"{name}_HIGH", value >> 32)
        else:
            getattr(self.dut, f"registers__{name.lower()}").value = value

    def get(self, name):
        """Read a register."""
        return int(getattr(self.dut, f"registers__{name.lower()}").value)

    def status(self, name):
        """Read a field of the ring's status."""
        return REGISTER["RING_STATUS"].unpack(self.get("RING_STATUS"))[name]

    async def begin(self):
        """Reset the machine, and enable the ring."""
        dut, ring = self.dut, self.lists.ring
        await drive.reset(dut)
        for register in (*SETTINGS, *WINDOW):
            self.set(register.name, register.reset)
        self.tasks = [cocotb.start_soon(each) for each in (self.slave.run(), self._listen())]
        self.set("RING_BASE", ring.base)
        self.set("RING_SIZE_LOG2", ring.size.bit_length() - 1)
        self.set("RING_TAIL", len(self.lists.commands))
        self.set("NOTIFY_ADDRESS", ring.notify_address)
        self.set("BUS_ATTRIBUTES", self.attributes)
        if self.lists.window:
            for name, value in zip(("BASE", "END"), self.lists.window, strict=True):
                self.set(f"WINDOW_{name}", value)
        await drive.ticks(dut, 2)
        self.set("RING_ENABLE", 1)

    async def _listen(self):
        """Count what would interrupt."""
        while True:
            await drive.ticks(self.dut, 1)
            events = self.get("RING_IRQ_PENDING_SET")
            self.interrupts += events >> MARKED & 1
            self.stops += events >> STOPPED & 1

    def end(self):
        """Leave the bus to another run."""
        for task in self.tasks:
            task.cancel()

    async def wait(self, limit=300_000):
        """Wait until all commands have ended or the ring stands still; return the cycles."""
        dut, start, stopped = self.dut, drive.cycle(), self.stops
        while not (self.get("RING_COMPLETED") == len(self.lists.commands)
                   or (self.status("fault") and self.status("idle"))):
            await drive.ticks(dut, 1)
            assert drive.cycle() - start < limit, (
                f"{self.get('RING_COMPLETED')} commands have ended")
        cycles = drive.cycle() - start
        await drive.ticks(dut, 100)
        assert self.stops - stopped == bool(self.status("fault"))
        assert self.slave.is_idle
        return cycles

    async def order(self, name):
        """Write a command to RING_CONTROL."""
        self.set("RING_CONTROL", REGISTER["RING_CONTROL"].pack(**{name: 1}))
        await drive.ticks(self.dut, 1)
        self.set("RING_CONTROL", 0)
        await drive.ticks(self.dut, 2)

    def compare(self):
        """Compare where the ring stands, and all of memory."""
        ring = self.lists.ring
        assert (self.status("fault"), self.get("RING_COMPLETED"), self.interrupts) == (
            ring.fault, ring.completed, ring.interrupts)
        expected = self.lists.data.copy()
        for address, size in ring.undefined:
            first, end = (max(each - self.lists.base, 0) for each in (address, address + size))
            expected[first:end] = self.memory[first:end]
        drive.compare(self.memory, expected, "memory")


async def run(dut, lists, manners=GENTLE):
    """Run a list on both, and compare; return the cycles and what was seen."""
    both = Run(dut, lists, manners)
    await both.begin()
    cycles = await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    assert not both.slave.seen.empty_words
    return cycles, both.slave.seen


async def stops_at(dut, lists, goes_on, fault=None):
    """Run a list with one faulty command, to it and past it; return what the bus saw."""
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    if not goes_on:
        assert fault in (None, both.status("fault"))
        await both.order("skip")
        await both.wait()
        lists.ring.skip()
        both.compare()
    assert both.get("RING_COMPLETED") == len(lists.commands)
    return both.slave.seen
