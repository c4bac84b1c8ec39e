"""Two machines of different parameters in one simulation, at work at the same time."""

from dataclasses import asdict

import cocotb
from amaranth import Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from cocotb.triggers import gather

from commands.outputs import write_if_changed
from hw.accelerator import Accelerator
from hw.contract.config import Config
from hw.contract.job_codes import JobKind
from hw.parts.emit import flat_ports
from sim_tests import bench, drive
from sim_tests.machine import BenchMachine
from sim_tests.stimuli.works import run_and_check
from simulation import emission
from simulation.machines import MATRIX
from simulation.works.random_works import make_work

PAIR = {"machine_1x1": MATRIX["1x1"], "machine_2x2": MATRIX["2x2"]}


class Pair(wiring.Component):
    """Machines side by side, each with the ports of its own: ``machine_1x1_aclk`` and so on."""

    def __init__(self):
        self.ports = {name: list(flat_ports(Accelerator(config).signature))
                      for name, config in PAIR.items()}
        super().__init__({f"{name}_{port}": flow(value.shape())
                          for name, ports in self.ports.items() for port, flow, value in ports})

    def elaborate(self, platform):
        m = Module()
        for name, ports in self.ports.items():
            m.submodules[name] = Instance(name, **{
                f"{'i' if flow is In else 'o'}_{port}": getattr(self, f"{name}_{port}")
                for port, flow, _ in ports})
        return m


class PortsOf:
    """The ports of one machine of the pair, called as those of a top."""

    def __init__(self, dut, name):
        self._dut, self._name, self._log = dut, name, dut._log

    def __getattr__(self, port):
        return getattr(self._dut, f"{self._name}_{port}")

    def __dir__(self):
        return [name.removeprefix(f"{self._name}_") for name in dir(self._dut)]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def both_are_right_at_the_same_time(dut):
    machines = []
    for name, parameters in drive.parameters().items():
        parameters["float_formats"] = tuple(parameters["float_formats"])
        machines.append(BenchMachine(PortsOf(dut, name), Config(**parameters)))
    await gather(*(machine.reset() for machine in machines))
    rng = drive.rng()
    await gather(*(
        run_and_check(machine, *(
            make_work(machine.config, rng, 2 * machine.config.rows + 1, 2 * machine.config.cols + 1,
                      machine.config.k_max, kind=kind) for kind in JobKind))
        for machine in machines))


def test_two_machines():
    sources = []
    for name, config in PAIR.items():
        path = bench.BUILD / "two_machines_sources" / f"{name}.v"
        write_if_changed(path, "\n".join(emission.machine(config, name).values()))
        sources.append(path)
    built = bench.build(Pair(), "two_machines", sources=sources)
    bench.run(built, __name__, parameters={name: asdict(each) for name, each in PAIR.items()})
