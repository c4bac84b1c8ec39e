"""Speed of the machine with a ring in its compiled bench, beside that with an ideal memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from hw.contract.config import Config
from hw.host.memory import Commands, RingHost
from simulation.memory_machine import IDEAL, Manners, SimulatedMemoryMachine

BASE, SIZE = 0x8000_0000, 1 << 24

UNRULY = Manners(read_latency=100, write_latency=100, jitter=20, pause=0.05, mixes=True)


@dataclass(frozen=True)
class MemorySpeed:
    """Cycles per second of processor time.

    Attributes
    ----------
    ideal : float
        Of the model with a memory that answers at once, and that nobody watches.
    watched : float
        With one that is slow and pauses, held to the rules of AXI4.
    ratio : float
        Median over the turns, each of which measured both.
    """

    ideal: float
    watched: float
    ratio: float


MakeList = Callable[[RingHost], Commands]


def linear_lists(config: Config, m: int, n: int, k: int, seed: int = 1) -> MakeList:
    """Return what makes a list of two GEMMs of random numbers, FP16 to FP32."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, k)).astype(np.float16)
    w = rng.standard_normal((k, n)).astype(np.float32)

    def make(host: RingHost) -> Commands:
        memory, commands = host.memory, host.commands()
        a, b, c = memory.place(x), memory.place_weights(w), memory.empty((2, m, n))
        for each in range(2):
            commands.gemm(a, b, c[each])
        return commands
    return make


def measure(library: Path, make: MakeList, *, turns: int = 5) -> MemorySpeed:
    """Measure both in turns, on one model.

    Parameters
    ----------
    library : pathlib.Path
    make : callable
        Makes a list for a host.
    turns : int
    """
    speeds: dict[bool, list[float]] = {False: [], True: []}
    with SimulatedMemoryMachine(library, BASE, SIZE) as device:
        host = RingHost(device, BASE, SIZE)
        commands = make(host)
        for _ in range(turns):
            for is_watched, manners in ((False, IDEAL), (True, UNRULY)):
                device.behave(manners)
                device.watch(is_watched)
                first, began = device.cycles, time.process_time()
                host.run(commands)
                speeds[is_watched].append((device.cycles - first) / (time.process_time() - began))
    ratios = [one / other for one, other in zip(speeds[True], speeds[False], strict=True)]
    return MemorySpeed(median(speeds[False]), median(speeds[True]), median(ratios))
