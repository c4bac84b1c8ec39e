"""Whole jobs on a carrier, several under way at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulation.carrier import ACTIVATIONS, LIMIT, WEIGHTS, Carrier
from simulation.driving import CarrierDriver, complete
from simulation.generator import Job


@dataclass(frozen=True)
class Task:
    """A job with its packets.

    Attributes
    ----------
    job : Job
    activations, weights : sequence of bytes
        Packets in the order in which the machine reads them; weights as often as it does.
    results : int
        Packets that it gives.
    """

    job: Job
    activations: Sequence[bytes]
    weights: Sequence[bytes]
    results: int


@dataclass(frozen=True)
class Done:
    """What a job gave.

    Attributes
    ----------
    packets : list of bytes
        Its results.
    counters : dict of str to int, or None
        By lower-case name; None where the next job ended before they were read.
    """

    packets: list[bytes]
    counters: dict[str, int] | None


def run_tasks(carrier: Carrier, tasks: Sequence[Task], *, limit: int = LIMIT) -> list[Done]:
    """Run jobs back to back, with as many under way as the machine takes.

    All packets are queued first. The machine must be idle, and nothing may wait to be taken.

    Parameters
    ----------
    carrier : Carrier
    tasks : sequence of Task
        Whose calibration tables have been loaded.
    limit : int
        Cycles in which each must end.

    Returns
    -------
    list of Done

    Raises
    ------
    hw.host.driver.MachineError
        If a job is refused, a packet does not fit, or a limit is reached.
    """
    return complete(_run(carrier, tasks, limit))


async def _run(carrier: Carrier, tasks: Sequence[Task], limit: int) -> list[Done]:
    driver = CarrierDriver(carrier, limit)
    await driver.enable()
    slots, before = await driver.read("JOB_SLOTS"), await driver.read("JOBS_ENDED")
    for task in tasks:
        carrier.send(ACTIVATIONS, task.activations)
        carrier.send(WEIGHTS, task.weights)
    started, counters = 0, []
    for ended in range(1, len(tasks) + 1):
        while started < min(len(tasks), ended - 1 + slots):
            await driver.start(tasks[started].job)
            started += 1
        await driver.wait(before + ended)
        latched = await driver.counters()
        is_last = await driver.read("JOBS_ENDED") == (before + ended) % (1 << 32)
        counters.append(latched if is_last else None)
    await driver.check()
    packets = [carrier.take(task.results, limit) for task in tasks]
    return [Done(*each) for each in zip(packets, counters, strict=True)]
