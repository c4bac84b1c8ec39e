"""Registers of a machine with a ring over AXI4-Lite: the same rules, other registers, a lock."""

import cocotb
from cocotbext.axi import AxiResp

from hw.registers.csr import CSR
from hw.registers.map import ADDRESS_BITS, OF_A_HOST, REGISTER, RING_REGISTERS, Access
from sim_tests import bench, drive
from sim_tests.registers import test_csr

SETTINGS = [register for register in RING_REGISTERS
            if register.access in (Access.SETTING, Access.LOCKABLE)]
MAPPED = {register.address for register in RING_REGISTERS}
UNMAPPED = sorted(set(range(0, 1 << ADDRESS_BITS, 4)) - MAPPED)


class Bench(test_csr.Bench):
    """The component, its bus, and what the registers should hold."""

    command, event, entries_of = "RING_CONTROL", "RING_IRQ_PENDING", ()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def settings_begin_as_the_map_says_and_obey_byte_strobes(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    values = {register: register.reset for register in SETTINGS}
    assert any(values.values())
    for register, value in values.items():
        await machine.holds(register, value)
    for _ in range(drive.amount(100, 3_000)):
        register = SETTINGS[rng.integers(len(SETTINGS))]
        first = int(rng.integers(4))
        data = rng.bytes(int(rng.integers(1, 5 - first)))
        assert await machine.write(register.address + first, data) == AxiResp.OKAY
        old = bytearray(values[register].to_bytes(4, "little"))
        old[first : first + len(data)] = data
        values[register] = int.from_bytes(old, "little") & (1 << register.width) - 1
        await machine.holds(register, values[register])
    for register, value in values.items():
        await machine.holds(register, value)
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def what_is_locked_refuses_writes_and_nothing_else_does(dut, stall):
    machine, rng = Bench(dut), drive.rng()
    await machine.start(stall)
    values = {register: register.reset for register in SETTINGS}
    for _ in range(drive.amount(100, 1_000)):
        locked = bool(rng.integers(2))
        dut.registers__locked.value = int(locked)
        register, data = SETTINGS[rng.integers(len(SETTINGS))], rng.bytes(4)
        refused = locked and register.access is Access.LOCKABLE
        answer = await machine.write(register.address, data)
        assert answer == (AxiResp.SLVERR if refused else AxiResp.OKAY), register.name
        if not refused:
            values[register] = int.from_bytes(data, "little") & (1 << register.width) - 1
        await machine.holds(register, values[register])
    for register, value in values.items():
        await machine.holds(register, value)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def inputs_are_read_and_refuse_writes(dut):
    machine, rng = Bench(dut), drive.rng()
    await machine.start()
    for register in RING_REGISTERS:
        if register.access in (Access.CONSTANT, Access.STATE):
            ones = (1 << register.width) - 1
            drawn = int(rng.integers(1 << register.width))
            for value in (drawn, ones ^ drawn, drawn):
                machine.port(register.name).value = value
                assert await machine.write(register.address, b"\xff" * 4) == AxiResp.SLVERR
                assert await machine.read(register.address) == (value, AxiResp.OKAY), register.name
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def what_only_a_host_without_a_ring_needs_is_not_there(dut):
    machine = Bench(dut)
    await machine.start()
    for address in (*(register.address for register in OF_A_HOST), *UNMAPPED[-3:]):
        assert await machine.write(address, b"\xff" * 4) == AxiResp.SLVERR, hex(address)
        assert await machine.read(address) == (0, AxiResp.SLVERR), hex(address)
    for register in SETTINGS:
        await machine.holds(register, register.reset)
    assert not machine.pulses


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def commands_and_events_are_those_of_the_ring(dut, stall):
    machine = Bench(dut)
    await machine.start(stall)
    control, pending = REGISTER["RING_CONTROL"], REGISTER["RING_IRQ_PENDING"]
    for data in (b"\1", b"\2", b"\4", b"\xff\xff\xff\xff", b"\xf8"):
        assert await machine.write(control.address, data) == AxiResp.OKAY
    assert await machine.read(control.address) == (0, AxiResp.SLVERR)
    assert machine.pulses == [(1, 0), (2, 0), (4, 0), (7, 0)]
    for happens in (1, 2, 3):
        machine.port(pending.name, "_set").value = happens
        await drive.ticks(dut, 1)
        machine.port(pending.name, "_set").value = 0
        await drive.ticks(dut, 1)
        await machine.holds(pending, happens)
        assert await machine.write(pending.address, bytes([happens])) == AxiResp.OKAY
        await machine.holds(pending, 0)


def test_ring_csr():
    bench.simulate(CSR(RING_REGISTERS), __name__, "ring_csr")
