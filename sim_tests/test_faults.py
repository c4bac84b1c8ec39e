"""The accelerator given bad jobs and broken packets: refused, flagged, and fit for the next job."""

from dataclasses import replace

import cocotb
import pytest
from cocotbext.axi import AxiStreamFrame

from golden.packing import activation_rows, weight_stream
from hw.driver import Job, JobRefusedError, StreamFaultError
from hw.outlier_policy import Selection
from hw.registers import ENDED, REFUSED, Refusal, StreamFault
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.machine import STREAMS
from sim_tests.works import expected_results, make_work, run_and_check


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bad_jobs_are_refused_and_the_next_one_runs(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    good = make_work(config, rng, 3, 3, min(40, config.k_max), tiles=1)
    job, blocks = good.job, -(-good.job.k // 16)
    missing = [name for name in ("fp32", "fp16", "bf16") if name not in config.float_formats]
    bad = [
        (replace(job, m=0), Refusal.ZERO_SIZE), (replace(job, n=0), Refusal.ZERO_SIZE),
        (replace(job, k=0, units=0), Refusal.ZERO_SIZE),
        (replace(job, k=config.k_max + 1), Refusal.K_TOO_LARGE),
        (replace(job, tiles=0), Refusal.TILES_OUT_OF_RANGE),
        (replace(job, tiles=config.tile_slots + 1), Refusal.TILES_OUT_OF_RANGE),
        (replace(job, tiles=config.act_depth // blocks + 1), Refusal.TILES_OUT_OF_RANGE),
        (replace(job, selection=Selection.STATIC), Refusal.UNKNOWN_SELECTION),
        (replace(job, units=blocks + 1), Refusal.TOO_MANY_UNITS),
        (replace(job, threshold=1 << 31), Refusal.NEGATIVE_THRESHOLD),
        # Values whose lower bits alone would do.
        (replace(job, k=job.k + (1 << 16)), Refusal.K_TOO_LARGE),
        (replace(job, tiles=1 + (1 << 16)), Refusal.TILES_OUT_OF_RANGE),
        (replace(job, units=1 << 16), Refusal.TOO_MANY_UNITS),
        *((replace(job, float_format=name), Refusal.UNKNOWN_FORMAT) for name in missing),
    ]
    for wrong, code in bad:
        with pytest.raises(JobRefusedError) as caught:
            await machine.driver.start(wrong)
        assert caught.value.code == code, f"{wrong}: {caught.value}, expected {code.name}"
        assert await machine.driver.read("JOBS_ENDED") == 0
    for name, code in (("FORMAT", Refusal.UNKNOWN_FORMAT),
                       ("SELECTION", Refusal.UNKNOWN_SELECTION)):
        for register, value in job.registers().items():
            await machine.driver.write(register, value)
        await machine.driver.write(f"JOB_{name}", 4)  # its two lower bits alone would do
        await machine.driver.write("CONTROL", 1)
        assert await machine.driver.read("REFUSAL") == code
        assert await machine.driver.read("IRQ_PENDING") == 1 << REFUSED
        await machine.driver.write("IRQ_PENDING", 1 << REFUSED)
    await run_and_check(machine, good)
    slots = await machine.driver.read("JOB_SLOTS")
    for _ in range(slots):
        await machine.driver.start(job)
    with pytest.raises(JobRefusedError) as caught:
        await machine.driver.start(job)
    assert caught.value.code == Refusal.QUEUE_FULL
    for _ in range(slots):
        machine.feed(good)
        drive.compare(await machine.collect(job), expected_results(config, good), "C")


def break_packet(packets: list[bytes], how: str, width: int) -> int:
    """Spoil the first packet: a beat short or two too long; return the bytes that still count."""
    first = packets[0]
    if how == "late":
        packets[0] = first + bytes(-len(first) % width + 2 * width)
        return len(first)
    packets[0] = first[: width * (-(-len(first) // width) - 1)]
    return len(packets[0])


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stream=STREAMS[:2], how=["early", "late"])
async def broken_packets_are_flagged_and_resynchronised(dut, stream, how):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    k = min(config.k_max, 3 * config.act_bytes // 4)
    good, broken, after = (
        make_work(config, rng, config.rows + 1, config.cols + 1, k,
                  float_format=config.float_formats[0], tiles=2) for _ in range(3))
    rows = activation_rows(broken.activations, broken.pattern_format)
    tiles = weight_stream(broken.weights, config.cols, config.weight_bytes)
    expected = expected_results(config, broken)
    if stream == "s_axis_act":
        kept = break_packet(rows, how, config.act_bytes)
        flag = StreamFault.ACT_LENGTH
        bits = broken.activations.copy()
        bits[0, kept // bits.itemsize:] = 0  # what did not come counts as zeros
        expected = expected_results(config, replace(broken, activations=bits))
    else:
        break_packet(tiles, how, config.weight_bytes)
        flag = StreamFault.WEIGHT_LENGTH
        if how == "early":  # the first column tile lacks its last K-block's end
            expected = expected[:, config.cols:]

    results = []
    for work, act, weight in ((good, None, None), (broken, rows, tiles), (after, None, None)):
        if act is None:
            machine.feed(work)
        else:
            for row in act:
                machine.act.send_nowait(AxiStreamFrame(row))
            for tile in weight:
                machine.weight.send_nowait(AxiStreamFrame(tile))
        await machine.driver.start(work.job)
        results.append(await machine.collect(work.job))
        await machine.driver.wait(len(results))
        faults = StreamFault(await machine.driver.read("JOB_FAULTS"))
        assert (flag in faults) == (work is broken), f"job {len(results)}: {faults!r}"
    drive.compare(results[0], expected_results(config, good), "job before")
    drive.compare(results[1][:, -expected.shape[1]:], expected, "broken job")
    drive.compare(results[2], expected_results(config, after), "job after")
    with pytest.raises(StreamFaultError) as caught:
        await machine.driver.check()
    assert flag in caught.value.faults
    await machine.driver.check()  # once is enough


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def wrong_keep_is_flagged_and_changes_nothing(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    work = make_work(config, rng, config.rows, 2, min(config.k_max, 20), tiles=1)
    await machine.driver.start(work.job)
    machine.feed(work)
    await machine.act.wait()
    results = await machine.collect(work.job)
    drive.compare(results, expected_results(config, work), "C")
    await machine.driver.check()
    frame = AxiStreamFrame(activation_rows(work.activations, work.pattern_format)[0])
    frame.tkeep = [1] * (len(frame.tdata) - 1) + [0]
    await machine.driver.start(work.job)
    machine.act.send_nowait(frame)
    for row in activation_rows(work.activations, work.pattern_format)[1:]:
        machine.act.send_nowait(AxiStreamFrame(row))
    for tile in weight_stream(work.weights, config.cols, config.weight_bytes):
        machine.weight.send_nowait(AxiStreamFrame(tile))
    drive.compare(await machine.collect(work.job), results, "C")
    await machine.driver.wait(2)
    assert await machine.driver.read("JOB_FAULTS") == StreamFault.ACT_KEEP


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def irq_rises_at_the_end_of_a_job_and_on_refusals(dut):
    machine = await start(dut)
    rng = drive.rng()
    work = make_work(machine.config, rng, 2, 2, 16)
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


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_faults(name):
    accelerators.simulate(name, __name__, label="faults")
