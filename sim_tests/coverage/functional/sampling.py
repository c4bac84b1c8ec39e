"""Random jobs on the machines of the fuzzer, which say what they try."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import complete
from hw.registers.map import REGISTER, Refusal, TablePart
from sim_tests.coverage.functional.dimensions import Bin, bins_of
from sim_tests.coverage.functional.observation import observe
from sim_tests.fuzz.jobs import Fuzzer, Started
from simulation.machine import SimulatedMachine
from simulation.machines import MATRIX
from simulation.works.random_works import make_work


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

    def _stall(self) -> None:
        """Let every stream have another rhythm, often none: three of them seldom agree."""
        super()._stall()
        flip = self.rng.random()
        if flip < 0.4:
            for stream in (ACTIVATIONS, WEIGHTS, *((RESULTS,) if flip < 0.25 else ())):
                self.machine.stall(stream)

    def _try_double_order(self) -> None:
        """Fill a table with a channel at two places, and start a job that would read it."""
        rng = self.rng
        work = make_work(self.config, rng, 1, 1, 2, order=True)
        table, order = work.job.table, [0, 0]
        entries = [REGISTER["ORDER_ENTRY"].pack(place=place, channel=channel)
                   for place, channel in enumerate(order)]
        for name, value in (("TABLE_SELECT", table), ("TABLE_CLEAR", TablePart.ORDER.value),
                            *(("ORDER_ENTRY", entry) for entry in entries)):
            complete(self.driver.write(name, value))
        self.driver.orders.pop(table, None)
        self.tables.note(table, {"order": np.array(order)})
        refusal = self._start(work.job.registers())
        assert refusal is Refusal.ORDER_DOUBLE, refusal.name

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
        if self.config.k_max > 1 and self.rng.random() < 0.1:
            self._try_double_order()

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
