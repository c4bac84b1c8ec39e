"""Random jobs on the machines of the fuzzer, which say what they try."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import RESULTS
from hw.registers.map import Refusal
from sim_tests.coverage.functional.dimensions import Bin, bins_of
from sim_tests.coverage.functional.observation import observe
from sim_tests.fuzz.jobs import Fuzzer, Started
from simulation.machine import SimulatedMachine
from simulation.machines import MATRIX


class SampledFuzzer(Fuzzer):
    """A fuzzer that counts the combinations that its jobs try, once they have passed.

    Parameters
    ----------
    machine, config, rng
        Of `Fuzzer`.

    Attributes
    ----------
    bins : Counter of Bin
    """

    def __init__(self, machine: SimulatedMachine, config: Config, rng: np.random.Generator):
        self._stalled: set[str] = set()
        self._sampled = 0  # of the jobs started since the machine was empty
        self._stalls: dict[int, str] = {}
        self.bins: Counter[Bin] = Counter()
        machine.stall = self._noting(machine.stall)
        super().__init__(machine, config, rng)

    def _noting(self, stall: Callable[..., None]) -> Callable[..., None]:
        """Note which streams pause, in the words of the dimension."""
        def noting(stream: Any, share: float = 0.0, **more: Any) -> None:
            end = "sink" if stream == RESULTS else f"source {stream}"
            if share or more.get("break_cycles"):
                self._stalled.add(end)
            else:
                self._stalled.discard(end)
            stall(stream, share, **more)

        return noting

    def _stall_now(self) -> str:
        sources, sink = bool(self._stalled - {"sink"}), "sink" in self._stalled
        return "both" if sources and sink else "sources" if sources else "sink" if sink else "none"

    def _feed(self, delivery: Any) -> None:
        self._stalls[id(delivery)] = self._stall_now()
        super()._feed(delivery)

    def _start(self, registers: dict[str, int]) -> Refusal:
        refusal = super()._start(registers)
        if refusal is not Refusal.NONE:
            self.bins[(("refused", refusal.name),)] += 1
        return refusal

    def _compare_arrived(self, most: int) -> None:
        super()._compare_arrived(most)
        self._sample(self.started[self._sampled : self.compared], "done")
        self._sampled = self.compared

    def _begin_anew(self) -> None:
        self._sample(self.started[self._sampled :], "aborted")
        self._sampled = 0
        self._stalls.clear()
        super()._begin_anew()

    def _sample(self, jobs: Iterable[Started], end: str) -> None:
        for each in jobs:
            seen = observe(self.config, each.work, faults=each.delivery.faults,
                           stall=self._stalls[id(each.delivery)], end=end)
            self.bins.update(bins_of(seen))


def sample(library: Path, name: str, jobs: int, seed: int) -> Counter[Bin]:
    """Try random jobs on a machine, and count the combinations that they try.

    Parameters
    ----------
    library : pathlib.Path
        From `sim_tests.fuzz.command.build`.
    name : str
        The machine's, in `MATRIX`.
    jobs, seed : int

    Raises
    ------
    AssertionError, MachineError
        When the machine did anything wrong, or hung.
    """
    with SimulatedMachine(library) as machine:
        fuzzer = SampledFuzzer(machine, MATRIX[name], np.random.default_rng(seed))
        fuzzer.run(jobs)
        return fuzzer.bins
