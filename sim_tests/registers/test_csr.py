"""Registers over AXI4-Lite: every register, byte strobes, SLVERR, events, commands, stalls."""

import itertools
import logging

import cocotb
from cocotb.triggers import ReadWrite, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hw.registers.csr import CSR
from hw.registers.map import ADDRESS_BITS, REGISTERS, Access
from sim_tests import bench, drive

BY_NAME = {register.name: register for register in REGISTERS}
MAPPED = {register.address for register in REGISTERS}
ENTRIES = [register for register in REGISTERS if register.access is Access.ENTRY]
UNMAPPED = sorted(set(range(0, 1 << ADDRESS_BITS, 4)) - MAPPED)

MAXIMUM_LATENCY = 4
"""Cycles from a change of ``channel`` to ``maximum``, see `hw.activations.channel_maxima`."""


class Bench:
    """The component, its bus, and what the registers should hold."""

    command, event, entries_of = "CONTROL", "IRQ_PENDING", ENTRIES

    def __init__(self, dut):
        for name in ("bus_", "bus"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
        self.dut = dut
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus_"), dut.clk, dut.rst)
        self.pulses = []  # (CONTROL, IRQ_PENDING cleared) of each cycle, if not zero
        self.entries = []  # (name, value) that were handed over

    def port(self, name, suffix=""):
        """Return a register's port."""
        return getattr(self.dut, f"registers__{name.lower()}{suffix}")

    async def start(self, stall=0.0):
        """Reset, and let all five channels pause in a share of cycles."""
        await drive.reset(self.dut)
        cocotb.start_soon(self._watch())
        if stall:
            write, read = self.bus.write_if, self.bus.read_if
            for index, channel in enumerate((write.aw_channel, write.w_channel, write.b_channel,
                                             read.ar_channel, read.r_channel)):
                rng = drive.rng(f"channel {index}")
                channel.set_pause_generator(
                    bool(rng.random() < stall) for _ in itertools.count())

    async def _watch(self):
        while True:
            await drive.ticks(self.dut, 1)
            pulse = (int(self.port(self.command).value),
                     int(self.port(self.event, "_cleared").value))
            if any(pulse):
                self.pulses.append(pulse)
            self.entries += [(register.name, int(self.port(register.name).value))
                             for register in self.entries_of
                             if int(self.port(register.name, "_write").value)]

    async def write(self, address, data):
        """Write bytes (little-endian) at any address within a word; return the response."""
        done = await with_timeout(self.bus.write(address, data), 2, "us")
        return done.resp

    async def read(self, address):
        """Read a word; return it and the response."""
        done = await with_timeout(self.bus.read(address, 4), 2, "us")
        return int.from_bytes(done.data, "little"), done.resp

    async def holds(self, register, value):
        """Check what a register reads, and its port."""
        assert await self.read(register.address) == (value, AxiResp.OKAY), register.name
        if register.access in (Access.SETTING, Access.LOCKABLE, Access.EVENT):
            assert int(self.port(register.name).value) == value, register.name


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def settings_obey_byte_strobes(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    settings = [register for register in REGISTERS if register.access is Access.SETTING]
    values = dict.fromkeys(settings, 0)
    for register in settings:  # all ones, in use or not
        assert await machine.write(register.address, b"\xff" * 4) == AxiResp.OKAY
        values[register] = (1 << register.width) - 1
    for _ in range(drive.amount(100, 3_000)):
        register = settings[rng.integers(len(settings))]
        first = int(rng.integers(4))
        data = rng.bytes(int(rng.integers(1, 5 - first)))
        assert await machine.write(register.address + first, data) == AxiResp.OKAY
        old = bytearray(values[register].to_bytes(4, "little"))
        old[first : first + len(data)] = data
        values[register] = int.from_bytes(old, "little") & (1 << register.width) - 1
        other = settings[rng.integers(len(settings))]
        await machine.holds(other, values[other])
        await machine.holds(register, values[register])
    for register, value in values.items():
        await machine.holds(register, value)
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def inputs_are_read_and_refuse_writes(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    for register in REGISTERS:
        if register.access in (Access.CONSTANT, Access.STATE):
            ones = (1 << register.width) - 1
            drawn = int(rng.integers(1 << register.width))
            for value in (drawn, ones ^ drawn, drawn):  # so that every bit rises and falls
                machine.port(register.name).value = value
                assert await machine.write(register.address, b"\xff" * 4) == AxiResp.SLVERR
                assert await machine.read(register.address) == (value, AxiResp.OKAY), register.name
    for register in REGISTERS:
        if register.access is Access.SETTING:
            await machine.holds(register, 0)
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def addresses_without_a_register_answer_slverr(dut):
    machine = Bench(dut)
    await machine.start()
    for address in (*UNMAPPED[:60:7], *UNMAPPED[-3:]):
        assert await machine.write(address, b"\xff" * 4) == AxiResp.SLVERR, hex(address)
        assert await machine.read(address) == (0, AxiResp.SLVERR), hex(address)
        register = BY_NAME["JOB_M"]
        assert await machine.write(register.address, b"\1\2\3\0") == AxiResp.OKAY
        await machine.holds(register, 0x030201)
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.8])
async def every_request_gets_its_answer(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    good, missing = BY_NAME["JOB_THRESHOLD"].address, UNMAPPED[0]
    addresses = [int(address) for address in rng.choice([good, missing], 30)]
    answers = [AxiResp.OKAY if address == good else AxiResp.SLVERR for address in addresses]
    # All are sent as fast as the machine takes them, not one after the other's answer.
    writes = [cocotb.start_soon(machine.write(address, bytes([index] * 3 + [0])))
              for index, address in enumerate(addresses)]
    assert [await write for write in writes] == answers
    last = len(answers) - 1 - answers[::-1].index(AxiResp.OKAY)
    reads = [cocotb.start_soon(machine.read(address)) for address in addresses]
    assert [await read for read in reads] == [
        (last * 0x010101 * (answer == AxiResp.OKAY), answer) for answer in answers]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def a_command_is_high_for_one_cycle(dut, stall):
    machine = Bench(dut)
    await machine.start(stall)
    control = BY_NAME["CONTROL"].address
    for data in (b"\1\0\0\0", b"\0\0\0\0", b"\1", b"\xf8\xff\xff\xff", b"\xff\xff\xff\xff", b"\2",
                 b"\4"):
        assert await machine.write(control, data) == AxiResp.OKAY
    assert await machine.write(control + 1, b"\xff") == AxiResp.OKAY  # not the byte with the bits
    assert await machine.read(control) == (0, AxiResp.SLVERR)
    assert machine.pulses == [(1, 0), (1, 0), (7, 0), (2, 0), (4, 0)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def writing_a_one_clears_an_event(dut, stall):
    machine = Bench(dut)
    await machine.start(stall)
    register, happens = BY_NAME["IRQ_PENDING"], machine.port("IRQ_PENDING", "_set")

    async def happen(value):
        happens.value = value
        await drive.ticks(dut, 1)
        happens.value = 0
        await drive.ticks(dut, 1)

    await happen(0b01)
    await machine.holds(register, 0b01)
    await happen(0b10)
    await machine.holds(register, 0b11)
    for written, left in ((0b00, 0b11), (0b01, 0b10), (0b01, 0b10), (0b10, 0b00)):
        assert await machine.write(register.address, bytes([written])) == AxiResp.OKAY
        await machine.holds(register, left)
    await happen(0b11)
    assert await machine.write(register.address + 1, b"\xff\xff\xff") == AxiResp.OKAY
    await machine.holds(register, 0b11)
    # What happens in the very cycle of the clear is not lost.
    happens.value = 0b10
    writing = cocotb.start_soon(machine.write(register.address, b"\xff"))
    while not int(machine.port("IRQ_PENDING", "_cleared").value):
        await drive.ticks(dut, 1)  # what is read now was there before this edge
    happens.value = 0
    assert await writing == AxiResp.OKAY
    await machine.holds(register, 0b10)
    every = (1 << register.width) - 1
    assert machine.pulses == [(0, 0b01), (0, 0b01), (0, 0b10), (0, every)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def an_entry_is_handed_over_whole_and_once(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    expected = []
    for _ in range(drive.amount(60, 1_000)):
        register = ENTRIES[rng.integers(len(ENTRIES))]
        data, busy = rng.bytes(int(rng.choice([1, 2, 4, 4, 4]))), bool(rng.random() < 0.3)
        first = int(rng.integers(0, 5 - len(data)))
        for other in ENTRIES:  # the other one being busy is no reason
            machine.port(other.name, "_busy").value = int(busy == (other is register))
        taken = len(data) == 4 and not busy
        answer = await machine.write(register.address + first, data)
        assert answer == (AxiResp.OKAY if taken else AxiResp.SLVERR), (data, busy)
        value = int.from_bytes(data, "little") & (1 << register.width) - 1
        expected += [(register.name, value)] * taken
        assert machine.entries == expected
        assert await machine.read(register.address) == (0, AxiResp.SLVERR)
    assert len(expected) > 10
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def entries_wait_while_they_are_told_to_and_nothing_else_does(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    setting = BY_NAME["TABLE_SELECT"].address
    for count in range(1, 20):
        entry = ENTRIES[rng.integers(len(ENTRIES))]
        dut.registers__entries_wait.value = 1
        assert await machine.write(setting, b"\0" * 4) == AxiResp.OKAY
        waiting = cocotb.start_soon(machine.write(entry.address, rng.bytes(4)))
        await machine.read(setting)
        await drive.ticks(dut, int(rng.integers(40, 60)))
        assert not waiting.done() and len(machine.entries) == count - 1
        dut.registers__entries_wait.value = 0
        assert await waiting == AxiResp.OKAY
        assert len(machine.entries) == count


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_is_taken_in_reset_and_in_the_cycle_after(dut):
    await drive.reset(dut)
    channels = [getattr(dut, f"bus__{name}") for name in ("awready", "wready", "arready")]
    dut.rst.value = 1
    for cycle in range(5):
        await RisingEdge(dut.clk)
        if cycle == 3:
            dut.rst.value = 0
        if cycle:
            assert [int(ready.value) for ready in channels] == [0, 0, 0], cycle
    await RisingEdge(dut.clk)
    await ReadWrite()
    assert [int(ready.value) for ready in channels] == [1, 1, 1]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_read_shows_what_the_write_before_it_selected(dut):
    # MAXIMUM follows MAXIMUM_CHANNEL after as many cycles as the memory behind it takes, and a
    # manager may ask for it in the very cycle in which its write is answered.
    await drive.reset(dut)
    seen = [0] * MAXIMUM_LATENCY

    async def follow():
        while True:
            await RisingEdge(dut.clk)
            seen.append(int(dut.registers__maximum_channel.value))
            dut.registers__maximum.value = seen[-MAXIMUM_LATENCY]

    cocotb.start_soon(follow())
    dut.bus__bready.value = dut.bus__rready.value = 1
    for channel in (7, 1234, 5, 0):
        dut.bus__awaddr.value, dut.bus__awvalid.value = BY_NAME["MAXIMUM_CHANNEL"].address, 1
        dut.bus__wdata.value, dut.bus__wstrb.value, dut.bus__wvalid.value = channel, 0xF, 1
        await RisingEdge(dut.clk)
        dut.bus__awvalid.value = dut.bus__wvalid.value = 0
        while True:
            await ReadWrite()
            if int(dut.bus__bvalid.value):
                break
            await RisingEdge(dut.clk)
        dut.bus__araddr.value, dut.bus__arvalid.value = BY_NAME["MAXIMUM"].address, 1
        await RisingEdge(dut.clk)
        dut.bus__arvalid.value = 0
        while not int(dut.bus__rvalid.value):
            await RisingEdge(dut.clk)
        assert int(dut.bus__rdata.value) == channel


def test_csr():
    bench.simulate(CSR(), __name__, "csr")
