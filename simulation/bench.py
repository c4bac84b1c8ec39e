"""Speed of the harness beside that of the bare model: ``mixdit bench simulation``.

Both are measured in turns in one run, in seconds of processor time.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np
import typer

import golden
from commands.figures import Figures
from commands.running import sentences
from commands.terminal import make_console
from hw.contract.config import Config
from hw.host.machine import Machine
from hw.host.requests import gemm_work
from hw.host.work import Work
from simulation.build import build
from simulation.machine import SimulatedMachine


@dataclass(frozen=True)
class Speed:
    """Cycles per second of processor time.

    Attributes
    ----------
    idle : float
        Of the model alone whose clock is toggled, without any traffic.
    busy : float
        With jobs: all streams at full rate, monitors on, packets in and out of Python.
    ratio : float
        Median over the turns, each of which measured both.
    utilisation : float
        Share of the jobs' cycles in which a beat entered the array.
    """

    idle: float
    busy: float
    ratio: float
    utilisation: float


def linear_layer(config: Config, m: int, n: int, k: int, seed: int = 1) -> Work:
    """Make a GEMM of random numbers: FP16 activations in MX6, weights in MX6."""
    rng = np.random.default_rng(seed)
    activations = rng.standard_normal((m, k)).astype(np.float16)
    weights = golden.quantize(rng.standard_normal((k, n)).astype(np.float32), golden.MX6, axis=0)
    return gemm_work(config, activations, weights)


def measure(machine: SimulatedMachine, work: Work, *, turns: int = 5, jobs: int = 2) -> Speed:
    """Measure both speeds in turns.

    Parameters
    ----------
    machine : SimulatedMachine
        Idle.
    work : Work
        What keeps it busy; `jobs` of it run back to back in every turn.
    turns, jobs : int
    """
    host, idle, busy, beats = Machine(machine), [], [], []
    for _ in range(turns):
        first = machine.cycles
        seconds, done = _timed(lambda: host.run([work] * jobs))
        cycles = machine.cycles - first
        busy.append(cycles / seconds)
        beats.append(sum(each.counters["beats"] for each in done if each.counters) / sum(
            each.counters["cycles"] for each in done if each.counters))
        seconds, _ = _timed(lambda count=cycles: machine.toggle(count))
        idle.append(cycles / seconds)
    ratios = [one / other for one, other in zip(busy, idle, strict=True)]
    return Speed(median(idle), median(busy), median(ratios), median(beats))


def _timed(call: Callable[[], object]) -> tuple[float, object]:
    """Take this process' time, which others on the computer do not count in."""
    began = time.process_time()
    result = call()
    return time.process_time() - began, result


def main(
    rows: int = typer.Option(8, help="Rows of the array."),
    cols: int = typer.Option(8, help="Columns of the array."),
    m: int = typer.Option(128, min=1, help="Rows of A."),
    n: int = typer.Option(128, min=1, help="Columns of B."),
    k: int = typer.Option(128, min=1, help="Columns of A."),
    turns: int = typer.Option(5, min=1, help="How often both are measured."),
) -> Figures:
    """Measure cycles per second of the simulated machine, idle and with jobs.

    The model alone, its clock toggled without any traffic, and jobs through the harness are
    measured in turns, in seconds of processor time.

    Example: mixdit bench simulation --m 256 --n 96 --k 512
    """
    console, began = make_console(), time.perf_counter()
    with sentences():
        config = Config() if (rows, cols) == (8, 8) else Config.sized(rows=rows, cols=cols)
        work = linear_layer(config, m, n, k)
        library = build(config)
    console.print(f"{rows}x{cols} model ready in {time.perf_counter() - began:.1f} s")
    with SimulatedMachine(library) as machine:
        speed = measure(machine, work, turns=turns)
    console.print(f"bare model, no traffic  {speed.idle:10,.0f} cycles/s")
    console.print(f"jobs {m}x{k}x{n}".ljust(24) + f"{speed.busy:10,.0f} cycles/s, "
                  f"a beat in {speed.utilisation:.0%} of the jobs' cycles")
    console.print(f"ratio                   {speed.ratio:10.2f}")
    return Figures(asdict(speed))
