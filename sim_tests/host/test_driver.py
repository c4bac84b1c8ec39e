"""The Python driver: its registers, its errors, its tables."""

import asyncio
import itertools
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

import hw.host.driver
from commands.tests.waiting import HANG_SECONDS
from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import (
    BusError,
    Driver,
    Job,
    JobRefusedError,
    MachineError,
    NoMachineError,
    StreamFaultError,
    WaitTimeoutError,
)
from hw.registers.built import build_config
from hw.registers.map import FAULTS, REFUSED, Refusal, StreamFault
from sim_tests.host.register_stand_in import SMALL, Bus, StandIn, build_parameters

JOB = Job(m=5, n=6, k=70)


def connect() -> tuple[Driver, StandIn]:
    """Make a driver, and the registers that it drives."""
    bus = Bus()
    return Driver(bus.read, bus.write), bus.registers


def test_the_build_parameters_are_a_configuration():
    driver, _ = connect()
    parameters = asyncio.run(driver.identify())
    assert parameters == build_parameters(SMALL)
    assert build_config(parameters) == replace(SMALL, float_formats=("fp32", "bf16"))


@pytest.mark.parametrize(("name", "value", "words"), [
    ("ID", 0xFFFFFFFF, "no accelerator answers"), ("VERSION", 0x00010000, "version 0x00010000"),
])
def test_another_machine_is_named(name, value, words):
    driver, registers = connect()
    registers.values[name] = value
    with pytest.raises(NoMachineError, match=words):
        asyncio.run(driver.identify())


def test_refusals_say_what_must_hold():
    driver, registers = connect()
    for job, refusal in ((replace(JOB, n=0), Refusal.ZERO_SIZE),
                         (replace(JOB, k=301), Refusal.K_TOO_LARGE)):
        with pytest.raises(JobRefusedError, match=f"{refusal.name}: {refusal.doc}") as caught:
            asyncio.run(driver.start(job))
        assert caught.value.code == refusal
        assert not registers.values["IRQ_PENDING"] >> REFUSED & 1
    asyncio.run(driver.start(JOB))
    assert registers.jobs == [JOB.registers()]
    asyncio.run(driver.abort())
    with pytest.raises(JobRefusedError, match=r"DRAINING: .* resume it first"):
        asyncio.run(driver.start(JOB))
    asyncio.run(driver.resume())
    asyncio.run(driver.start(JOB))
    assert len({refusal.doc for refusal in Refusal}) == len(Refusal)


def test_faults_are_named_once():
    driver, registers = connect()
    faults = StreamFault.ACT_LENGTH | StreamFault.WEIGHT_KEEP
    registers.values["IRQ_PENDING"] = faults.value << FAULTS
    with pytest.raises(StreamFaultError, match=r"ACT_LENGTH: .*; WEIGHT_KEEP: ") as caught:
        asyncio.run(driver.check())
    assert caught.value.faults == faults
    asyncio.run(driver.check())


def test_what_only_a_newer_machine_says_is_shown_as_a_number():
    driver, registers = connect()
    registers.values["IRQ_PENDING"] = (StreamFault.ACT_KEEP.value | 0x30) << FAULTS
    with pytest.raises(StreamFaultError, match=r"^ACT_KEEP: .*; unknown faults 0x30$"):
        asyncio.run(driver.check())
    registers._refusal = lambda job: 99
    with pytest.raises(JobRefusedError, match="refusal 99, which only a newer driver") as caught:
        asyncio.run(driver.start(JOB))
    assert caught.value.code == 99


def test_errors_about_the_machine_have_one_base_and_keep_their_built_in_ones():
    kept = {"BusError": RuntimeError, "NoMachineError": RuntimeError, "JobRefusedError": ValueError,
            "StreamFaultError": RuntimeError, "ResultLengthError": RuntimeError,
            "ProtocolError": RuntimeError, "CommandFaultError": RuntimeError,
            "WaitTimeoutError": TimeoutError}
    assert {error.__name__ for error in MachineError.__subclasses__()} == set(kept)
    for name, built_in in kept.items():
        assert name in hw.host.driver.__all__
        assert issubclass(getattr(hw.host.driver, name), built_in)


@pytest.mark.parametrize(("before", "jobs"), [
    (0, 1), ((1 << 32) - 1, 1), ((1 << 32) - 1, 1 - (1 << 32)), (1, 0), (0, -1)])
