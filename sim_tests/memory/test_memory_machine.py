"""Commands from memory to memory: every byte against golden's ring."""

import cocotb
import pytest

from golden import MX6, quantize
from golden.memory import Command, Fault
from golden.memory.jobs import JobKind, Output
from golden.packing import weight_stream
from hw.contract.config import Config
from hw.memory_machine import MemoryMachine
from hw.registers.codes import Refusal
from sim_tests import bench, drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, packed, run
from sim_tests.stimuli.operands import handed_over, matrix


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_gemm(dut):
    lists = Lists(drive.rng())
    config = lists.config
    lists.gemm(2 * config.rows + 1, 2 * config.cols + 1, 40, interrupt=1)
    await run(dut, lists)


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def conversions_of_every_format_and_shape(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format in config.float_formats:
        for transposed in (False, True):
            lists.convert(int(rng.integers(1, 4 * config.cols)), int(rng.integers(1, 70)),
                          float_format=float_format, transposed=transposed)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


@cocotb.test(timeout_time=20, timeout_unit="ms")
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


FAULTY = {
    "no count": {"count_1": 0}, "unaligned": {"b": 0x4020}, "refused": {"tiles": 0},
    "no such kind": {"kind": 9}, "unaligned step": {"c_step_0": 1},
    "no such address": {"a": 1 << 40}, "rows that overlap": {"c_stride": 4},
}


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(name=list(FAULTY), goes_on=[0, 1])
async def a_bad_descriptor_stops_the_ring_where_it_is(dut, name, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    for number in range(5):
        bad = FAULTY[name] | {"goes_on": goes_on} if number == 2 else {}
        lists.gemm(config.rows + number, config.cols + 1, 30, interrupt=1, **bad)
    await stops_at(dut, lists, goes_on)


async def stops_at(dut, lists, goes_on, fault=None):
    """Run a list with one faulty command, to it and past it."""
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    if not goes_on:
        assert fault in (None, int(dut.fault.value))
        await both.pulse("skip")
        await both.wait()
        lists.ring.skip()
        both.compare()
    assert int(dut.completed.value) == len(lists.commands)


def packed_too_long(lists, what, **values):
    """Add a job one of whose packed tiles is longer than its stride."""
    config = lists.config
    rows, cols = 2 * config.rows, 2 * config.cols
    match what:
        case "a":
            lists.gemm(rows, 3, 100, kind=JobKind.GEMM_PACKED, a_stride=64, **values)
        case "b":
            lists.gemm(3, cols, 100, b_stride=64, **values)
        case "a conversion":
            lists.convert(cols, 100, c_stride=64, **values)
        case "results":
            lists.gemm(rows, 100, 20, output=Output.MX9, c_stride=64, **values)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(what=["a", "b", "a conversion", "results"], goes_on=[0, 1])
async def a_packed_tile_is_no_longer_than_its_stride(dut, what, goes_on):
    """Neither of what is read nor of what is written: and nothing else is written."""
    lists = Lists(drive.rng())
    config = lists.config
    if what == "results" and not config.packs_results:
        return
    lists.gemm(config.rows + 1, config.cols + 1, 30)
    packed_too_long(lists, what, goes_on=goes_on, interrupt=1)
    lists.gemm(config.rows, config.cols + 2, 30, interrupt=1)
    await stops_at(dut, lists, goes_on, Fault.OVERLONG)


SPOILT = {
    "kind": (0, 1, 2, 3, 4, 255), "m": (0, 1), "n": (0, 1), "k": (0, 1, 256, 257, 65535),
    "tiles": (0, 1, 32, 33, 65535), "format": (0, 1, 2, 3, 255), "output": (0, 1, 3, 4, 5, 255),
    "flags": (0, 1, 2, 4, 8, 255), "selection": (0, 1, 2, 3, 4, 255), "units": (0, 1, 2, 3, 99),
    "threshold": (0, 0x7F800000, 0x7F800001, 1 << 31), "table": (0, 1, 2, 255),
    "a_stride": (0, 64, 100), "b_stride": (0, 64, 128), "c_stride": (0, 4),
    "a_step_0": (0, 64), "b_step_1": (1, 64), "count_0": (0, 1, 2), "count_1": (0, 1, 3),
    "bias": (0, 2, 1 << 40), "wait_a": (1, 255), "version": (0, 1, 2), "operation": (0, 1, 255),
    "goes_on": (0, 1), "interrupt": (0, 1)}
"""Values that a field may have in a list that somebody got wrong, and some that are good."""


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(byte=[0, 1, 150])
async def what_cannot_be_read_does_not_ask_to_go_on(dut, byte):
    """Of another version or operation, or with a bit that is kept for others."""
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20, goes_on=1, interrupt=1)
    wrong = bytearray(packed(lists.commands[1]))
    wrong[byte] ^= 0x40
    lists.commands[1] = bytes(wrong)
    await stops_at(dut, lists, 0)


@cocotb.test(timeout_time=100, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_golden_refuses_is_refused_by_the_same_name(dut, manners):
    """Commands of which one to three fields are any, on both: the same faults, the same bytes."""
    rng, seen = drive.rng(), set()
    for _ in range(drive.amount(12, 200)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(8):
            kind = rng.choice([JobKind.GEMM, JobKind.GEMM_PACKED])
            if rng.random() < 0.3:
                lists.convert(config.cols + 1, 40, transposed=bool(rng.integers(2)))
            else:
                lists.gemm(config.rows + 1, config.cols + 1, 40, kind=kind, has_bias=True)
        lists.room(1 << 16)
        # Whatever a command becomes, it writes where nobody reads, since nothing waits for it.
        for number, command in enumerate(lists.commands):
            spoilt = {name: int(rng.choice(SPOILT[name]))
                      for name in rng.choice(list(SPOILT), rng.integers(0, 4), replace=False)}
            lists.commands[number] = Command(**(
                command.describe() | {"c": lists.room(8192)} | spoilt))
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        for _ in lists.commands:
            await both.wait()
            both.compare()
            if lists.ring.fault is Fault.REFUSED:
                assert Refusal(int(dut.registers__refusal.value)).name == lists.ring.refusal
                seen.add(lists.ring.refusal)
            seen.add(lists.ring.fault)
            if lists.ring.fault is Fault.NONE:
                break
            await both.pulse("skip")
            lists.ring.skip()
        await both.wait()
        both.compare()
        both.end()
    assert len(seen) > 8, seen


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_tail_too_far_ahead_stops_the_ring(dut):
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(3)
    both.compare()
    dut.tail.value = tail = 3 + lists.ring.size + 1
    await drive.ticks(dut, 100)
    lists.ring.doorbell(tail)
    assert lists.ring.fault is Fault.OVERRUN
    both.compare()


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def can_be_switched_off_at_any_moment(dut, manners):
    """The bus falls quiet; switched on again the ring goes on at the command that had not ended."""
    rng = drive.rng()
    for _ in range(drive.amount(6, 60)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(4):
            lists.gemm(config.rows + 1, config.cols + 1, 40, has_bias=True)
        lists.convert(config.cols + 1, 40)
        both = Run(dut, lists, manners)
        await both.begin()
        for _ in range(3):
            await drive.ticks(dut, int(rng.integers(1, 700)))
            dut.enable.value = 0
            await drive.ticks(dut, 2)
            for _ in range(3_000):
                if int(dut.is_idle.value):
                    break
                await drive.ticks(dut, 1)
            assert int(dut.is_idle.value) and both.slave.is_idle
            before = both.slave.asked
            await drive.ticks(dut, 200)
            assert both.slave.asked == before
            dut.enable.value = 1
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def an_error_in_every_transfer_in_turn(dut, manners):
    """Wherever the bus fails, the ring stops at a command, and all is well after a resume."""
    rng, seen = drive.rng(), {}
    for transfer in range(200):
        lists = Lists(drive.rng())
        config = lists.config
        lists.gemm(config.rows + 1, config.cols + 1, 20, has_bias=True)
        lists.convert(config.cols + 1, 20)
        lists.gemm(config.rows, 3, 20, output=Output.FP16)
        answer = int(rng.choice([2, 3]))
        both = Run(dut, lists, manners, {transfer: answer})
        await both.begin()
        await both.wait()
        fault = int(dut.fault.value)
        if both.slave.asked <= transfer:
            break
        assert fault in (Fault.READ_SLVERR, Fault.READ_DECERR, Fault.WRITE_SLVERR,
                         Fault.WRITE_DECERR), f"transfer {transfer}: {fault}"
        assert (fault % 2 == 1) == (answer == 2)
        seen[fault] = seen.get(fault, 0) + 1
        await both.pulse("resume")
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        assert int(dut.completed.value) == 3
        both.end()
    assert transfer > 20 and len(seen) == 4, seen


def config_of(rows, cols, **others):
    return Config.sized(rows=rows, cols=cols, k_max=256, act_bytes=32, weight_bytes=32, **others)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5)])
def test_memory_machine(rows, cols):
    config = config_of(rows, cols)
    bench.simulate(MemoryMachine(config), __name__, f"memory_machine_{rows}x{cols}",
                   parameters=handed_over(config))
