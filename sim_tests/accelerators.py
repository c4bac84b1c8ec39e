"""The machines that the whole-accelerator benches run on."""

import os
from dataclasses import asdict, fields
from typing import Any

import cocotb
import pytest

from hw.accelerator import Accelerator
from hw.contract.config import Config
from sim_tests import bench, drive
from sim_tests.accelerator import x_watch
from sim_tests.machine import BenchMachine
from simulation import emission
from simulation.build import TOP
from simulation.machines import MATRIX, QUICK

CONFIGS = MATRIX if os.environ.get("MIXDIT_MATRIX") == "1" else QUICK

NAMES = [pytest.param(name, marks=pytest.mark.xdist_group(f"accelerator_{name}"))
         for name in CONFIGS]
"""For `pytest.mark.parametrize`: the benches of one machine share its model and run in turn."""


def build(name: str, simulator: str | None = None) -> bench.Build:
    """Build a machine by its name in `MATRIX`; its memories hold garbage after every reset."""
    return bench.build(Accelerator(MATRIX[name]), f"accelerator_{name}", top=TOP, poison=True,
                       simulator=simulator, emitted=emission.machine(MATRIX[name], TOP))


def run(built: bench.Build, test_module: str, label: str = "run", **more: Any) -> None:
    """Run a module's cocotb tests on a machine; `drive.parameters` has what they need more."""
    parameters = asdict(built.component.config) | more
    bench.run(built, test_module, parameters=parameters, label=label)


def simulate(name: str, test_module: str, label: str = "run") -> None:
    """Build a machine by its name in `MATRIX` and run a module's cocotb tests on it."""
    run(build(name), test_module, label)


async def start(dut: Any, **pauses: float) -> BenchMachine:
    """Reset a machine, and watch it for X; pauses are shares of cycles by stream."""
    parameters = {field.name: drive.parameters()[field.name] for field in fields(Config)}
    parameters["float_formats"] = tuple(parameters["float_formats"])
    machine = BenchMachine(dut, Config(**parameters))
    machine.pause(pauses)
    await machine.reset()
    if drive.is_four_state():
        cocotb.start_soon(x_watch.watch(dut))
    return machine
