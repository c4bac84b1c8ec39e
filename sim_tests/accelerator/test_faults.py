"""The accelerator given bad jobs and broken packets: refused, flagged, and fit for the next job."""

import itertools
from dataclasses import replace

import cocotb
import pytest
from cocotbext.axi import AxiResp

from hw.contract.job_codes import JobKind, Output, Selection
from hw.host.driver import BusError, Job, JobRefusedError, StreamFaultError
from hw.registers.map import ADDRESSES, ENDED, FAULTS, REFUSED, Refusal, StreamFault
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.machine import STREAMS
from sim_tests.stimuli.broken_packets import (
    WAYS,
    deliver,
    received_results,
    received_work,
    spoil,
)
from sim_tests.stimuli.works import compare_results, run_and_check
from simulation.works.expected import expected_results
from simulation.works.random_works import make_work

GEMMS = (JobKind.GEMM, JobKind.GEMM_PACKED)


def small_work(config, rng, kind, **choices):
    """Make a job of a kind: more than one tile each way, and more than one K-block if possible."""
    if kind in GEMMS:
        choices = {"bias": True, "output": config.outputs[-1]} | choices
    m, n = config.rows + 1, config.cols + 1
    return make_work(config, rng, m, n, min(40, config.k_max), kind=kind, **choices)


async def start_raw(machine, registers) -> Refusal:
    """Start what the registers are to hold."""
    for name, value in registers.items():
        await machine.driver.write(name, value)
    await machine.driver.write("CONTROL", 1)
    return Refusal(await machine.driver.read("REFUSAL"))


