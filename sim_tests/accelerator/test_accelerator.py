"""The accelerator at its AMBA boundary, whole jobs, against golden to the bit."""

import itertools
from dataclasses import replace

import cocotb
import numpy as np
import pytest

import golden
from hw.activations.outlier_detector import detection_cycles
from hw.contract.job_codes import JobKind, Selection
from hw.host.driver import resident_tiles
from hw.registers.map import IDENTIFICATION, REGISTERS
from sim_tests import accelerators, drive
from sim_tests.accelerators import start
from sim_tests.machine import STREAMS
from sim_tests.stimuli.works import compare_results, run_and_check
from simulation.works.expected import expected_results
from simulation.works.random_works import WEIGHT_FORMATS, make_work, random_work


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def names_itself_and_its_parameters(dut):
    machine = await start(dut)
    assert await machine.driver.read("ID") == IDENTIFICATION
    found, config = await machine.driver.identify(), machine.config
    for name in ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes", "result_bytes",
                 "act_depth", "weight_depth", "tile_slots", "stage_depth", "drain_lanes", "tables",
                 "fraction_bits", "cell_stages", "weight_slots", "result_depth",
                 "blocks_per_cycle"):
        assert found[name.upper()] == getattr(config, name), name


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_register_reads_as_documented_after_a_reset(dut):
    machine = await start(dut)
    for register in REGISTERS:
        if register.access.is_readable:
            value = await machine.driver.read(register.name)
            assert register.reset in (None, value), f"{register.name} reads {value:#x}"
    channels = (1, machine.config.k_max - 1, machine.config.k_max, (1 << 16) - 1)
    for channel in channels:
        await machine.driver.write("MAXIMUM_CHANNEL", channel)
        assert await machine.driver.read("MAXIMUM") == 0, f"channel {channel}"


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


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def every_kind_output_and_selection(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    rows, cols, k = 2 * config.rows + 1, 17 + config.cols, min(config.k_max, 70)
    works = []
    for kind, output in itertools.product((JobKind.GEMM, JobKind.GEMM_PACKED), config.outputs):
        works += [make_work(config, rng, rows, cols, k, kind=kind, output=output, bias=bias)
                  for bias in (False, True)]
    for kind, selection in itertools.product(
            (JobKind.GEMM, JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED), Selection):
        straight = kind is not JobKind.CONVERT_TRANSPOSED
        works += [make_work(config, rng, rows, cols, k, kind=kind, selection=selection,
                            order=order, measure=order)
                  for order in ((False, True) if straight else (False,))]
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
    m = 2 * config.rows + 1
    # More results than the queue and all that is behind it could take.
    tiles = -(-(config.result_depth + 64) // -(-m // config.drain_rows))
    first = make_work(config, rng, m, tiles * config.cols - 1, min(config.k_max, 40))
    works = [first, *(make_work(config, rng, 5, 7, min(config.k_max, 40), kind=kind)
                      for kind in (JobKind.GEMM_PACKED, JobKind.CONVERT))]
    machine.out.pause = True
    for work in works:
        await machine.start(work)
        machine.feed(work)
    await machine.ticks(3000)
    assert await machine.driver.read("JOBS_ENDED") == 0
    machine.out.pause = False
    for work in works:
        compare_results(await machine.collect(work.job), expected_results(config, work))


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


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_beat_every_cycle_while_operands_are_there(dut):
    machine = await start(dut)
    rng, config = drive.rng(), machine.config
    k, n = min(config.k_max, 256), 12 * config.cols
    blocks = -(-k // 16)
    # One group of tiles is used while the next one comes.
    tiles = min(resident_tiles(config, 8 * config.rows, k), max(1, config.act_depth // blocks // 2))
    m = 2 * tiles * config.rows
    works = [make_work(config, rng, m, n, k, weights="mx6", units=units, tiles=tiles,
                       float_format=config.float_formats[-1]) for units in (0, 1, 1)]
    counters = await run_and_check(machine, *works)
    # Where few tiles are resident or K or N is short, something else sets the pace.
    weights = blocks * -(-12 * config.cols // config.weight_bytes) + 3
    results = tiles * max(config.drain_cycles, 4)
    # One token tile, used for 12 column tiles, is searched, read, and then its room is filled.
    tile = config.rows * blocks
    beats_per_block = max(1, 32 // config.act_bytes)
    refill = max(0, 2 * tile - config.stage_depth) * beats_per_block
    preparation = detection_cycles(blocks, search=True) + tile + refill + 8
    pace = max(1, weights / (tiles * blocks), results / (tiles * blocks),
               preparation / (12 * blocks))
    for job in counters[1:]:  # the first has to wait for its operands
        assert job["beats"] / job["cycles"] >= 0.97 / pace, str(job)


@pytest.mark.parametrize("name", accelerators.NAMES)
def test_accelerator(name):
    accelerators.simulate(name, __name__)
