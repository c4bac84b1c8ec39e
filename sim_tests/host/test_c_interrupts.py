"""The C example of jobs by interrupt, on registers that follow the map."""

import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from hw.host.driver import Job
from hw.registers.map import ADDRESSES, FAULTS, REFUSED, Refusal, StreamFault
from sim_tests.host.c_driver import COMPILER, EXAMPLE, SOURCES, CDriver, Host, Result
from sim_tests.host.register_stand_in import JOB_SLOTS, SMALL, StandIn

JOB = Job(m=5, n=6, k=70)
IDLE_WAKE_UPS = 16
"""In a row, after which the example gives up."""


class Machine(StandIn):
    """Registers with an interrupt; jobs end while the host sleeps, or in the middle of an access.

    Attributes
    ----------
    naps : list of callable
        What happens in each sleep. A sleep without irq and with nothing to happen is for ever.
    after_read : dict
        By register name: what happens between the next read of it and the access that follows.
    """

    def __init__(self):
        super().__init__(SMALL)
        self.naps: list[Callable] = []
        self.after_read: dict[str, Callable] = {}
        self.sleeps = 0

    @property
    def irq(self) -> bool:
        """The interrupt."""
        return bool(self.values["IRQ_PENDING"] & self.values["IRQ_ENABLE"])

    def read(self, address: int) -> int:
        """Read a register, and let happen what is to happen then."""
        value = super().read(address)
        for name in [name for name in self.after_read if ADDRESSES[name] == address]:
            self.after_read.pop(name)()
        return value

    def sleep(self) -> bool:
        """Sleep until irq is high; tell whether it is."""
        self.sleeps += 1
        assert self.sleeps < 100, "interrupts for ever"
        if not self.irq and self.naps:
            self.naps.pop(0)()
        return self.irq

    def fault(self, fault: StreamFault) -> None:
        """Let a packet not fit."""
        self.values["IRQ_PENDING"] |= fault << FAULTS

    def end_two(self) -> None:
        """Let two jobs end."""
        self.end_job()
        self.end_job()


def opened(host: Host, kind: type[Machine] = Machine) -> tuple[CDriver, Machine]:
    """Open registers that interrupt, where JOBS_ENDED is about to wrap."""
    machine = kind()
    machine.values["JOBS_ENDED"] = (1 << 32) - 1
    driver = CDriver(machine.read, machine.write, machine.sleep, host)
    assert driver.open()[0] == Result.OK
    return driver, machine


@pytest.mark.parametrize("standard", ["c99", "c11"])
def test_it_compiles_without_a_warning(tmp_path, standard):
    subprocess.run([COMPILER, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic",
                    f"-I{SOURCES}", "-c", str(EXAMPLE / "interrupts.c"),
                    "-o", str(tmp_path / "interrupts.o")], check=True)


def test_jobs_are_started_as_others_end(host):
    driver, machine = opened(host)
    jobs = [replace(JOB, m=m) for m in range(1, 11)]
    machine.naps = [machine.end_job] * len(jobs)
    assert driver.run_jobs(jobs) == (Result.OK, (10, 0, 0), [Refusal.NONE] * 10)
    assert machine.jobs == [job.registers() for job in jobs]
    assert machine.sleeps == 10
    assert machine.values["IRQ_PENDING"] == machine.values["IRQ_ENABLE"] == 0, "no irq is left"


def test_two_jobs_that_end_before_the_handler_runs_both_count(host):
    driver, machine = opened(host)
    machine.naps = [machine.end_two, machine.end_two, machine.end_job]
    assert driver.run_jobs([JOB] * 5)[:2] == (Result.OK, (5, 0, 0))
    assert machine.sleeps == 3


@pytest.mark.parametrize("moment", ["IRQ_PENDING", "JOBS_ENDED"])
def test_a_job_that_ends_while_another_is_handled_is_not_lost(host, moment):
    """Let it end between the read and the clear of the events, and after the count was read."""
    driver, machine = opened(host)

    def nap():
        machine.end_job()
        machine.after_read[moment] = machine.end_job

    machine.naps = [nap]
    assert driver.run_jobs([JOB] * 2)[:2] == (Result.OK, (2, 0, 0))
    assert machine.sleeps == (1 if moment == "IRQ_PENDING" else 2)


def test_an_event_of_another_kind_between_read_and_clear_interrupts_again(host):
    driver, machine = opened(host)

    def nap():
        machine.end_job()
        machine.after_read["IRQ_PENDING"] = lambda: machine.fault(StreamFault.WEIGHT_KEEP)

    machine.naps = [nap, machine.end_job]
    assert driver.run_jobs([JOB] * 2)[:2] == (Result.OK, (2, 0, StreamFault.WEIGHT_KEEP))
    assert machine.sleeps == 3