@cocotb.test(timeout_time=400, timeout_unit="us")
async def bad_jobs_are_refused_and_the_next_one_runs(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    good = small_work(config, rng, JobKind.GEMM, selection=Selection.TOP)
    job, blocks, k_max = good.job.registers(), -(-good.job.k // 16), config.k_max
    kind = {kind: {"JOB_KIND": kind.value, "JOB_FLAGS": 0, "JOB_OUTPUT": 0} for kind in JobKind}
    too_many = config.act_depth // blocks + 1
    missing = [code for code, name in enumerate(("fp32", "fp16", "bf16", "none"))
               if name not in config.float_formats]
    unknown = [code for code in range(8) if code not in [each.value for each in config.outputs]]
    bad = [
        ({"JOB_M": 0}, Refusal.ZERO_SIZE), ({"JOB_N": 0}, Refusal.ZERO_SIZE),
        ({"JOB_K": 0, "JOB_UNITS": 0}, Refusal.ZERO_SIZE),
        (kind[JobKind.CONVERT] | {"JOB_N": 0}, Refusal.ZERO_SIZE),
        ({"JOB_K": k_max + 1}, Refusal.K_TOO_LARGE),
        (kind[JobKind.CONVERT_TRANSPOSED] | {"JOB_K": k_max + 1}, Refusal.K_TOO_LARGE),
        ({"JOB_TILES": 0}, Refusal.TILES_OUT_OF_RANGE),
        ({"JOB_TILES": config.tile_slots + 1}, Refusal.TILES_OUT_OF_RANGE),
        ({"JOB_TILES": too_many}, Refusal.TILES_OUT_OF_RANGE),
        (kind[JobKind.GEMM_PACKED] | {"JOB_TILES": too_many}, Refusal.TILES_OUT_OF_RANGE),
        *(({"JOB_FORMAT": code}, Refusal.UNKNOWN_FORMAT) for code in missing),
        *(({"JOB_OUTPUT": code}, Refusal.UNKNOWN_OUTPUT) for code in unknown),
        ({"JOB_SELECTION": 4}, Refusal.UNKNOWN_SELECTION),
        ({"JOB_UNITS": blocks + 1}, Refusal.TOO_MANY_UNITS),
        ({"JOB_SELECTION": Selection.HEAD.value, "JOB_UNITS": 2}, Refusal.TOO_MANY_UNITS),
        *(({"JOB_SELECTION": Selection.THRESHOLD.value, "JOB_THRESHOLD": pattern},
           Refusal.BAD_THRESHOLD) for pattern in (1 << 31, 0x7F800001, 0xFFC00000)),
        ({"JOB_KIND": 4}, Refusal.UNKNOWN_KIND),
        ({"JOB_FLAGS": 2, "JOB_TABLE": config.tables}, Refusal.UNKNOWN_TABLE),
        ({"JOB_SELECTION": Selection.STATIC.value, "JOB_TABLE": config.tables},
         Refusal.UNKNOWN_TABLE),
        ({"JOB_FLAGS": 8}, Refusal.BAD_COMBINATION),
        (kind[JobKind.GEMM_PACKED] | {"JOB_FLAGS": 2}, Refusal.BAD_COMBINATION),
        (kind[JobKind.GEMM_PACKED] | {"JOB_FLAGS": 4}, Refusal.BAD_COMBINATION),
        (kind[JobKind.CONVERT] | {"JOB_FLAGS": 1}, Refusal.BAD_COMBINATION),
        (kind[JobKind.CONVERT] | {"JOB_OUTPUT": Output.FP16.value}, Refusal.BAD_COMBINATION),
        (kind[JobKind.CONVERT_TRANSPOSED] | {"JOB_FLAGS": 2}, Refusal.BAD_COMBINATION),
        # Values whose lower bits alone would do.
        *(({name: job[name] | 1 << 31}, code) for name, code in (
            ("JOB_KIND", Refusal.UNKNOWN_KIND), ("JOB_K", Refusal.K_TOO_LARGE),
            ("JOB_TILES", Refusal.TILES_OUT_OF_RANGE), ("JOB_FORMAT", Refusal.UNKNOWN_FORMAT),
            ("JOB_OUTPUT", Refusal.UNKNOWN_OUTPUT), ("JOB_FLAGS", Refusal.BAD_COMBINATION),
            ("JOB_SELECTION", Refusal.UNKNOWN_SELECTION), ("JOB_UNITS", Refusal.TOO_MANY_UNITS))),
        ({"JOB_FLAGS": 2, "JOB_TABLE": 1 << 31}, Refusal.UNKNOWN_TABLE),
        ({"JOB_FLAGS": 2, "JOB_TABLE": 0}, Refusal.ORDER_INCOMPLETE),
        ({"JOB_SELECTION": Selection.STATIC.value, "JOB_TABLE": 0}, Refusal.TAGS_INCOMPLETE),
        ({"JOB_FLAGS": 2, "JOB_TABLE": config.tables - 1}, Refusal.ORDER_DOUBLE),
    ]
    await machine.driver.write("TABLE_SELECT", config.tables - 1)
    for place in range(2 if config.k_max > 1 else 0):
        await machine.driver.write("ORDER_ENTRY", place)
    if config.k_max == 1:  # it has no second place for a channel to come twice
        bad = [case for case in bad if case[1] is not Refusal.ORDER_DOUBLE]
    if config.tables == 1:  # its order can't be both
        bad = [case for case in bad if case[1] is not Refusal.ORDER_INCOMPLETE]
    for wrong, code in bad:
        assert await start_raw(machine, job | wrong) is code, f"{wrong}: expected {code.name}"
        assert await machine.driver.read("IRQ_PENDING") == 1 << REFUSED
        await machine.driver.write("IRQ_PENDING", 1 << REFUSED)
    never = set(Refusal) - {code for _, code in bad}
    assert never - {Refusal.ORDER_INCOMPLETE, Refusal.ORDER_DOUBLE} == {
        Refusal.NONE, Refusal.QUEUE_FULL, Refusal.DRAINING,
        # Of machines with a vector unit: `test_pass_check`.
        Refusal.UNKNOWN_FUNCTION, Refusal.UNKNOWN_ROWS, Refusal.BAD_SCALAR}
    assert await machine.driver.read("JOBS_ENDED") == 0
    await run_and_check(machine, good)


@cocotb.test(timeout_time=400, timeout_unit="us")
async def one_job_more_than_there_are_slots_is_refused(dut):
    machine = await start(dut)
    good = small_work(machine.config, drive.rng(), JobKind.GEMM)
    slots = await machine.driver.read("JOB_SLOTS")
    for under_way in range(slots):
        assert await machine.driver.read("STATUS") == under_way | (slots - under_way) << 8
        await machine.start(good)
    for job in (good.job, replace(good.job, n=0)):
        with pytest.raises(JobRefusedError) as caught:
            await machine.driver.start(job)
        assert caught.value.code == Refusal.QUEUE_FULL
    for _ in range(slots):
        machine.feed(good)
        compare_results(await machine.collect(good.job), expected_results(machine.config, good))
    await machine.driver.wait(slots)
    assert await machine.driver.read("STATUS") == slots << 8


@cocotb.test(timeout_time=400, timeout_unit="us")
async def registers_say_no(dut):
    machine = await start(dut)
    rng, config, driver = drive.rng(), machine.config, machine.driver
    for address in (ADDRESSES["CONTROL"], ADDRESSES["ORDER_ENTRY"], ADDRESSES["TAG_ENTRY"],
                    ADDRESSES["TABLE_CLEAR"], 0x0B0, 0x0F8, 0x148, 0xFFC):
        with pytest.raises(BusError):
            await machine.read(address)
    for address in (ADDRESSES["ID"], ADDRESSES["RESULT_DEPTH"], ADDRESSES["STATUS"],
                    ADDRESSES["JOBS_ENDED"], ADDRESSES["MAXIMUM"], ADDRESSES["CYCLES_LOW"],
                    0x05C, 0x0B0, 0x7FC):
        with pytest.raises(BusError):
            await machine.write(address, 1)
    await driver.identify()

    last = config.k_max - 1
    for table, name, value, is_taken in (
            (0, "ORDER_ENTRY", 1, False), (0, "ORDER_ENTRY", last << 16, True),
            (0, "ORDER_ENTRY", 0, False), (0, "ORDER_ENTRY", 1, last > 0),
            (0, "ORDER_ENTRY", config.k_max, False), (0, "ORDER_ENTRY", config.k_max << 16, False),
            (0, "TAG_ENTRY", 1 << 16, False), (0, "TAG_ENTRY", 0, True),
            (0, "TAG_ENTRY", 1 << 16, config.k_blocks_max > 1), (0, "TAG_ENTRY", 1, False),
            (0, "TAG_ENTRY", config.k_blocks_max << 16, False),
            (config.tables - 1, "TABLE_CLEAR", 2, True),
            (config.tables - 1, "TAG_ENTRY", 1, True), (config.tables, "TAG_ENTRY", 1, False),
            (config.tables, "ORDER_ENTRY", 0, False), (1 << 31, "ORDER_ENTRY", 0, False),
            (0, "TABLE_CLEAR", 3, True), (config.tables, "TABLE_CLEAR", 3, False)):
        await driver.write("TABLE_SELECT", table)
        if is_taken:
            await driver.write(name, value)
        else:
            with pytest.raises(BusError):
                await driver.write(name, value)
    await driver.write("TABLE_SELECT", 0)
    half = await machine.axil.write(ADDRESSES["ORDER_ENTRY"], bytes(2))
    assert half.resp == AxiResp.SLVERR

    for count, choices in enumerate(({"order": True}, {"selection": Selection.STATIC}), 1):
        work = small_work(config, rng, JobKind.GEMM, table=config.tables - 1, **choices)
        await machine.start(work)
        for table in range(config.tables):
            await driver.write("TABLE_SELECT", table)
            for name, value in (("TABLE_CLEAR", 3), ("ORDER_ENTRY", 0), ("TAG_ENTRY", 1)):
                if table != work.job.table:
                    await driver.write(name, value)
                    continue
                with pytest.raises(BusError):
                    await driver.write(name, value)
        machine.feed(work)
        compare_results(await machine.collect(work.job), expected_results(config, work))
        await driver.wait(count)
        await driver.write("TABLE_SELECT", work.job.table)
        await driver.write("TABLE_CLEAR", 0)
    # Packed activations need no policy: what the registers say of it is not looked at.
    work = small_work(config, rng, JobKind.GEMM_PACKED)
    await machine.start(replace(work, job=replace(work.job, selection=Selection.STATIC)))
    await driver.write("TABLE_SELECT", work.job.table)
    await driver.write("TABLE_CLEAR", 0)
    machine.feed(work)
    compare_results(await machine.collect(work.job), expected_results(config, work))


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(stream=STREAMS[:2], how=WAYS)
async def broken_packets_are_flagged_and_resynchronised(dut, stream, how):
    machine = await start(dut)
    rng, config, driver = drive.rng(), machine.config, machine.driver
    kinds = list(JobKind) if stream == "s_axis_act" else GEMMS
    ended = 0
    for kind, bias, place in itertools.product(kinds, (False, True), (0, 0.5, 1)):
        if bias and kind not in GEMMS:
            continue
        choices = {"bias": bias} if kind in GEMMS else {}
        good, broken, after = (small_work(config, rng, each, **choices if each is kind else {})
                               for each in (kind, kind, list(JobKind)[rng.integers(4)]))
        delivery = deliver(config, broken)
        index = round(place * (len(delivery.packets[stream]) - 1))
        spoilt = spoil(config, rng, delivery, stream, index, how)
        for work, sent in ((good, deliver(config, good)), (broken, spoilt),
                           (after, deliver(config, after))):
            await machine.start(work)
            for name, packets in sent.packets.items():
                for packet in packets:
                    machine.ends[name].send_nowait(packet.frame())
            results = await machine.collect(work.job)
            work = received_work(config, work, sent)
            compare_results(results, received_results(config, work, sent), "C", job=work.job,
                            how=how, index=index)
            ended += 1
            await driver.wait(ended)
            faults = StreamFault(await driver.read("JOB_FAULTS"))
            assert faults == sent.faults, f"{faults!r}, expected {sent.faults!r}: {work.job}"
        with pytest.raises(StreamFaultError) as caught:
            await driver.check()
        assert caught.value.faults == spoilt.faults
        await driver.check()  # once is enough


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(idle=[0.0, 0.5])
async def the_rest_of_a_job_does_not_run_into_the_next(dut, idle):
    machine = await start(dut, s_axis_act=idle, s_axis_wgt=idle)
    rng, config = drive.rng(), machine.config
    ended = 0
    for first, second in itertools.product(JobKind, JobKind):
        broken, after = (small_work(config, rng, kind, table=0) for kind in (first, second))
        sent = deliver(config, broken)
        for stream, packets in sent.packets.items():
            if packets:
                sent = spoil(config, rng, sent, stream, -1, "late")
        for work, delivery in ((broken, sent), (after, deliver(config, after))):
            for name, packets in delivery.packets.items():
                for packet in packets:
                    machine.ends[name].send_nowait(packet.frame())
            await machine.start(work)
        for work in (broken, after):
            compare_results(await machine.collect(work.job), expected_results(config, work),
                            f"{work.job.kind.name} of {first.name}, {second.name}")
        ended += 2
        await machine.driver.wait(ended)
        assert await machine.driver.read("JOB_FAULTS") == 0
        with pytest.raises(StreamFaultError) as caught:
            await machine.driver.check()
        assert caught.value.faults == sent.faults


@cocotb.test(timeout_time=400, timeout_unit="us")
async def irq_rises_at_the_end_of_a_job_and_on_refusals(dut):
    machine = await start(dut)
    work = small_work(machine.config, drive.rng(), JobKind.GEMM)
    await machine.driver.write("IRQ_ENABLE", 1 << ENDED)
    await machine.run(work)
    assert int(dut.irq.value) == 1
    await machine.driver.write("IRQ_PENDING", 1 << ENDED)
    await machine.ticks(2)
    assert int(dut.irq.value) == 0
    await machine.driver.write("IRQ_ENABLE", 1 << REFUSED)
    with pytest.raises(JobRefusedError):
        await machine.driver.start(Job(m=0, n=1, k=1))
    await machine.driver.write("CONTROL", 1)
    await machine.ticks(2)
    assert int(dut.irq.value) == 1


@cocotb.test(timeout_time=400, timeout_unit="us")
@cocotb.parametrize(stream=STREAMS[:2], how=("late", "keep"))
async def irq_rises_with_a_fault_before_its_job_ends(dut, stream, how):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    work = small_work(config, rng, JobKind.GEMM_PACKED)
    sent = spoil(config, rng, deliver(config, work), stream, 0, how)
    await machine.start(work)
    await machine.driver.write("IRQ_ENABLE", sent.faults.value << FAULTS)
    machine.ends[stream].send_nowait(sent.packets[stream][0].frame())
    await machine.ends[stream].wait()
    await machine.ticks(16)  # the input has two registers, and its reader may be busy
    assert int(dut.irq.value) == 1
    assert await machine.driver.read("IRQ_PENDING") == sent.faults.value << FAULTS
    assert await machine.driver.read("JOBS_ENDED") == 0


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_faults(name):
    accelerators.simulate(name, __name__, label="faults")
