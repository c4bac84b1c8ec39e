"""The machines on which lists run, by name: benches of one machine share its model."""

import pytest

from hw.contract.config import Config
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

every_machine = pytest.mark.parametrize("name", MACHINES)


def simulate(name: str, test_module: str) -> None:
    """Run a module's tests on a machine."""
    config = MACHINES[name]
    bench.simulate(MemoryMachine(config), test_module, f"memory_machine_{name.replace(' ', '_')}",
                   parameters=handed_over(config))
