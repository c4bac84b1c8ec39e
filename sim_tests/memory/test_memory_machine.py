"""Commands from memory to memory: every byte against golden's ring."""

import cocotb

from golden import MX6, quantize
from golden.memory.jobs import JobKind, Output
from golden.packing import weight_stream
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, run
from sim_tests.stimuli.operands import matrix


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_gemm(dut):
    lists = Lists(drive.rng())
    config = lists.config
    lists.gemm(2 * config.rows + 1, 2 * config.cols + 1, 40, interrupt=1)
    await run(dut, lists)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def gemms_of_every_format_and_shape(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format in config.float_formats:
        for output in (Output.FP32, Output.FP16, Output.BF16):
            lists.gemm(int(rng.integers(1, 4 * config.rows)), int(rng.integers(1, 4 * config.cols)),
                       int(rng.integers(1, 100)), float_format=float_format, output=output,
                       has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def conversions_of_every_format_and_shape(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format in config.float_formats:
        for transposed in (False, True):
            lists.convert(int(rng.integers(1, 4 * config.cols)), int(rng.integers(1, 70)),
                          float_format=float_format, transposed=transposed)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def packed_activations_and_results(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    packed = [Output.MX6, Output.MX9] if config.packs_results else []
    for kind in (JobKind.GEMM_PACKED, JobKind.GEMM, JobKind.GEMM_PACKED):
        for output in (*packed, Output.FP32):
            lists.gemm(int(rng.integers(1, 5 * config.rows)), int(rng.integers(1, 80)),
                       int(rng.integers(1, 80)), kind=kind, output=output,
                       has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def packed_results_of_a_short_tile_behind_whole_ones(dut, manners):
    lists = Lists(drive.rng())
    config = lists.config
    for output in (Output.MX6, Output.MX9) if config.packs_results else ():
        for m, tiles in ((2 * config.rows + 1, 3), (config.rows + 1, 1), (1, 2),
                         (5 * config.rows + 2, 2)):
            lists.gemm(m, 50, 20, output=output, tiles=tiles)
    if lists.commands:
        await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def packed_results_and_conversions_are_operands(dut):
    lists = Lists(drive.rng())
    config = lists.config
    if not config.packs_results:
        return
    m, n = 2 * config.rows + 1, 50
    first = lists.gemm(m, n, 40, output=Output.MX9, tiles=2)
    weights = lists.convert(config.cols + 2, n)
    lists.gemm(m, config.cols + 2, n, kind=JobKind.GEMM_PACKED, a=first.c, b=weights.c,
               a_stride=first.c_stride, b_stride=weights.c_stride, wait_a=2, wait_b=1, tiles=3)
    await run(dut, lists)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_one_writes_the_next_reads(dut, manners):
    lists = Lists(drive.rng())
    config = lists.config
    n = 2 * config.cols + 1
    first = lists.gemm(2 * config.rows + 1, n, 40)
    lists.gemm(config.rows, 3, 20)
    lists.gemm(2 * config.rows + 1, 5, n, a=first.c, a_stride=first.c_stride, wait_a=2)
    lists.gemm(config.rows + 1, 5, n, a=first.c, a_stride=first.c_stride, wait_a=3)
    last = lists.gemm(config.rows, config.cols, n, has_bias=True)
    lists.gemm(config.rows, config.cols, 20, has_bias=True, bias=last.c, wait_side=1)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_descriptor_has_two_levels_of_batches(dut):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for heads, samples in ((3, 2), (1, 3), (4, 1)):
        tokens, n, d = config.rows + 1, config.cols + 2, 24
        x = matrix(rng, samples * tokens, heads * d)
        a, a_stride = lists.rows(x, 4)
        packets = [packet for _ in range(heads) for packet in weight_stream(
            quantize(matrix(rng, d, n), MX6, axis=0), config.cols, config.weight_bytes)]
        b, b_stride = lists.tiles(packets)
        c_stride = n * 4
        lists.gemm(tokens, n, d, a=a, a_stride=a_stride, a_step_0=4 * d, a_step_1=tokens * a_stride,
                   b=b, b_stride=b_stride, b_step_0=b_stride * len(packets) // heads, b_step_1=0,
                   c=lists.room(samples * heads * tokens * c_stride, 4), c_stride=c_stride,
                   c_step_0=tokens * c_stride, c_step_1=heads * tokens * c_stride,
                   count_0=heads, count_1=samples, interrupt=1)
    await run(dut, lists)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def counts_what_goes_over_the_bus(dut, manners):
    lists = Lists(drive.rng())
    for _ in range(4):
        lists.gemm(2 * lists.config.rows, 7, 40)
    both = Run(dut, lists, manners)
    await both.begin()
    await both.wait()
    seen = both.slave.seen
    for name, expected in (
            ("READ_BURSTS", len(seen.reads)), ("READ_BEATS", seen.read_beats),
            ("WRITE_BURSTS", len(seen.writes)), ("WRITE_BEATS", seen.write_beats)):
        assert both.get(name) == expected, name
    for name, expected in (
            ("READ_STALLS", seen.read_stalls), ("WRITE_STALLS", seen.write_stalls),
            ("READ_OWED", seen.read_owed), ("WRITE_OWED", seen.write_owed)):
        if lists.config.bus_clock:  # the machine counts its own cycles, on its side
            assert both.get(name) or "STALLS" in name, name
        else:
            assert both.get(name) == expected, name
        assert expected or manners == GENTLE, name


@every_machine
def test_memory_machine(name):
    simulate(name, __name__)
