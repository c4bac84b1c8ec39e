"""A list on the machine and on golden's ring, compared."""

import cocotb
from amaranth.lib.wiring import Out

from golden.memory.descriptor import BYTES, FIELD
from hw.registers.csr import register_signature
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
        self.dut, self.lists, self.interrupts = dut, lists, 0
        for number, command in enumerate(lists.commands):
            lists.memory.write(lists.ring.address_of(number), packed(command))
        self.memory = lists.data.copy()
        self.slave = Slave(dut, self.memory, dut.aclk, manners, errors, lists.base)

    async def begin(self):
        """Reset the machine, and enable the ring."""
        dut = self.dut
        await drive.reset(dut)
        self.serving = cocotb.start_soon(self.slave.run())
        self.talking = cocotb.start_soon(self._talk())
        dut.base.value = self.lists.base
        dut.size_log2.value = self.lists.ring.size.bit_length() - 1
        dut.tail.value = len(self.lists.commands)
        await drive.ticks(dut, 2)
        dut.enable.value = 1

    async def _talk(self):
        """Write anything to the registers that a job has elsewhere: nobody listens."""
        rng = drive.rng("registers")
        names = [f"registers__{name}" for name, member in register_signature().members.items()
                 if member.flow is Out and not name.endswith("_write")]
        while True:
            for name in names:
                port = getattr(self.dut, name)
                port.value = int.from_bytes(rng.bytes(4), "little") >> 32 - len(port)
            await drive.ticks(self.dut, 50)

    def end(self):
        """Leave the bus and the registers to another run."""
        for task in (self.serving, self.talking):
            task.cancel()

    async def wait(self, limit=300_000):
        """Wait until all commands have ended or the ring stands still; return the cycles."""
        dut, start = self.dut, drive.cycle()
        while not (int(dut.completed.value) == len(self.lists.commands)
                   or (int(dut.fault.value) and int(dut.is_idle.value))):
            await drive.ticks(dut, 1)
            self.interrupts += int(dut.interrupts.value)
            assert drive.cycle() - start < limit, f"{int(dut.completed.value)} commands have ended"
        cycles = drive.cycle() - start
        await drive.ticks(dut, 100)
        assert self.slave.is_idle
        return cycles

    async def pulse(self, name):
        """Set a port for a cycle."""
        getattr(self.dut, name).value = 1
        await drive.ticks(self.dut, 1)
        getattr(self.dut, name).value = 0
        await drive.ticks(self.dut, 2)

    def compare(self):
        """Compare where the ring stands, and all of memory."""
        dut, ring = self.dut, self.lists.ring
        assert (int(dut.fault.value), int(dut.completed.value), self.interrupts) == (
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
