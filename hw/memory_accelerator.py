"""The top with a command ring: a GEMM accelerator between AXI4 and AXI4-Lite."""

from amaranth import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .accelerator import axi_lite_ports, connect_axi_lite
from .memory.clock_crossing import ClockCrossing
from .memory_machine import MemoryMachine
from .registers.csr import CSR
from .registers.map import RING_REGISTERS


class MemoryAccelerator(wiring.Component):
    """Carry out commands that lie in memory.

    Every port is named as at an AMBA boundary. With `bus_clock` the ports ``m_axi_…`` have a clock
    and a reset of their own, and a `ClockCrossing` behind them.

    Parameters
    ----------
    config : Config
        With a bus.
    """

    def __init__(self, config):
        self.config, self.machine = config, MemoryMachine(config)
        bus = self.machine.signature.members["bus"].signature
        super().__init__({
            "aclk": In(1), "aresetn": In(1), **axi_lite_ports(),
            **({"m_axi_aclk": In(1), "m_axi_aresetn": In(1)} if config.bus_clock else {}),
            **{f"m_axi_{name}": member for name, member in bus.members.items()},
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = sync = ClockDomain(local=True)
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]
        m.submodules.csr = csr = CSR(RING_REGISTERS)
        m.submodules.machine = machine = self.machine
        wiring.connect(m, csr.registers, machine.registers)
        connect_axi_lite(m, self, csr)
        bus = self._cross(m, machine.bus) if self.config.bus_clock else machine.bus
        for name, member in bus.signature.members.items():
            inner, port = getattr(bus, name), getattr(self, f"m_axi_{name}")
            m.d.comb += port.eq(inner) if member.flow is Out else inner.eq(port)
        m.d.comb += self.irq.eq(machine.irq)
        return m

    def _cross(self, m, bus):
        """Bring the machine's bus to the clock of its ports."""
        m.domains.bus = domain = ClockDomain(local=True)
        m.d.comb += [domain.clk.eq(self.m_axi_aclk), domain.rst.eq(~self.m_axi_aresetn)]
        m.submodules.clock_crossing = crossing = ClockCrossing(
            id_bits=self.machine.id_bits, **self.machine.bus_sizes)
        wiring.connect(m, bus, crossing.manager)
        return crossing.bus
