"""Commands from memory to memory: every byte against golden's ring."""

import cocotb
import numpy as np
import pytest

from golden import MX6, quantize
from golden.memory import Command, Fault, Machine, Memory, Ring
from golden.memory.descriptor import BYTES, JobFlag
from golden.memory.jobs import FORMAT_CODES, JobKind, Output, Selection
from golden.memory.layouts import longest_packet
from golden.packing import activation_tiles, weight_stream
from hw.contract.config import Config
from hw.memory_machine import MemoryMachine
from sim_tests import bench, drive
from sim_tests.memory.slave import Manners, Slave
from sim_tests.stimuli.operands import configuration, handed_over, matrix, mixed

SIZE, RING = 1 << 19, 16
WIDTHS = {"fp32": np.uint32, "fp16": np.float16, "bf16": np.uint16}


def machine_of(config):
    """Say to golden what was built."""
    return Machine(**{name: getattr(config, name) for name in (
        "rows", "cols", "act_bytes", "weight_bytes", "acc_width", "k_max", "act_depth",
        "tile_slots", "tables", "rounding", "float_formats")})


class Lists:
    """Lay operands out in golden's memory, and collect commands.

    The ring is at the beginning; whatever nobody owns holds a canary.
    """

    def __init__(self, rng):
        self.rng, self.config = rng, configuration()
        self.memory = Memory()
        self.data = self.memory.add(0, SIZE)
        self.ring = Ring(machine_of(self.config), self.memory, 0, RING)
        self.free, self.commands = RING * BYTES, []

    def room(self, size, unit=64):
        """Return an address of so many bytes: any multiple of the unit, with some room beside."""
        skipped = int(self.rng.integers(1, 64 // unit + 1)) * unit
        at = -(-self.free // 64) * 64 + skipped
        self.free = at + size + 64
        assert self.free < SIZE
        return at

    def rows(self, array, unit):
        """Place rows at a stride; return address and stride."""
        size = array.itemsize * array.shape[1]
        stride = -(-size // unit) * unit + unit * int(self.rng.integers(0, 9))
        at = self.room(stride * len(array), unit)
        for number, row in enumerate(array):
            self.memory.write(at + number * stride, row.tobytes())
        return at, stride

    def tiles(self, packets):
        stride = -(-max(map(len, packets)) // 64) * 64
        at = self.room(stride * len(packets))
        for number, packet in enumerate(packets):
            self.memory.write(at + number * stride, packet)
        return at, stride

    def gemm(self, m, n, k, *, kind=JobKind.GEMM, float_format="fp32", output=Output.FP32,
             has_bias=False, tiles=1, **values):
        """Add a GEMM, of numbers or of packed activations."""
        rng, config = self.rng, self.config
        w = mixed(matrix(rng, n, k), rng.random(-(-k // 16)) < 0.3).transpose()
        if kind is JobKind.GEMM:
            a, a_stride = self.rows(*in_format(matrix(rng, m, k), float_format))
        else:
            x = mixed(matrix(rng, m, k), rng.random(-(-k // 16)) < 0.4)
            a, a_stride = self.tiles(activation_tiles(x, config.rows, config.act_bytes))
        b, b_stride = self.tiles(weight_stream(w, config.cols, config.weight_bytes))
        if output in (Output.MX6, Output.MX9):
            size = longest_packet(config.rows, n, config.act_bytes)
            size = -(-size // 64) * 64 + 64 * int(rng.integers(0, 3))
            c = {"c_stride": size, "c": self.room(-(-m // config.rows) * size)}
        else:
            size = 4 if output is Output.FP32 else 2
            stride = n * size + size * int(rng.integers(0, 20))
            c = {"c_stride": stride, "c": self.room(m * stride, size)}
        if kind is JobKind.GEMM:
            c |= self.policy(k) | {"format": FORMAT_CODES[float_format]}
        if has_bias:
            c |= {"flags": JobFlag.BIAS, "bias": self.place(rng.standard_normal((1, n)))}
        return self.add(**({
            "kind": kind, "m": m, "n": n, "k": k, "tiles": tiles, "output": output, "a": a, "b": b,
            "a_stride": a_stride, "b_stride": b_stride} | c | values))

    def convert(self, n, k, *, transposed=False, float_format="fp32", **values):
        """Add a conversion."""
        x = matrix(self.rng, *((k, n) if transposed else (n, k)))
        a, a_stride = self.rows(*in_format(x, float_format))
        size = -(-longest_packet(self.config.cols, k, self.config.weight_bytes) // 64) * 64
        return self.add(**({
            "kind": JobKind.CONVERT_TRANSPOSED if transposed else JobKind.CONVERT, "n": n, "k": k,
            "a": a, "a_stride": a_stride, "c_stride": size,
            "c": self.room(-(-n // self.config.cols) * size),
            "format": FORMAT_CODES[float_format]} | self.policy(k) | values))

    def policy(self, k):
        """Draw how MX9 blocks are chosen."""
        blocks = -(-k // 16)
        return [{"selection": Selection.TOP, "units": int(self.rng.integers(0, blocks + 1))},
                {"selection": Selection.THRESHOLD, "threshold": 0x3F800000},
                {"selection": Selection.HEAD, "units": 1}][self.rng.integers(3)]

    def add(self, **values):
        self.commands.append(Command(**({"count_0": 1, "count_1": 1} | values)))
        return self.commands[-1]

    def place(self, array):
        """Place numbers in FP32."""
        array = array.astype(np.float32)
        at = self.room(array.nbytes, 4)
        self.memory.write(at, array.tobytes())
        return at


def in_format(x, float_format):
    """Give numbers in a format, and the bytes of one."""
    if float_format == "fp16":
        x = x.astype(np.float16)
    elif float_format == "bf16":
        x = (x.view(np.uint32) >> 16).astype(np.uint16)
    return x, x.itemsize


GENTLE = Manners()
HOSTILE = Manners(read_latency=30, write_latency=80, jitter=40, pause=0.3, mixes=True)


class Run:
    """A list on the machine, beside golden's ring.

    Parameters
    ----------
    dut : handle
    lists : Lists
    manners : Manners
    errors : dict of int to int, optional
        As in `Slave`.
    """

    def __init__(self, dut, lists, manners=GENTLE, errors=None):
        self.dut, self.lists, self.interrupts = dut, lists, 0
        for number, command in enumerate(lists.commands):
            lists.memory.write(number * BYTES, command.pack())
        self.memory = lists.data.copy()
        self.slave = Slave(dut, self.memory, dut.aclk, manners, errors)

    async def begin(self):
        """Reset the machine, and enable the ring."""
        dut = self.dut
        await drive.reset(dut)
        self.serving = cocotb.start_soon(self.slave.run())
        dut.base.value, dut.size_log2.value = 0, RING.bit_length() - 1
        dut.tail.value = len(self.lists.commands)
        await drive.ticks(dut, 2)
        dut.enable.value = 1

    async def wait(self, limit=300_000):
        """Wait until all commands have ended or the ring stands still; return the cycles."""
        dut, start = self.dut, drive.cycle()
        while not (int(dut.completed.value) == len(self.lists.commands)
                   or (int(dut.fault.value) and int(dut.is_idle.value))):
            await drive.ticks(dut, 1)
            self.interrupts += int(dut.interrupts.value)
            assert drive.cycle() - start < limit, f"{int(dut.completed.value)} commands have ended"
        cycles = drive.cycle() - start
        await drive.ticks(dut, 100)
        assert self.slave.is_idle
        return cycles

    def compare(self):
        """Compare where the ring stands, and all of memory."""
        dut, ring = self.dut, self.lists.ring
        assert (int(dut.fault.value), int(dut.completed.value), self.interrupts) == (
            ring.fault, ring.completed, ring.interrupts)
        expected = self.lists.data.copy()
        for address, size in ring.undefined:
            expected[address : address + size] = self.memory[address : address + size]
        drive.compare(self.memory, expected, "memory")


async def run(dut, lists, manners=GENTLE):
    """Run a list on both, and compare; return the cycles and what was seen."""
    both = Run(dut, lists, manners)
    await both.begin()
    cycles = await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    return cycles, both.slave.seen


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
}


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(name=list(FAULTY), goes_on=[0, 1])
async def a_bad_descriptor_stops_the_ring_where_it_is(dut, name, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    for number in range(5):
        bad = FAULTY[name] | {"goes_on": goes_on} if number == 2 else {}
        lists.gemm(config.rows + number, config.cols + 1, 30, interrupt=1, **bad)
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    if not goes_on:
        dut.skip.value = 1
        await drive.ticks(dut, 1)
        dut.skip.value = 0
        await drive.ticks(dut, 2)
        await both.wait()
        lists.ring.skip()
        both.compare()
    assert int(dut.completed.value) == 5


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
        dut.resume.value = 1
        await drive.ticks(dut, 1)
        dut.resume.value = 0
        await drive.ticks(dut, 2)
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        assert int(dut.completed.value) == 3
        both.serving.cancel()
    assert transfer > 20 and len(seen) == 4, seen


def config_of(rows, cols, **others):
    return Config.sized(rows=rows, cols=cols, k_max=256, act_bytes=32, weight_bytes=32, **others)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5)])
def test_memory_machine(rows, cols):
    config = config_of(rows, cols)
    bench.simulate(MemoryMachine(config), __name__, f"memory_machine_{rows}x{cols}",
                   parameters=handed_over(config))