def test_it_waits_even_where_the_count_wraps(before, jobs):
    driver, registers = connect()
    registers.values["JOBS_ENDED"] = before
    waits, reads = jobs % (1 << 32) == 1, 0

    async def read(address):
        nonlocal reads
        reads += 1
        assert reads <= 3, "it waits for what has come"
        if reads == 3:
            registers.under_way.append({})
            registers.end_job()
        return registers.read(address)

    asyncio.run(Driver(read, driver._write, limit=HANG_SECONDS).wait(before + jobs))
    assert reads == (3 if waits else 1)


def test_a_wait_lets_other_tasks_run():
    bus = Bus()
    driver = Driver(bus.read, bus.write, clock=count().__next__)
    registers = bus.registers
    registers.under_way.append({})

    async def run():
        feeding = asyncio.create_task(feed())
        await driver.wait(1, limit=1000)
        await feeding

    async def feed():
        for _ in range(10):
            await asyncio.sleep(0)
        registers.end_job()

    asyncio.run(run())


def test_a_wait_ends_at_its_limit_and_says_how_far_it_came():
    bus, now, pauses = Bus(), 0, []
    bus.registers.values["JOBS_ENDED"] = (1 << 32) - 1

    async def pause():
        nonlocal now
        now += 1
        pauses.append(now)
        assert now < 100, "waits for ever"
        if now == 2:
            bus.registers.values["JOBS_ENDED"] = 0

    driver = Driver(bus.read, bus.write, pause=pause, clock=lambda: now, limit=5)
    with pytest.raises(WaitTimeoutError, match="2 of the awaited jobs had not ended after 5 s: "
                       "JOBS_ENDED is 0, 2 was awaited"):
        asyncio.run(driver.wait((1 << 32) + 2))
    assert pauses == [1, 2, 3, 4, 5]
    with pytest.raises(WaitTimeoutError, match="after 0 s"):
        asyncio.run(driver.wait(1, limit=0))
    asyncio.run(driver.wait(0, limit=0))


def test_a_table_takes_an_order_as_its_inverse_and_tags():
    driver, registers = connect()
    order = [int(channel) for channel in np.random.default_rng(1).permutation(300)]
    asyncio.run(driver.load_table(3, order=np.array(order), tags=[True, False]))
    assert registers.orders == {3: {channel: place for place, channel in enumerate(order)}}
    assert registers.tags == {3: {0: 1, 1: 0}}
    asyncio.run(driver.start(replace(JOB, reorder=True, table=3)))
    with pytest.raises(BusError):
        asyncio.run(driver.load_table(3, tags=[True]))
    assert driver.orders == {3: 300} and driver.tags == {3: 2}, "nothing was taken"
    registers.under_way.clear()
    asyncio.run(driver.load_table(3, tags=[False, True, True]))
    assert registers.tags == {3: {0: 0, 1: 1, 2: 1}}, "anew"


@pytest.mark.parametrize(("arguments", "words"), [
    ({"table": 4}, "there is no table 4: the machine has 4"),
    ({"table": 0, "order": [0, 2]}, "name each of its 2 channels once"),
    ({"table": 0, "order": [1, 1, 0]}, "name each of its 3 channels once"),
    ({"table": 0, "order": range(301)}, "K_MAX=300 is less than 301 channels"),
    ({"table": 0, "tags": [False] * 20}, "20 tagged K-blocks"),
])
def test_a_table_that_cannot_be_is_not_loaded(arguments, words):
    driver, registers = connect()
    with pytest.raises(ValueError, match=words):
        asyncio.run(driver.load_table(**arguments))
    assert not registers.orders and not registers.tags


def test_maxima_are_read_channel_by_channel():
    driver, registers = connect()
    registers.maxima = {channel: 0x3F800000 + channel for channel in range(5)}
    assert asyncio.run(driver.channel_maxima(5)) == list(registers.maxima.values())


def test_jobs_differ_in_their_registers():
    """Every field of a job changes a register, and only its own."""
    changes = {
        "kind": JobKind.CONVERT, "m": 6, "n": 7, "k": 71, "tiles": 2, "float_format": "fp16",
        "output": Output.MX6, "bias": True, "reorder": True, "measure": True, "table": 1,
        "selection": Selection.HEAD,
        "units": 1, "threshold": 1,
    }
    variants = [replace(JOB, **{name: value}).registers() for name, value in changes.items()]
    for values in variants:
        assert sum(values[name] != value for name, value in JOB.registers().items()) == 1
    assert all(one != other for one, other in itertools.combinations(variants, 2))
