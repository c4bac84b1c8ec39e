"""The accelerator at its AMBA boundary, whole jobs, against golden to the bit."""

import itertools
from dataclasses import asdict, replace

import cocotb
import numpy as np
import pytest
from cocotbext.axi import AxiStreamFrame

import golden
from golden.packing import activation_rows, weight_stream
from hw.accelerator import Accelerator
from hw.config import Config
from hw.driver import Job, JobRefusedError, StreamFaultError, resident_tiles
from hw.outlier_detector import detection_cycles
from hw.outlier_policy import Selection
from hw.registers import ENDED, IDENTIFICATION, REFUSED, Refusal, StreamFault
from sim_tests import bench, drive
from sim_tests.machine import STREAMS, Counters, Machine, Work
from sim_tests.works import (
    WEIGHT_FORMATS,
    expected_counts,
    expected_results,
    make_work,
    random_work,
)


async def start(dut, **pauses) -> Machine:
    """Reset a machine; pauses are shares of cycles by stream."""
    parameters = drive.parameters()
    parameters["float_formats"] = tuple(parameters["float_formats"])
    machine = Machine(dut, Config(**parameters))
    machine.pause(pauses)
    await machine.reset()
    return machine


def check(machine: Machine, work: Work, results: np.ndarray, counters: Counters | None) -> None:
    """Compare a job's results and clockless counters, where they were read, with golden's."""
    job = asdict(work.job)
    drive.compare(results, expected_results(machine.config, work), "C", **job)
    if counters is None:
        return
    for name, count in expected_counts(machine.config, work).items():
        assert counters[name] == count, f"{name}: {counters[name]}, expected {count} in {job}"


