"""The machines on which lists run, by name: benches of one machine share its model."""

import pytest
from amaranth import Module
from amaranth.lib import wiring

from hw.contract.config import Config
from hw.memory.clock_crossing import ClockCrossing
from hw.memory_machine import MemoryMachine
from sim_tests import bench
from sim_tests.stimuli.operands import handed_over

MACHINES = {
    "4x4": Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32),
    "3x5": Config.sized(rows=3, cols=5, k_max=256, bus_bytes=32),
    "short words": Config.sized(rows=2, cols=2, k_max=256, bus_bytes=8, burst_beats=4,
                                read_depth=9, outstanding=3),
    "no bursts": Config.sized(rows=4, cols=4, k_max=256, bus_bytes=16, burst_beats=1,
                              read_depth=40, outstanding=5),
    "short beats": Config.sized(rows=3, cols=16, k_max=256, bus_bytes=64, drain_lanes=32,
                                act_bytes=16),
    "long rows": Config.sized(rows=4, cols=8, k_max=256, bus_bytes=16, drain_lanes=32),
}

VECTOR_MACHINES = {
    "vector": Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, vector_lanes=4),
    "vector, two rows": Config.sized(rows=5, cols=8, k_max=256, bus_bytes=32, drain_lanes=16,
                                    vector_lanes=2),
    "vector, one lane": Config.sized(rows=3, cols=5, k_max=256, bus_bytes=32, vector_lanes=1),
}
"""Those with a vector unit, which have lists of their own."""

CROSSED = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, bus_clock=1)

BUS_PERIODS = {"slow bus": 3.14, "fast bus": 1.37}
"""Of the bus of `CROSSED`, in ns, by the name of the machine; its own is `drive.PERIOD_NS`."""

every_vector_machine = pytest.mark.parametrize("name", list(VECTOR_MACHINES))
every_machine = pytest.mark.parametrize("name", [*MACHINES, *BUS_PERIODS])


class CrossedMachine(wiring.Component):
    """A machine whose bus has its own clock, with its registers at hand.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config):
        self.machine = MemoryMachine(config)
        super().__init__(self.machine.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.machine = machine = self.machine
        m.submodules.crossing = crossing = ClockCrossing(
            id_bits=machine.id_bits, **machine.bus_sizes)
        wiring.connect(m, wiring.flipped(self.registers), machine.registers)
        wiring.connect(m, machine.bus, crossing.manager)
        wiring.connect(m, crossing.bus, wiring.flipped(self.bus))
        m.d.comb += self.irq.eq(machine.irq)
        return m


def simulate(name: str, test_module: str) -> None:
    """Run a module's tests on a machine."""
    if name in BUS_PERIODS:
        bench.simulate(CrossedMachine(CROSSED), test_module, "machine_of_two_clocks", label=name,
                       opened=("bus_clk", "bus_rst"),
                       parameters=handed_over(CROSSED, bus_period=BUS_PERIODS[name]))
        return
    config = (MACHINES | VECTOR_MACHINES)[name]
    bench.simulate(MemoryMachine(config), test_module,
                   f"memory_machine_{name.replace(',', '').replace(' ', '_')}",
                   parameters=handed_over(config))
