"""The C driver on the simulated machine: a process of its own, its bus two pipes to the carrier."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from hw.contract.config import Config
from hw.host.carrier import ACTIVATIONS, RESULTS, WEIGHTS
from hw.host.carrier_driver import complete
from hw.host.machine import Machine
from hw.host.packet_order import weight_passes
from hw.host.results import packet_count, read_results
from hw.host.work import Work, act_packets, weight_packets
from hw.registers.map import Refusal
from sim_tests.fuzz import command as fuzz
from sim_tests.host.c_driver import CDriver, Result
from simulation.machine import SimulatedMachine
from simulation.machines import QUICK
from simulation.works.expected import expected_results
from simulation.works.random_works import make_work


class Bench(NamedTuple):
    """A machine, what carries the C driver's accesses to it, and Python's library beside it."""

    carrier: SimulatedMachine
    host: Machine
    config: Config
    rng: np.random.Generator

    def driver(self, sleep: Callable[[], bool] | None = None) -> CDriver:
        """Open the C driver."""
        driver = CDriver(self.carrier.read, self.carrier.write, sleep)
        result, parameters = driver.open()
        assert result == Result.OK
        assert parameters["ROWS"] == self.config.rows
        assert parameters["K_MAX"] == self.config.k_max
        return driver

    def work(self, m: int, n: int) -> Work:
        """Make a GEMM of this many rows and columns."""
        return make_work(self.config, self.rng, m, n, min(40, self.config.k_max))

    def feed(self, work: Work) -> None:
        """Queue a job's packets."""
        self.carrier.send(ACTIVATIONS, act_packets(self.config, work))
        passes = weight_passes(self.config, work.job)
        self.carrier.send(WEIGHTS, weight_packets(self.config, work) * passes)

    def check(self, work: Work) -> None:
        """Take a job's results, and compare every bit."""
        packets = self.carrier.take(packet_count(self.config, work.job))
        results = read_results(self.config, work.job, packets)
        assert np.array_equal(results, expected_results(self.config, work))


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(f"poisoned_{name}"))
                        for name in QUICK])  # with the models that the fuzzer builds
def bench(request) -> Iterator[Bench]:
    config = QUICK[request.param]
    with SimulatedMachine(fuzz.build(request.param)) as carrier:
        yield Bench(carrier, Machine(carrier), config, np.random.default_rng(1))


def test_the_c_driver_runs_jobs(bench):
    driver, config = bench.driver(), bench.config
    for number in range(3):
        work = bench.work(config.rows + number, config.cols + 1)
        refused = replace(work.job, k=config.k_max + 1)
        assert driver.start(refused) == (Result.REFUSED, Refusal.K_TOO_LARGE)
        assert driver.start(work.job) == (Result.OK, Refusal.NONE)
        bench.feed(work)
        assert driver.wait(number + 1, 2) == Result.TIMED_OUT
        bench.check(work)
        assert driver.wait(number + 1, 1_000) == Result.OK
        assert driver.jobs_ended() == (Result.OK, number + 1)
        assert driver.check() == (Result.OK, 0)
        result, counters = driver.counters()
        assert result == Result.OK
        assert counters == complete(bench.host.driver.counters())
        assert counters["beats"] > 0


def test_the_c_driver_loads_an_order(bench):
    driver, work = bench.driver(), bench.work(bench.config.rows + 1, bench.config.cols + 1)
    order = [int(channel) for channel in bench.rng.permutation(work.job.k)]
    table = work.job.table
    assert driver.load_order(table, order) == Result.OK
    # The machine sees the channels as they were before they were put into this order.
    arriving = np.empty_like(work.activations)
    arriving[:, order] = work.activations
    reordered = replace(work, activations=arriving, job=replace(work.job, reorder=True))
    assert driver.start(reordered.job) == (Result.OK, Refusal.NONE)
    assert driver.load_order(table, order) == Result.BUS_ERROR, "table in use"
    bench.feed(reordered)
    bench.check(work)


def test_the_c_driver_aborts_and_resumes(bench):
    driver, carrier = bench.driver(), bench.carrier
    work = bench.work(bench.config.rows, bench.config.cols)
    assert driver.start(work.job) == (Result.OK, Refusal.NONE)
    carrier.stall(RESULTS, break_share=0.999, break_cycles=10**9)
    bench.feed(work)
    while driver.output_pending() != (Result.OK, 1):
        carrier.advance(1)
    assert driver.abort() == Result.OK
    assert driver.output_pending() == (Result.OK, 1)
    _, ended = driver.jobs_ended()  # the aborted one, if only its results were left
    carrier.stall(RESULTS)
    carrier.drain()
    assert driver.output_pending() == (Result.OK, 0)
    assert driver.start(work.job) == (Result.REFUSED, Refusal.DRAINING)
    assert driver.resume() == Result.OK
    assert driver.start(work.job) == (Result.OK, Refusal.NONE)
    bench.feed(work)
    bench.check(work)
    assert driver.jobs_ended() == (Result.OK, ended + 1)


def test_the_c_example_runs_jobs_by_interrupt(bench):
    works = [bench.work(bench.config.rows + number, bench.config.cols) for number in range(6)]
    jobs = [work.job for work in works]
    jobs.insert(2, replace(jobs[0], k=bench.config.k_max + 1))

    def sleep() -> bool:
        bench.carrier.wait_for_interrupt(100_000)
        return True

    driver = bench.driver(sleep)
    for work in works:
        bench.feed(work)
    refusals = [Refusal.NONE] * len(jobs)
    refusals[2] = Refusal.K_TOO_LARGE
    assert driver.run_jobs(jobs) == (Result.OK, (6, 1, 0), refusals)
    for work in works:
        bench.check(work)
    assert not bench.carrier.interrupt
