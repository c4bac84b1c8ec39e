"""The machines that the whole-accelerator benches run on."""

from dataclasses import asdict
from typing import Any

import pytest

from hw.accelerator import Accelerator
from hw.config import Config
from sim_tests import bench, drive
from sim_tests.machine import Machine

TINY = Config.sized(rows=4, cols=4, k_max=256, act_depth=128, weight_depth=32, tile_slots=16)
ODD = Config.sized(rows=3, cols=5, k_max=120, acc_width=32, float_formats=("fp16",), act_bytes=8,
                   act_depth=64, tile_slots=8, dot_stages=0)
ONE = Config.sized(rows=1, cols=1, k_max=64, acc_width=30, float_formats=("bf16", "fp32"),
                   act_bytes=4, weight_bytes=2, act_depth=64, tile_slots=16, dot_stages=2)
WIDE = Config.sized(rows=2, cols=16, k_max=512, acc_width=48, act_depth=160,
                    rounding="truncate")
EIGHT = Config.sized(rows=8, cols=8)

CONFIGS = {"4x4": TINY, "3x5": ODD}
if drive.amount(0, 1):
    CONFIGS |= {"1x1": ONE, "2x16": WIDE, "8x8": EIGHT}

NAMES = [pytest.param(name, marks=pytest.mark.xdist_group(f"accelerator_{name}"))
         for name in CONFIGS]
"""For `pytest.mark.parametrize`: the benches of one machine share its model and run in turn."""


def simulate(name: str, test_module: str, label: str = "run") -> None:
    """Build a machine by its name in `CONFIGS` and run a module's cocotb tests on it."""
    built = bench.build(Accelerator(CONFIGS[name]), f"accelerator_{name}")
    bench.run(built, test_module, parameters=asdict(CONFIGS[name]), label=label)


async def start(dut: Any, **pauses: float) -> Machine:
    """Reset a machine; pauses are shares of cycles by stream."""
    parameters = drive.parameters()
    parameters["float_formats"] = tuple(parameters["float_formats"])
    machine = Machine(dut, Config(**parameters))
    machine.pause(pauses)
    await machine.reset()
    return machine
