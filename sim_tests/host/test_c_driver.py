"""The C driver on the accelerator: its calls block in a thread while the simulation goes on."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge, resume
from cocotb.triggers import RisingEdge, with_timeout

from hw.registers.map import Refusal
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.host.c_driver import CDriver, Result
from sim_tests.machine import Machine
from simulation.works.expected import expected_results
from simulation.works.random_works import make_work


def c_driver(machine: Machine) -> CDriver:
    """Give the C driver the simulated machine's bus; its calls belong in a `bridge`."""
    return CDriver(resume(machine.read), resume(machine.write))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_c_driver_runs_jobs(dut):
    machine = await start(dut)
    config, driver = machine.config, c_driver(machine)
    result, parameters = await bridge(driver.open)()
    assert result == Result.OK
    assert parameters == await machine.driver.identify()
    for number in range(3):
        k = min(40, config.k_max)
        work = make_work(config, drive.rng(), config.rows + number, config.cols + 1, k)
        refused = replace(work.job, k=config.k_max + 1)
        assert await bridge(driver.start)(refused) == (Result.REFUSED, Refusal.K_TOO_LARGE)
        assert await bridge(driver.start)(work.job) == (Result.OK, Refusal.NONE)
        machine.feed(work)
        assert await bridge(driver.wait)(number + 1, 2) == Result.TIMED_OUT
        drive.compare(await machine.collect(work.job), expected_results(config, work), "C")
        assert await bridge(driver.wait)(number + 1, 1_000) == Result.OK
        assert await bridge(driver.jobs_ended)() == (Result.OK, number + 1)
        assert await bridge(driver.check)() == (Result.OK, 0)
        assert await bridge(driver.counters)() == (Result.OK, await machine.driver.counters())


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_c_driver_loads_an_order(dut):
    machine = await start(dut)
    config, driver = machine.config, c_driver(machine)
    await bridge(driver.open)()
    k = min(40, config.k_max)
    work = make_work(config, drive.rng(), config.rows + 1, config.cols + 1, k)
    order = [int(channel) for channel in drive.rng("order").permutation(k)]
    table = work.job.table
    assert await bridge(driver.load_order)(table, order) == Result.OK
    # The machine sees the channels as they were before they were put into this order.
    arriving = np.empty_like(work.activations)
    arriving[:, order] = work.activations
    reordered = replace(work, activations=arriving, job=replace(work.job, reorder=True))
    assert await bridge(driver.start)(reordered.job) == (Result.OK, Refusal.NONE)
    assert await bridge(driver.load_order)(table, order) == Result.BUS_ERROR, "table in use"
    machine.feed(reordered)
    results = await machine.collect(work.job)
    drive.compare(results, expected_results(config, work), "C")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_c_driver_aborts_and_resumes(dut):
    machine = await start(dut)
    config, driver = machine.config, c_driver(machine)
    await bridge(driver.open)()
    work = make_work(config, drive.rng(), config.rows, config.cols, min(40, config.k_max))
    assert await bridge(driver.start)(work.job) == (Result.OK, Refusal.NONE)
    machine.out.pause = True
    machine.feed(work)
    while not int(dut.m_axis_out_tvalid.value):
        await RisingEdge(dut.aclk)
    assert await bridge(driver.abort)() == Result.OK
    assert await bridge(driver.output_pending)() == (Result.OK, 1)
    _, ended = await bridge(driver.jobs_ended)()  # the aborted one, if only its results were left
    machine.out.pause = False
    await machine.act.wait()
    await machine.weight.wait()
    await machine.ticks(20)
    assert await bridge(driver.output_pending)() == (Result.OK, 0)
    machine.out.clear()
    assert await bridge(driver.start)(work.job) == (Result.REFUSED, Refusal.DRAINING)
    assert await bridge(driver.resume)() == Result.OK
    assert await bridge(driver.start)(work.job) == (Result.OK, Refusal.NONE)
    machine.feed(work)
    drive.compare(await machine.collect(work.job), expected_results(config, work), "C")
    assert await bridge(driver.jobs_ended)() == (Result.OK, ended + 1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def the_c_example_runs_jobs_by_interrupt(dut):
    machine = await start(dut)
    config, rng = machine.config, drive.rng()
    works = [make_work(config, rng, config.rows + number, config.cols, min(40, config.k_max))
             for number in range(6)]
    jobs = [work.job for work in works]
    jobs.insert(2, replace(jobs[0], k=config.k_max + 1))

    async def sleep():
        if not int(dut.irq.value):
            await with_timeout(RisingEdge(dut.irq), 1, "ms")
        return True

    driver = CDriver(resume(machine.read), resume(machine.write), resume(sleep))
    await bridge(driver.open)()
    for work in works:
        machine.feed(work)
    refusals = [Refusal.NONE] * len(jobs)
    refusals[2] = Refusal.K_TOO_LARGE
    assert await bridge(driver.run_jobs)(jobs) == (Result.OK, (6, 1, 0), refusals)
    for work in works:
        drive.compare(await machine.collect(work.job), expected_results(config, work), "C")
    assert not int(dut.irq.value)


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_c_driver(name):
    accelerators.simulate(name, __name__, label="c_driver")
