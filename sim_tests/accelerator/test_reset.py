"""An abort, a reset of one cycle, in every cycle of a small job: the next job is right."""

from dataclasses import dataclass

import cocotb
import pytest
from cocotb.triggers import ReadWrite, RisingEdge, SimTimeoutError, with_timeout

from hw.contract.job_codes import JobKind, Selection
from hw.host.results import Counters, Results
from hw.host.work import Work
from hw.registers.map import ENDED, Command
from sim_tests import accelerators, drive
from sim_tests.accelerator.test_abort import abort
from sim_tests.accelerators import start
from sim_tests.machine import BenchMachine
from sim_tests.recording import look_up_anew
from sim_tests.stimuli.broken_packets import deliver, spoil
from sim_tests.stimuli.works import compare_results
from simulation.works.expected import expected_counts, expected_results
from simulation.works.random_works import make_work

PATIENCE = 4_000
"""Cycles that a job and the access to its registers may take."""

AFTER = 8
"""Cycles beyond a job's last that are tried as well."""


@dataclass(frozen=True)
class Known:
    """A job and what it must give."""

    work: Work
    results: Results
    counts: Counters


def small_jobs(config, rng) -> list[Known]:
    """Make a job of every kind that is over soon; orders, maxima, biases and tags among them."""
    m, n, k = 2, 2, min(17, config.k_max)
    more = min(4, config.rows)  # rows, so that a packet of MX results has more than one beat
    last = config.outputs[-1]  # MX9, where results can leave in MX
    works = [
        make_work(config, rng, m, n, k, order=True, measure=True, bias=True, units=1),
        make_work(config, rng, more, n, k, kind=JobKind.GEMM_PACKED, output=last),
        make_work(config, rng, m, n, k, kind=JobKind.CONVERT, selection=Selection.STATIC,
                  order=True),
        make_work(config, rng, m, n, k, kind=JobKind.CONVERT_TRANSPOSED, units=1),
        make_work(config, rng, more, n, k, output=last, bias=True, selection=Selection.THRESHOLD),
    ]
    return [Known(work, expected_results(config, work), expected_counts(config, work))
            for work in works]


async def run(machine: BenchMachine, known: Known) -> None:
    """Run a job and check all that it gives; none is under way, no interrupt is pending."""
    driver, work = machine.driver, known.work
    ended = await driver.read("JOBS_ENDED")
    assert await driver.read("IRQ_PENDING") == 0, "an interrupt before the job"
    assert machine.out.empty() and machine.out.idle(), "results that nobody asked for"
    try:
        results, counters = await with_timeout(machine.run(work), PATIENCE * drive.PERIOD_NS, "ns")
    except SimTimeoutError:
        raise AssertionError(f"{work.job.kind.name} does not end") from None
    compare_results(results, known.results, work.job.kind.name)
    for name, count in known.counts.items():
        assert counters[name] == count, f"{name}: {counters[name]}, expected {count}"
    assert await driver.read("JOBS_ENDED") == ended + 1
    assert await driver.read("JOB_FAULTS") == 0
    assert await driver.read("IRQ_PENDING") == 1 << ENDED
    assert machine.out.empty() and machine.out.idle(), "more results than the job has"
    await driver.write("IRQ_PENDING", 1 << ENDED)


async def run_next(machine: BenchMachine, jobs: list[Known], index: int, tried: int) -> None:
    """Run the job that was interrupted, where it may have left most, and one job of them all."""
    await run(machine, jobs[index])
    await run(machine, jobs[tried % len(jobs)])


async def begin(machine: BenchMachine, work: Work, faulty: bool = False) -> None:
    """Offer a job's packets, of wrong tkeep if asked, and start it: all streams at full rate."""
    await machine.load_table(work)
    await look_up_anew(machine, work)  # so that it always takes the same cycles
    for name, value in work.job.registers().items():
        await machine.driver.write(name, value)
    delivery = deliver(machine.config, work)
    for stream, packets in delivery.packets.items():
        for index in range(len(packets) if faulty else 0):
            delivery = spoil(machine.config, drive.rng(), delivery, stream, index, "keep")
        for packet in delivery.packets[stream]:
            machine.ends[stream].send_nowait(packet.frame())
    await machine.ticks(8)
    await machine.driver.write("CONTROL", Command.START.value)


async def length(machine: BenchMachine, known: Known) -> int:
    """Measure the cycles from the answer to START until a job has ended."""
    ended = await machine.driver.read("JOBS_ENDED")
    await begin(machine, known.work)
    await machine.driver.wait(ended + 1)
    cycles = (await machine.driver.counters())["cycles"]
    await machine.driver.write("IRQ_PENDING", 1 << ENDED)
    machine.out.clear()
    return cycles


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def aborts_in_every_cycle(dut):
    machine, tried = await start(dut), 0
    driver, jobs = machine.driver, small_jobs(machine.config, drive.rng())
    for index, known in enumerate(jobs):
        for cycle in range(await length(machine, known) + AFTER):
            ended = await driver.read("JOBS_ENDED")
            await begin(machine, known.work)
            await machine.ticks(cycle)
            await driver.abort()
            await machine.ticks(2)
            now = await driver.read("JOBS_ENDED")
            assert await driver.read("IRQ_PENDING") == (now - ended) << ENDED
            if now != ended:
                compare_results(await machine.collect(known.work.job), known.results)
            await abort(machine)
            assert await driver.read("JOBS_ENDED") == now
            await driver.write("IRQ_PENDING", 1 << ENDED)
            await run_next(machine, jobs, index, tried)
            tried += 1


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def resets_of_one_cycle_in_every_cycle(dut):
    machine, tried, wrong = await start(dut), 0, []
    jobs = small_jobs(machine.config, drive.rng())
    for index, known in enumerate(jobs):
        for cycle in range(await length(machine, known) + AFTER):
            await begin(machine, known.work, faulty=True)
            await machine.ticks(cycle)
            await machine.reset(cycles=1)
            try:
                for name in ("JOBS_ENDED", "IRQ_PENDING", "JOB_FAULTS", "CYCLES_LOW"):
                    value = await machine.driver.read(name)
                    assert value == 0, f"{name} is {value:#x} after a reset"
                await run_next(machine, jobs, index, tried)
            except AssertionError as error:
                wrong.append(f"{known.work.job.kind.name}, cycle {cycle}: {error}")
                await machine.reset()
            tried += 1
    assert not wrong, "\n".join([f"{len(wrong)} of {tried} resets:", *wrong])


