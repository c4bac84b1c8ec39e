"""Prototype: the demo's kind of layers on the demo's machine, compared with golden bit by bit.

``python -m simulation.tests.demo_layers`` runs GEMMs of the small DiT's shapes back to back on the
8x8 machine, at full rate and with stalled streams, and prints cycles and speed.
"""

import sys
import time

import numpy as np

from commands.exit_codes import ExitCode
from commands.running import start
from simulation.build import build
from simulation.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from simulation.generator import Config
from simulation.jobs import run_tasks
from simulation.machine import SimulatedMachine
from simulation.tests.machines import check, make_work, task_of

SHAPES = {"q": (128, 128, 128), "k": (128, 128, 128), "ff1": (64, 512, 128), "ff2": (64, 128, 512)}
"""M, N and K; M is cut, since layers repeat over it."""


def main() -> int:
    """Run, compare and print."""
    config, rng = Config(), np.random.default_rng(1)
    works = {name: make_work(config, rng, *shape, float_format="fp16")
             for name, shape in SHAPES.items()}
    tasks = [task_of(config, work) for work in works.values()]
    with SimulatedMachine(build(config)) as machine:
        for share in (0.0, 0.3):
            for stream in (ACTIVATIONS, WEIGHTS, RESULTS):
                machine.stall(stream, share)
            first, began = machine.cycles, time.process_time()
            outcomes = run_tasks(machine, tasks)
            seconds = time.process_time() - began
            cycles = machine.cycles - first
            try:
                for work, done in zip(works.values(), outcomes, strict=True):
                    check(config, work, done)
            except AssertionError as error:
                print(f"a bit differs: {error}", file=sys.stderr)
                return ExitCode.DIFFERENT
            print(f"stalls {share:.0%}: {len(tasks)} jobs equal to the bit, {cycles:,} cycles, "
                  f"{cycles / seconds:,.0f} a second")
    return ExitCode.DONE


if __name__ == "__main__":
    start(main)
