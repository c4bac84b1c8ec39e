"""Whole jobs in the simulator, compared with what golden says of them."""

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from hw.host.results import Counters, Results
from hw.host.work import Work
from sim_tests import drive
from sim_tests.machine import BenchMachine
from simulation.works.expected import expected_counts, expected_maxima, expected_results


def compare_results(actual: Results, expected: Results, what: str = "C", **context) -> None:
    """Compare a job's results, or its packets byte by byte."""
    if isinstance(expected, np.ndarray):
        drive.compare(actual, expected, what, **context)
        return
    assert len(actual) == len(expected), f"{len(actual)} packets, expected {len(expected)}"
    for index, (packet, wanted) in enumerate(zip(actual, expected, strict=True)):
        drive.compare(np.frombuffer(packet, np.uint8), np.frombuffer(wanted, np.uint8),
                      f"{what}, packet {index}", **context)


def check(machine: BenchMachine, work: Work, results: Results, counters: Counters | None) -> None:
    """Compare a job's results and clockless counters, where they were read, with golden's."""
    job = asdict(work.job)
    compare_results(results, expected_results(machine.config, work), **job)
    if counters is None:
        return
    for name, count in expected_counts(machine.config, work).items():
        assert counters[name] == count, f"{name}: {counters[name]}, expected {count} in {job}"


async def check_maxima(machine: BenchMachine, works: Iterable[Work]) -> None:
    """Compare the maxima that the last of these jobs to measure has recorded, if any did."""
    measured = [work for work in works if work.job.measure]
    if measured:
        job = measured[-1].job
        maxima = await machine.driver.channel_maxima(job.k)
        drive.compare(maxima, expected_maxima(measured[-1]), "maximum", **asdict(job))


async def run_and_check(machine: BenchMachine, *works: Work) -> list[Counters | None]:
    """Run jobs back to back and check each."""
    outcomes = await machine.run_all(works)
    for work, (results, counters) in zip(works, outcomes, strict=True):
        check(machine, work, results, counters)
    await check_maxima(machine, works)
    return [counters for _, counters in outcomes]
