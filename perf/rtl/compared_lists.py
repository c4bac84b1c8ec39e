"""Lists of commands that have run on the compiled machine, and what was predicted of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hw.contract.config import Config
from hw.host.memory.bus_counters import BusCounters
from hw.host.memory.registers import NamedRegisters
from hw.host.memory.ring_setup import EVENTS
from perf.rtl.bus_schedule import Latencies, ListSchedule, ScheduledCommand, predict_list
from perf.rtl.drawn_lists import BASE, RING_SIZE, SIZE, DrawnList
from perf.rtl.schedule import COUNTER_NAMES
from perf.rtl.schedule.array import beats_of_passes
from simulation.memory_machine import Manners, SimulatedMemoryMachine

DOORBELL = 2
"""RING_TAIL is written over the registers' bus; so much later it has changed."""

LIMIT = 10_000_000

Seen = dict[str, Any]
"""What was counted, or predicted, by its name."""


@dataclass(frozen=True)
class RanList:
    """A list that has run.

    Attributes
    ----------
    name : str
        Of the machine, a comma, and which list.
    config : Config
    commands : list of ScheduledCommand
    latencies : Latencies
    notify_address : int
    counted : dict
        By the names of `predicted_of`.
    wrong_bytes : int
        Of memory, that golden's ring has otherwise.
    """

    name: str
    config: Config
    commands: Sequence[ScheduledCommand]
    latencies: Latencies
    notify_address: int
    counted: Seen
    wrong_bytes: int

    def predict(self) -> ListSchedule:
        """Predict it."""
        return predict_list(self.config, self.commands, self.latencies, ring=(BASE, RING_SIZE),
                            notify_address=self.notify_address)


@dataclass(frozen=True)
class ComparedList:
    """A list, as it ran and as it was predicted.

    Attributes
    ----------
    ran : RanList
    predicted : dict
        As `predicted_of` gives it.
    """

    ran: RanList
    predicted: Seen

    @property
    def machine(self) -> str:
        """Its name."""
        return self.ran.name.partition(",")[0]

    @property
    def jobs(self) -> int:
        """How many it has."""
        return sum(len(each.jobs) for each in self.ran.commands)

    @property
    def cycles(self) -> int:
        """From the doorbell to the last answer."""
        return self.ran.counted["command_ends"][-1]

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Counted and predicted, of all that differs."""
        return {name: (value, self.predicted[name]) for name, value in self.ran.counted.items()
                if value != self.predicted[name]}

    @property
    def is_exact(self) -> bool:
        """Whether nothing differs, be it a cycle or a byte."""
        return not self.differences and not self.ran.wrong_bytes


def run(device: SimulatedMemoryMachine, name: str, drawn: DrawnList,
        latencies: Latencies) -> RanList:
    """Run a list beside a memory of such latencies."""
    commands, after = drawn.scheduled()
    manners = Manners(read_latency=latencies.read, write_latency=latencies.write,
                      jitter=latencies.jitter, pause=latencies.pause, seed=latencies.seed)
    lead, counted = run_list(device, drawn, manners, beats_of(drawn.config, commands))
    return RanList(name, drawn.config, commands, replace(latencies, lead=lead),
                   drawn.notify_address, counted,
                   int(np.count_nonzero(device.memory != after)))


def compare(ran: RanList) -> ComparedList:
    """Predict a list that has run."""
    return ComparedList(ran, predicted_of(ran.predict()))


def beats_of(config: Config, commands: Sequence[ScheduledCommand]) -> list[int]:
    """Count the beats of each GEMM of a list."""
    return [
        int(np.broadcast_to(beats_of_passes(job.precisions[1], job.precisions[3]), (
            -(-job.m // config.rows), -(-job.n // config.cols))).sum())
        for each in commands for job in each.jobs
        if not each.command.converts and not each.command.is_vector]


def predicted_of(schedule: ListSchedule) -> Seen:
    """Say what a list will have counted."""
    gemms = [job for job in schedule.jobs if job.beats]
    return {
        "first_beats": schedule.first_beats, "last_beats": schedule.last_beats,
        "job_ends": schedule.job_ends, "command_ends": schedule.command_ends,
        **{name: [getattr(job, name) for job in gemms]
           for name in ("act_stalls", "weight_stalls", "result_stalls")},
        **schedule.bus,
        **{f"last_{name}": value for name, value in asdict(schedule.jobs[-1]).items()}}


def run_list(device: SimulatedMemoryMachine, drawn: DrawnList, manners: Manners,
             beats: Sequence[int]) -> tuple[int, Seen]:
    """Run a list on a machine out of its reset, whose GEMMs have so many beats.

    Returns
    -------
    lead : int
        As of `Latencies`.
    dict
        By the names of `predicted_of`. Cycles count from the one in which RING_TAIL has changed.
    """
    device.reset()
    device.behave(manners)
    behaves = device.cycles + 1
    device.memory[:] = drawn.bytes()
    registers = NamedRegisters(device)
    for name, value in (("WINDOW_BASE", BASE), ("WINDOW_END", BASE + SIZE), ("RING_BASE", BASE),
                        ("NOTIFY_ADDRESS", drawn.notify_address)):
        registers.write_long(name, value)
    for name, value in (("RING_SIZE_LOG2", RING_SIZE.bit_length() - 1),
                        ("RING_IRQ_ENABLE", EVENTS), ("RING_ENABLE", 1)):
        registers.write(name, value)
    lasts = np.cumsum(beats).tolist()
    firsts = [last - count + 1 for last, count in zip(lasts, beats, strict=True)]
    device.mark(sorted({*firsts, *lasts}))
    before, began = BusCounters.read(registers), device.cycles + DOORBELL
    registers.write("RING_TAIL", len(drawn.commands))
    device.wait_for_interrupt(LIMIT)
    device.wait_for_quiet()  # words that follow a packet may come when all has ended
    bus = asdict(BusCounters.read(registers) - before)
    noted = {counts.beats: counts for counts in device.noted()}
    stalls = {name: [getattr(noted[last], name) for last in lasts]
              for name in ("act_stalls", "weight_stalls", "result_stalls")}
    return began - behaves, {
        **{name: [noted[each].last_beat - 1 - began for each in places]
           for name, places in (("first_beats", firsts), ("last_beats", lasts))},
        "job_ends": [cycle - began for cycle in device.job_ends()],
        "command_ends": [cycle - 1 - began for cycle in device.command_ends()],
        **{name: np.diff(counts, prepend=0).tolist() for name, counts in stalls.items()}, **bus,
        **{f"last_{name}": registers.read_long(name.upper()) for name in COUNTER_NAMES}}
