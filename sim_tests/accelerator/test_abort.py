"""Aborts and resets at any moment: bounded, clean on every stream, the next good job is right."""

from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamFrame

from hw.contract.job_codes import JobKind, Selection
from hw.host.driver import JobRefusedError
from hw.registers.map import Command, Refusal
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.machine import STREAMS
from sim_tests.stimuli.works import check_maxima, compare_results, run_and_check
from simulation.works.expected import expected_results
from simulation.works.random_works import make_work, random_work


async def watch_output(dut, broken: list[str]) -> None:
    """Note every time a result beat on offer goes away or changes before it is taken."""
    offered = None
    while True:
        await RisingEdge(dut.aclk)
        beat = None
        if int(dut.m_axis_out_tvalid.value):
            beat = tuple(int(getattr(dut, f"m_axis_out_{name}").value)
                         for name in ("tdata", "tkeep", "tlast"))
        if offered is not None and beat != offered:
            broken.append(f"cycle {drive.cycle()}: an offered beat became {beat}")
        offered = None if int(dut.m_axis_out_tready.value) else beat


async def abort(machine) -> None:
    """Abort, let the streams run dry, and resume."""
    driver = machine.driver
    await driver.abort()
    await machine.ticks(2)
    status = await driver.read("STATUS")
    assert status & 0xFFFF == 0, f"STATUS {status:#x}: jobs under way or welcome after ABORT"
    assert status >> 16 & 1, f"STATUS {status:#x}: not draining after ABORT"
    machine.out.pause = False
    for source, stream_bytes in ((machine.act, machine.config.act_bytes),
                                 (machine.weight, machine.config.weight_bytes)):
        source.clear_pause_generator()
        source.pause = False
        beats = sum(-(-len(frame.tdata) // stream_bytes) for frame in source.queue._queue)
        for _ in range(beats + 400):
            if source.empty() and source.idle():
                break
            await RisingEdge(machine.dut.aclk)
        assert source.empty(), f"{beats} beats were not swallowed in as many cycles"
    await machine.ticks(20)
    while not machine.out.empty():
        machine.out.recv_nowait()
    await driver.resume()
    assert await driver.read("STATUS") >> 16 & 1 == 0


@cocotb.test(timeout_time=40, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def aborted_at_any_moment(dut, stall):
    machine = await start(dut)
    rng, broken = drive.rng(), []
    watch = cocotb.start_soon(watch_output(dut, broken))
    for _ in range(drive.amount(16, 150)):
        machine.pause(dict.fromkeys(STREAMS, stall))
        machine.out.pause = bool(rng.random() < 0.3)
        for work in [random_work(machine.config, rng, 12) for _ in range(rng.integers(0, 5))]:
            if await machine.start_if_free(work):
                machine.feed(work)
        await machine.ticks(int(rng.integers(0, 400)))
        await abort(machine)
        ended = await machine.driver.read("JOBS_ENDED")
        await run_and_check(machine, random_work(machine.config, rng, 12))
        assert await machine.driver.read("JOBS_ENDED") == ended + 1
    watch.cancel()
    assert not broken, broken[0]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(size=[0xFFFFFFFF, 0x55555555, 0xAAAAAAAA])
async def begins_jobs_that_would_take_years_and_drops_them(dut, size):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    m, n, k = 2 * config.rows, 2 * config.cols, min(config.k_max, 40)
    for kind in JobKind:
        threshold = np.uint32(size & 0x7F7FFFFF).view(np.float32)
        work = make_work(config, rng, m, n, k, kind=kind, selection=Selection.THRESHOLD,
                         threshold=float(threshold), tiles=1)
        await machine.driver.start(replace(work.job, m=size, n=size))
        machine.feed(work)
        await machine.ticks(300)
        assert await machine.driver.read("STATUS") & 0xFF == 1, f"the {kind.name} ended"
        await abort(machine)
        await run_and_check(machine, work)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def refuses_and_swallows_until_it_is_resumed(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    work = make_work(config, rng, 2 * config.rows, 2 * config.cols, min(48, config.k_max))
    (before,) = await run_and_check(machine, work)
    assert not await machine.driver.output_pending()
    machine.out.pause = True
    await machine.start(work)
    machine.feed(work)
    while not int(dut.m_axis_out_tvalid.value):
        await RisingEdge(dut.aclk)
    await machine.driver.abort()
    assert await machine.driver.output_pending()
    machine.out.pause = False
    await machine.ticks(20)
    assert not await machine.driver.output_pending()
    machine.out.clear()
    with pytest.raises(JobRefusedError) as caught:
        await machine.driver.start(work.job)
    assert caught.value.code == Refusal.DRAINING
    machine.feed(work)
    await machine.act.wait()
    await machine.weight.wait()
    assert await machine.driver.counters() == before, "the last job's counters stay"
    # A packet that is half sent when the machine resumes is dropped to its end.
    packet = bytes(6 * config.act_bytes)
    machine.act.send_nowait(AxiStreamFrame(packet))
    while not int(dut.s_axis_act_tvalid.value):
        await RisingEdge(dut.aclk)
    await RisingEdge(dut.aclk)
    machine.act.pause = True
    await machine.ticks(2)
    await machine.driver.resume()
    machine.act.pause = False
    await run_and_check(machine, work)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_start_in_the_same_write_as_an_abort_is_refused(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    work = make_work(config, rng, config.rows, config.cols, min(16, config.k_max))
    await run_and_check(machine, work)  # the registers hold a good job
    await machine.driver.write("CONTROL", Command.START | Command.ABORT)
    assert await machine.driver.read("REFUSAL") == Refusal.DRAINING
    await abort(machine)
    await run_and_check(machine, work)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def several_commands_in_one_write_count_as_the_page_says(dut):
    machine = await start(dut)
    rng, config, driver = drive.rng(), machine.config, machine.driver
    work = make_work(config, rng, config.rows, config.cols, min(16, config.k_max))
    await run_and_check(machine, work)  # the registers hold a good job

    async def command(commands, refusal, drains):
        await driver.write("CONTROL", commands)
        assert await driver.read("REFUSAL") == refusal, repr(commands)
        assert await driver.read("STATUS") >> 16 & 1 == drains, repr(commands)

    await command(Command.ABORT | Command.RESUME, Refusal.NONE, drains=1)
    await command(Command.START | Command.RESUME, Refusal.DRAINING, drains=0)
    await command(Command.START | Command.ABORT | Command.RESUME, Refusal.DRAINING, drains=1)
    await command(Command.RESUME, Refusal.DRAINING, drains=0)
    ended = await driver.read("JOBS_ENDED")
    await command(Command.START | Command.RESUME, Refusal.NONE, drains=0)
    machine.feed(work)
    compare_results(await machine.collect(work.job), expected_results(config, work))
    await driver.wait(ended + 1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def tables_and_maxima_outlast_an_abort(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    k = min(60, config.k_max)
    work = make_work(config, rng, config.rows + 1, config.cols + 1, k, order=True, table=0,
                     measure=True, float_format=config.float_formats[-1])
    await run_and_check(machine, work)
    await abort(machine)
    await check_maxima(machine, [work])
    ended = await machine.driver.read("JOBS_ENDED")
    await machine.driver.start(work.job)  # loads no table
    machine.feed(work)
    compare_results(await machine.collect(work.job), expected_results(config, work))
    await machine.driver.wait(ended + 1)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def reset_in_the_middle_of_jobs(dut):
    machine = await start(dut)
    rng = drive.rng()
    for _ in range(drive.amount(8, 40)):
        for work in [random_work(machine.config, rng, 12) for _ in range(3)]:
            if await machine.start_if_free(work):
                machine.feed(work)
        await machine.ticks(int(rng.integers(0, 300)))
        await machine.reset()
        await run_and_check(machine, random_work(machine.config, rng, 12))


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_abort(name):
    accelerators.simulate(name, __name__, label="abort")
