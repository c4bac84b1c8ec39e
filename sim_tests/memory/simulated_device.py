"""The machine with a ring, as the host's library sees it: registers, memory, an interrupt."""

import logging

import cocotb
import numpy as np
from cocotb.task import resume
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from hw.host.driver import BusError
from hw.host.memory import Device
from sim_tests import drive
from sim_tests.memory.slave import Slave

CYCLES = 200
"""That a wait takes at most."""


class SimulatedDevice(Device):
    """A machine in the simulator; its calls come from a thread.

    Parameters
    ----------
    dut : handle
    base, size : int
        Of its memory.
    manners : Manners

    Attributes
    ----------
    memory : ndarray of uint8
        What its memory holds; it has a canary at first.
    writes : list of int
        Registers that the host wrote, in order.
    """

    def __init__(self, dut, base, size, manners):
        self.dut, self.base, self.size, self.manners = dut, base, size, manners
        self.memory = np.full(size, 0xA5, np.uint8)
        self.writes = []

    async def begin(self):
        """Reset the machine, and let bus and memory work."""
        await drive.reset(self.dut)
        logging.getLogger(f"cocotb.{self.dut._name}.s_axil").setLevel(logging.WARNING)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(self.dut, "s_axil"), self.dut.aclk,
                                       self.dut.aresetn, reset_active_level=False)
        self.slave = Slave(self.dut, self.memory, drive.bus_clock_of(self.dut), self.manners, {},
                           self.base, prefix="m_axi_")
        cocotb.start_soon(self.slave.run())

    def read_register(self, address):
        return resume(self._read)(address)

    async def _read(self, address):
        answer = await self.registers.read(address, 4)
        if answer.resp != AxiResp.OKAY:
            raise BusError(f"the register at {address:#x} cannot be read")
        return int.from_bytes(answer.data, "little")

    def write_register(self, address, value):
        self.writes.append(address)
        resume(self._write)(address, value)

    async def _write(self, address, value):
        answer = await self.registers.write(address, value.to_bytes(4, "little"))
        if answer.resp != AxiResp.OKAY:
            raise BusError(f"the register at {address:#x} cannot be written")

    def read_memory(self, address, size):
        at = address - self.base
        return self.memory[at : at + size].tobytes()

    def write_memory(self, address, data):
        at = address - self.base
        self.memory[at : at + len(data)] = np.frombuffer(data, np.uint8)

    def wait(self, seconds):
        """Let cycles pass until it interrupts."""
        resume(self._wait)()

    async def _wait(self):
        for _ in range(CYCLES):
            await drive.ticks(self.dut, 1)
            if int(self.dut.irq.value):
                return