@dataclass
class Source:
    """Offers a job's beats on one stream from some cycle on, whatever the machine's state.

    Attributes
    ----------
    accepted : list of int
        The cycles in which beats were taken.
    """

    dut: object
    stream: str
    beats: list[tuple[int, int, int]]  # tdata, tkeep, tlast
    accepted: list[int]

    async def run(self, wait: int) -> None:
        """Offer each beat until it is taken outside of a reset."""
        ports = {name: getattr(self.dut, f"{self.stream}_t{name}")
                 for name in ("data", "keep", "last", "valid", "ready")}
        edge = RisingEdge(self.dut.aclk)
        for _ in range(wait):
            await edge
        for data, keep, last in self.beats:
            await ReadWrite()  # behind the idle source of `BenchMachine`, on the same ports
            ports["data"].value, ports["keep"].value, ports["last"].value = data, keep, last
            ports["valid"].value = 1
            await edge
            while not (int(ports["ready"].value) and int(self.dut.aresetn.value)):
                await edge
            self.accepted.append(drive.cycle())
        await ReadWrite()
        ports["valid"].value = 0


def sources(machine: BenchMachine, work: Work) -> list[Source]:
    """Make the sources of a job's packets, one for each stream that has any."""
    widths = {"s_axis_act": machine.config.act_bytes, "s_axis_wgt": machine.config.weight_bytes}
    made = []
    for stream, packets in deliver(machine.config, work).packets.items():
        beats = []
        for packet in packets:
            starts = range(0, len(packet.data), widths[stream])
            for first in starts:
                part = packet.data[first : first + widths[stream]]
                beats.append((int.from_bytes(part, "little"), (1 << len(part)) - 1,
                              int(first == starts[-1])))
        made += [Source(machine.dut, stream, beats, [])] if beats else []
    return made


async def takes_all(machine: BenchMachine, known: Known) -> None:
    """Start a job whose beats are offered already, and check it."""
    ended = await machine.driver.read("JOBS_ENDED")
    await machine.driver.start(known.work.job)
    try:
        results = await with_timeout(machine.collect(known.work.job),
                                     PATIENCE * drive.PERIOD_NS, "ns")
    except SimTimeoutError:
        raise AssertionError("the job does not end") from None
    compare_results(results, known.results)
    await machine.driver.wait(ended + 1)
    assert await machine.driver.read("IRQ_PENDING") == 1 << ENDED


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def loses_no_beat_that_it_takes_after_a_reset(dut):
    machine, wrong = await start(dut), []
    known = small_jobs(machine.config, drive.rng())[-1]
    for cycles in (1, 4):
        for wait in range(cycles + 4):
            offered = sources(machine, known.work)
            reset = cocotb.start_soon(machine.reset(cycles))
            running = [cocotb.start_soon(source.run(wait)) for source in offered]
            await reset
            try:
                await takes_all(machine, known)
            except AssertionError as error:
                wrong.append(f"offered from cycle {wait} of a reset of {cycles}: {error}")
            for task in running:
                task.cancel()
            dut.s_axis_act_tvalid.value = dut.s_axis_wgt_tvalid.value = 0
            await machine.reset()
    assert not wrong, "\n".join(["beats were lost:", *wrong])


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def loses_no_beat_that_it_takes_after_resume_is_answered(dut):
    machine, wrong, kept = await start(dut), [], 0
    known = small_jobs(machine.config, drive.rng())[-1]
    for wait in range(12):
        await machine.driver.abort()
        await machine.ticks(8)
        offered = sources(machine, known.work)
        resume = cocotb.start_soon(machine.driver.resume())
        running = [cocotb.start_soon(source.run(wait)) for source in offered]
        while not int(dut.s_axil_bvalid.value):
            await RisingEdge(dut.aclk)
        answered = drive.cycle()
        await resume
        await machine.ticks(12)
        if all(source.accepted[0] >= answered for source in offered):
            kept += 1
            try:
                await takes_all(machine, known)
            except AssertionError as error:
                after = [source.accepted[0] - answered for source in offered]
                wrong.append(f"taken {after} cycles after the answer: {error}")
        for task in running:
            task.cancel()
        dut.s_axis_act_tvalid.value = dut.s_axis_wgt_tvalid.value = 0
        await machine.reset()
    assert kept > 3 and not wrong, "\n".join(["beats were lost:", *wrong])


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_reset(name):
    accelerators.simulate(name, __name__, label="reset")
