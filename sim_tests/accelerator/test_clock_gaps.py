"""Jobs on a machine whose clock stops now and then, high or low, while its inputs do anything."""

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.stimuli.works import run_and_check
from simulation.works.random_works import random_work

PORTS = {"s_axis_act": ("tdata", "tkeep", "tlast", "tvalid"),
         "s_axis_wgt": ("tdata", "tkeep", "tlast", "tvalid"),
         "m_axis_out": ("tready",),
         "s_axil": ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr",
                    "arprot", "arvalid", "rready")}


class Gaps:
    """Stop a machine's clock at random.

    Parameters
    ----------
    dut : handle
    machine : BenchMachine

    Attributes
    ----------
    count : int
        Gaps so far.
    """

    def __init__(self, dut, machine):
        self.dut, self.clock, self.rng, self.count = dut, machine.clock, drive.rng("gaps"), 0
        # Not the reset: the ends of the streams follow it at once. The fuzzer changes it too.
        self.inputs = [getattr(dut, f"{port}_{name}")
                       for port, names in PORTS.items() for name in names]

    async def follow(self):
        """Stop the clock for ever and ever."""
        while True:
            for _ in range(int(self.rng.integers(1, 30))):
                await RisingEdge(self.dut.aclk)
            is_high = bool(self.rng.integers(2))
            if not is_high:
                await FallingEdge(self.dut.aclk)
            await Timer(200, "ps")  # by now the benches have set what they offer next
            self.clock.stop()
            await self._disturb()
            self.clock.start(start_high=is_high)
            self.count += 1

    async def _disturb(self):
        """Let every input take some values, and put back what was there."""
        kept = [port.value for port in self.inputs]
        for _ in range(int(self.rng.integers(1, 4))):
            for port in self.inputs:
                port.value = int.from_bytes(self.rng.bytes(64), "little") % (1 << len(port))
            await Timer(int(self.rng.integers(1, 50_000)), "ps")
        for port, value in zip(self.inputs, kept, strict=True):
            port.value = value
        await Timer(200, "ps")


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5])
async def jobs_run_as_ever_while_the_clock_has_gaps(dut, idle):
    machine = await start(dut, s_axis_act=idle, s_axis_wgt=idle, m_axis_out=idle)
    gaps = Gaps(dut, machine)
    following = cocotb.start_soon(gaps.follow())
    rng = drive.rng()
    works = [random_work(machine.config, rng, 11, 80) for _ in range(drive.amount(6, 40))]
    await run_and_check(machine, *works)
    following.cancel()
    assert gaps.count > 20


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_clock_gaps(name):
    accelerators.simulate(name, __name__, label="clock_gaps")
