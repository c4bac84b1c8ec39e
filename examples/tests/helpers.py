"""Matrices to run, and a simulator that is right without simulating."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console

from commands.checkout import ROOT
from examples.gemms import Matrices, PreparedGemm
from hw.contract.config import Config
from hw.host.results import Outcome
from hw.host.work import Work
from simulation.running import Simulation
from simulation.works.expected import expected_results

TINY = ("--rows", "2", "--cols", "2", "--k-max", "64")
TINY_CONFIG = Config.sized(rows=2, cols=2, k_max=64)


def matrices(m: int = 6, k: int = 40, n: int = 5, name: str = "own", seed: int = 1) -> Matrices:
    """Draw FP16 matrices with a few large channels."""
    rng = np.random.default_rng(seed)
    channels = np.where(np.arange(k) % 16 == 3, 8, 1) * (1 + np.arange(k) // 16)
    return Matrices(name=name, activations=(rng.standard_normal((m, k)) * channels).astype("f2"),
                    weights=rng.standard_normal((k, n)).astype("f2"))


def counters(beats: int, cycles: int) -> dict[str, int]:
    """Give counters of which only two matter."""
    return {"cycles": cycles, "beats": beats, "skipped": 0}


def exact(gemm: PreparedGemm, config: Config = TINY_CONFIG) -> Outcome:
    """Give the outcome of a machine without fault that is busy in 4 of 5 cycles."""
    return Outcome(gemm.expected(config), counters(4 * gemm.beats(config), 5 * gemm.beats(config)))


class FakeSimulator:
    """Stand in for `simulation.running.simulate`, with golden's results.

    Parameters
    ----------
    corrupt : dict, optional
        Maps a job's number and an element's place to the bits to flip there.
    """

    def __init__(self, corrupt: dict[tuple[int, int, int], int] | None = None):
        self.corrupt = corrupt or {}

    def __call__(
        self, config: Config, groups: Sequence[Sequence[tuple[Work, int]]], console: Console
    ) -> Simulation:
        outcomes = []
        for number, (work, beats) in enumerate(pair for group in groups for pair in group):
            patterns = expected_results(config, work)
            for (job, row, column), bits in self.corrupt.items():
                if job == number:
                    patterns[row, column] ^= bits
            outcomes.append(Outcome(patterns, counters(beats, beats + 1)))
        return Simulation(outcomes, ROOT / "LICENSE", 0.0, 0.0)