async def run_and_check(machine: Machine, *works: Work) -> list[Counters | None]:
    """Run jobs back to back and check each."""
    outcomes = await machine.run_all(works)
    for work, (results, counters) in zip(works, outcomes, strict=True):
        check(machine, work, results, counters)
    return [counters for _, counters in outcomes]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def names_itself_and_its_parameters(dut):
    machine = await start(dut)
    assert await machine.driver.read("ID") == IDENTIFICATION
    found, config = await machine.driver.identify(), machine.config
    for name in ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes", "result_bytes",
                 "act_depth", "weight_depth", "tile_slots"):
        assert found[name.upper()] == getattr(config, name), name


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def all_four_beat_kinds(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    m, n, k = 2 * config.rows + 1, 2 * config.cols + 1, min(config.k_max, 80)
    for kind, units in itertools.product(WEIGHT_FORMATS, (0, 2, -(-k // 16))):
        units = min(units, -(-k // 16))
        await run_and_check(machine, make_work(config, rng, m, n, k, weights=kind, units=units))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def ragged_shapes(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    rows, cols, k_max = config.rows, config.cols, config.k_max
    shapes = [(1, 1, 1), (1, cols, 16), (rows, 1, 17), (rows + 1, cols + 1, 33),
              (2 * rows - 1, 3 * cols - 1, 31), (3 * rows, 2 * cols, 48), (1, 1, k_max),
              (rows + 2, cols + 2, k_max - 1 or 1)]
    works = [make_work(config, rng, m, n, min(k, k_max)) for m, n, k in shapes]
    for name in config.float_formats:
        works += [make_work(config, rng, m, n, min(k, k_max), float_format=name)
                  for m, n, k in [(rows + 1, 3, 47), (2, cols, 9), (3, 2, 16)]]
    await run_and_check(machine, *works)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def random_jobs_back_to_back(dut, idle, stall):
    machine = await start(dut, s_axis_act=idle, s_axis_wgt=idle, m_axis_out=stall)
    rng = drive.rng()
    largest = min(24, 6 * machine.config.rows + 3)
    works = [random_work(machine.config, rng, largest) for _ in range(drive.amount(12, 60))]
    await run_and_check(machine, *works)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(stream=STREAMS)
async def one_stream_far_slower_than_the_others(dut, stream):
    machine = await start(dut, **{stream: 0.9})
    rng = drive.rng()
    works = [random_work(machine.config, rng) for _ in range(drive.amount(4, 20))]
    await run_and_check(machine, *works)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def results_wait_through_a_long_stall(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    works = [random_work(config, rng) for _ in range(3)]
    machine.out.pause = True
    for work in works:
        await machine.driver.start(work.job)
        machine.feed(work)
    await machine.ticks(3000)
    assert await machine.driver.read("JOBS_ENDED") == 0
    machine.out.pause = False
    for work in works:
        drive.compare(await machine.collect(work.job), expected_results(config, work), "C")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nan_and_infinity_take_their_row_or_column(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    m, n, k = 2 * config.rows + 1, 2 * config.cols + 1, min(config.k_max, 40)
    for float_format in config.float_formats:
        work = make_work(config, rng, m, n, k, float_format=float_format)
        bits = work.activations.copy()
        infinity = {"fp32": 0x7F800000, "fp16": 0x7C00, "bf16": 0x7F80}[float_format]
        bits[1, k // 2], bits[-1, 0] = infinity, infinity + 1
        values = rng.standard_normal((k, n)).astype(np.float32)
        values[0, 0], values[-1, n - 1] = np.nan, -np.inf
        weights = golden.quantize(values, golden.MX9, axis=0)
        (counters,) = await run_and_check(machine, replace(work, activations=bits, weights=weights))
        assert counters["nan_blocks"] == 2
        results = expected_results(config, replace(work, activations=bits, weights=weights))
        assert np.all(results[[1, -1]] == 0x7FC00000)
        assert np.all(results[:, [0, n - 1]] == 0x7FC00000)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def extreme_magnitudes(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    if "fp32" not in config.float_formats:
        return
    m, n, k = config.rows + 1, config.cols + 1, min(config.k_max, 64)
    scales = ((1e38, 1e3), (1e-30, 1e-9), (1e-38, 1e-3), (0, 1), (1e38, 1e-38))
    for act_scale, weight_scale in scales:
        values = (rng.standard_normal((m, k)) * act_scale).astype(np.float32)
        weights = (rng.standard_normal((k, n)) * weight_scale).astype(np.float32)
        await run_and_check(machine, make_work(
            config, rng, m, n, k, activations=values, float_format="fp32",
            weights=golden.quantize(weights, golden.MX9, axis=0)))
    # Exponents all over a row: shifts from none to far past the accumulator's last bit.
    for _ in range(4):
        spread = np.exp2(rng.integers(-60, 60, (m, k)))
        values = (rng.standard_normal((m, k)) * spread).astype(np.float32)
        weights = (rng.standard_normal((k, n))
                   * np.exp2(rng.integers(-30, 30, (k, n)))).astype(np.float32)
        await run_and_check(machine, make_work(
            config, rng, m, n, k, activations=values, float_format="fp32",
            weights=golden.quantize(weights, golden.MX9, axis=0)))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def selection_follows_the_policy(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    m, n, k = 2 * config.rows + 1, config.cols, min(config.k_max, 112)
    blocks = -(-k // 16)
    ties = np.repeat(rng.choice([1.0, 2.0, -2.0], (m, blocks)), 16, axis=1)[:, :k]
    for units in range(blocks + 1):
        await run_and_check(machine, make_work(
            config, rng, m, n, k, activations=ties.astype(np.float32), units=units))
    for threshold in (0.0, 1.0, 1.9999, 2.0, np.inf):
        (counters,) = await run_and_check(machine, make_work(
            config, rng, m, n, k, activations=ties.astype(np.float32), threshold=threshold,
            selection=Selection.THRESHOLD))
        if threshold >= 2:
            assert counters["mx9_units"] == 0, "an outlier exceeds the threshold"


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
    work = make_work(config, rng, 2, 2, min(config.k_max, 20), tiles=1)
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_beat_every_cycle_while_operands_are_there(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    k, n = min(config.k_max, 256), 12 * config.cols
    tiles, blocks = resident_tiles(config, 8 * config.rows, k), -(-k // 16)
    m = 2 * tiles * config.rows
    works = [make_work(config, rng, m, n, k, weights="mx6", units=units, tiles=tiles,
                       float_format=config.float_formats[-1]) for units in (0, 1, 1)]
    counters = await run_and_check(machine, *works)
    # Where few tiles are resident or K is short, weights, results or the search set the pace.
    weights = blocks * -(-12 * config.cols // config.weight_bytes) + 3
    results = tiles * max(config.rows, 4)
    search = detection_cycles(blocks, search=True)  # of one token tile, used for 12 column tiles
    pace = max(1, weights / (tiles * blocks), results / (tiles * blocks), search / (12 * blocks))
    for job in counters[1:]:  # the first has to wait for its operands
        assert job["beats"] / job["cycles"] >= 0.97 / pace, str(job)


TINY = Config.sized(rows=4, cols=4, k_max=256, act_depth=128, weight_depth=32, tile_slots=16)
ODD = Config.sized(rows=3, cols=5, k_max=120, acc_width=32, float_formats=("fp16",), act_bytes=8,
                   act_depth=64, tile_slots=8, dot_stages=0)
ONE = Config.sized(rows=1, cols=1, k_max=64, acc_width=30, float_formats=("bf16", "fp32"),
                   act_bytes=4, weight_bytes=2, act_depth=64, tile_slots=16, dot_stages=2)
WIDE = Config.sized(rows=2, cols=16, k_max=512, acc_width=48, act_depth=160,
                    rounding="truncate")
EIGHT = Config.sized(rows=8, cols=8)

CONFIGS = {"4x4": TINY, "3x5": ODD}
if drive.amount(0, 1):
    CONFIGS |= {"1x1": ONE, "2x16": WIDE, "8x8": EIGHT}


@pytest.mark.parametrize("name", CONFIGS)
def test_accelerator(name):
    built = bench.build(Accelerator(CONFIGS[name]), f"accelerator_{name}")
    bench.run(built, __name__, parameters=asdict(CONFIGS[name]))
