"""Random jobs on the machines of the fuzzer, which say what they try."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.registers.map import REGISTER, Command, Refusal, TablePart
from sim_tests.coverage.functional.dimensions import Bin, bins_of
from sim_tests.coverage.functional.observation import observe
from sim_tests.fuzz.breaks import Breaks
from sim_tests.fuzz.jobs import Fuzzer
from sim_tests.fuzz.meddler import Meddler
from sim_tests.fuzz.models import Counting, counting
from sim_tests.fuzz.rig import Rig
from sim_tests.fuzz.under_way import UnderWay
from sim_tests.stimuli.broken_packets import Delivery
from simulation.machine import SimulatedMachine
from simulation.machines import MATRIX
from simulation.works.random_works import make_work


class SampledJobs(UnderWay):
    """Jobs under way that are sampled when they have passed, or when an abort drops them.

    Parameters
    ----------
    rig : Rig

    Attributes
    ----------
    bins : Counter of Bin
    stalls : dict of int to str
        Which ends of streams paused when each of the jobs began, by its place among them.
    is_reset : bool
        The next jobs to be dropped are so by a reset, which is no combination.
    """

    def __init__(self, rig: Rig):
        self.bins: Counter[Bin] = Counter()
        self.stalls: dict[int, str] = {}
        self.is_reset = False
        self._sampled = 0  # of the jobs started since the machine was empty
        self.started = []
        super().__init__(rig)

    def compare_arrived(self, most: int) -> None:
        super().compare_arrived(most)
        self._sample(self.compared, "done")

    def begin_anew(self) -> None:
        if not self.is_reset:
            self._sample(len(self.started), "aborted")
        self._sampled, self.is_reset = 0, False
        self.stalls.clear()
        super().begin_anew()

    def _sample(self, to: int, end: str) -> None:
        for number in range(self._sampled, to):
            each = self.started[number]
            seen = observe(self.config, each.work, faults=each.delivery.faults,
                           stall=self.stalls[number], end=end)
            self.bins.update(bins_of(seen))
        self._sampled = to


class SampledBreaks(Breaks):
    """Aborts and resets, of which starts in a drain and the loss of jobs are sampled."""

    jobs: SampledJobs

    def _command(self, command: Command) -> None:
        super()._command(command)
        if Command.START & command:  # and it was refused, or there was an error
            self.jobs.bins[(("refused", Refusal.DRAINING.name),)] += 1

    def reset(self) -> None:
        self.jobs.is_reset = True
        super().reset()


class SampledFuzzer(Fuzzer):
    """A fuzzer that counts the combinations that its jobs try, once they have passed.

    Parameters
    ----------
    machine, config, rng, counting
        Of `Fuzzer`.
    """

    def __init__(self, machine: SimulatedMachine, config: Config, rng: np.random.Generator,
                 counting: Counting):
        self._stalled: set[str] = set()
        machine.stall = self._noting(machine.stall)
        super().__init__(machine, config, rng, counting)
        self.jobs = SampledJobs(self.rig)
        self.meddler = Meddler(self.rig, self.jobs)
        self.breaks = SampledBreaks(self.rig, self.jobs)

    @property
    def bins(self) -> Counter[Bin]:
        """Jobs by the combinations that they tried."""
        return self.jobs.bins

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

    def _try_job(self) -> None:
        """Often let streams have no pause at all: three rhythms seldom agree on that."""
        flip = self.rig.rng.random()
        if flip < 0.15:
            for stream in (ACTIVATIONS, WEIGHTS, *((RESULTS,) if flip < 0.1 else ())):
                self.rig.machine.stall(stream)
        super()._try_job()

    def _try_double_order(self) -> None:
        """Fill a table with a channel at two places, and start a job that would read it."""
        rig = self.rig
        work = make_work(rig.config, rig.rng, 1, 1, 2, order=True)
        table, order = work.job.table, [0, 0]
        entries = [REGISTER["ORDER_ENTRY"].pack(place=place, channel=channel)
                   for place, channel in enumerate(order)]
        for name, value in (("TABLE_SELECT", table), ("TABLE_CLEAR", TablePart.ORDER.value),
                            *(("ORDER_ENTRY", entry) for entry in entries)):
            rig.write(name, value)
        rig.driver.orders.pop(table, None)
        rig.tables.note(table, {"order": np.array(order)})
        refusal = self._start(work.job.registers())
        assert refusal is Refusal.ORDER_DOUBLE, refusal.name

    def _feed(self, delivery: Delivery) -> None:
        self.jobs.stalls[len(self.jobs.started) - 1] = self._stall_now()
        super()._feed(delivery)

    def _start(self, registers: dict[str, int]) -> Refusal:
        refusal = super()._start(registers)
        if refusal is not Refusal.NONE:
            self.bins[(("refused", refusal.name),)] += 1
        return refusal

    def _end(self) -> None:
        super()._end()
        if self.rig.config.k_max > 1 and self.rig.chance(0.1):
            self._try_double_order()


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
        fuzzer = SampledFuzzer(machine, MATRIX[name], np.random.default_rng(seed), counting(name))
        fuzzer.run(jobs)
        return fuzzer.bins