def test_faults_and_refusals_are_collected(host):
    driver, machine = opened(host)
    jobs = [JOB, replace(JOB, n=0), JOB, replace(JOB, k=301)]

    def nap():
        machine.fault(StreamFault.ACT_LENGTH)
        machine.end_two()

    machine.naps = [lambda: machine.fault(StreamFault.ACT_KEEP), nap]
    faults = StreamFault.ACT_KEEP | StreamFault.ACT_LENGTH
    assert driver.run_jobs(jobs) == (Result.OK, (2, 2, faults), [
        Refusal.NONE, Refusal.ZERO_SIZE, Refusal.NONE, Refusal.K_TOO_LARGE])
    assert driver.run_jobs([replace(JOB, n=0)])[:2] == (Result.OK, (0, 1, 0))
    assert not machine.values["IRQ_PENDING"] & 1 << REFUSED


def test_a_machine_that_stays_silent_is_given_up(host):
    driver, machine = opened(host)
    machine.naps = [machine.end_job]
    assert driver.run_jobs([JOB] * 7)[:2] == (Result.TIMED_OUT, (1, 0, 0))
    assert len(machine.jobs) == JOB_SLOTS + 1


class StuckLine(Machine):
    """A machine whose irq line is high at the host whatever the registers say."""

    @property
    def irq(self) -> bool:
        """The line."""
        return True

    def sleep(self) -> bool:
        """Return at once; a job may have ended."""
        if self.naps:
            self.naps.pop(0)()
        return super().sleep()


class StuckEvents(Machine):
    """A machine whose events stay pending, however often they are cleared."""

    def write(self, address: int, value: int) -> None:
        """Write a register, or lose the write."""
        if address != ADDRESSES["IRQ_PENDING"]:
            super().write(address, value)


def nothing() -> None:
    """Let nothing happen in a sleep."""


def test_a_line_that_is_stuck_high_is_given_up(host):
    driver, machine = opened(host, StuckLine)
    assert driver.run_jobs([JOB] * 3)[:2] == (Result.TIMED_OUT, (0, 0, 0))
    assert machine.sleeps == IDLE_WAKE_UPS
    assert machine.values["IRQ_ENABLE"] == 0, "nothing interrupts that nobody handles"


def test_what_comes_in_between_begins_the_count_of_idle_wake_ups_anew(host):
    driver, machine = opened(host, StuckLine)
    idle = [nothing] * (IDLE_WAKE_UPS - 1)
    machine.naps = [*idle, machine.end_job, *idle, lambda: machine.fault(StreamFault.ACT_KEEP),
                    *idle, machine.end_job]
    assert driver.run_jobs([JOB] * 2)[:2] == (Result.OK, (2, 0, StreamFault.ACT_KEEP))
    assert driver.run_jobs([JOB])[:2] == (Result.TIMED_OUT, (0, 0, 0))


def test_an_end_that_can_not_be_cleared_is_given_up(host):
    driver, machine = opened(host, StuckEvents)
    machine.naps = [machine.end_job]
    assert driver.run_jobs([JOB] * 2)[:2] == (Result.TIMED_OUT, (1, 0, 0))
    assert machine.sleeps == 1 + IDLE_WAKE_UPS
    assert machine.values["IRQ_ENABLE"] == 0


@pytest.mark.parametrize("fault", StreamFault)
def test_a_fault_that_can_not_be_cleared_interrupts_once(host, fault):
    driver, machine = opened(host, StuckEvents)
    machine.naps = [lambda: machine.fault(fault), machine.end_job]
    assert driver.run_jobs([JOB])[:2] == (Result.OK, (1, 0, fault))
    assert machine.sleeps == 2


def test_a_fault_of_many_packets_interrupts_once(host):
    driver, machine = opened(host)

    def nap():
        for _ in range(2 * IDLE_WAKE_UPS):
            machine.fault(StreamFault.ACT_KEEP)
            assert not machine.irq
        machine.end_job()

    machine.naps = [lambda: machine.fault(StreamFault.ACT_KEEP), nap]
    assert driver.run_jobs([JOB])[:2] == (Result.OK, (1, 0, StreamFault.ACT_KEEP))
    assert machine.sleeps == 2


def test_the_interrupt_is_masked_however_it_ends(host):
    driver, machine = opened(host)
    assert driver.run_jobs([JOB])[:2] == (Result.TIMED_OUT, (0, 0, 0))
    assert machine.values["IRQ_ENABLE"] == 0


def test_faults_of_jobs_before_are_not_those_of_these(host):
    driver, machine = opened(host)
    machine.fault(StreamFault.ACT_KEEP)
    machine.naps = [machine.end_job]
    assert driver.run_jobs([JOB])[:2] == (Result.OK, (1, 0, 0))
