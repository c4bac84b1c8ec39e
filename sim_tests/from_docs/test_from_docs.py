"""The emitted Verilog of a 4x4 machine against its documentation, and nothing else.

The bench knows the pages numerics.md, interfaces.md, registers.md and architecture.md; it shares
no code with the generator, its golden model or its other tests.
"""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotb_tools.runner import get_results, get_runner

from sim_tests.from_docs import machine as pins
from sim_tests.from_docs.jobs import (
    NO_TABLE,
    Activations,
    Blocks,
    Gemm,
    Matrix,
    Selection,
    column_maxima,
    float_packets,
    mx_results,
    plan_gemm,
    plan_packed_gemm,
    product,
    quantize_tile,
    random_matrix,
    random_number,
    random_weights,
    row_bytes,
    select_above,
    select_all,
    select_static,
    select_top,
    with_specials,
)
from sim_tests.from_docs.machine import (
    ABORT,
    ACT_DEPTH,
    ACT_KEEP,
    ACT_LENGTH,
    BIAS,
    COLS,
    CONVERT,
    CONVERT_TRANSPOSED,
    DRAIN_LANES,
    ENDED,
    FRACTION_BITS,
    GEMM,
    GEMM_PACKED,
    HEAD,
    K_MAX,
    MEASURE,
    MX6,
    MX9,
    OKAY,
    REFUSED,
    REORDER,
    RESULT_BYTES,
    RESUME,
    ROWS,
    SLVERR,
    START,
    STATIC,
    TABLES,
    THRESHOLD,
    TILE_SLOTS,
    TOP,
    WEIGHT_KEEP,
    WEIGHT_LENGTH,
    Machine,
)
from sim_tests.from_docs.numerics import (
    BF16,
    FP16,
    FP32,
    INFINITY,
    Beat,
    Block,
    Float,
    beats_of,
    fill,
    in_chunks,
    packed_tile,
    quantize,
    widen,
)

ROOT = Path(__file__).resolve().parents[2]

OPTIONS = ("--rows=4", "--cols=4", "--k-max=256", "--act-depth=128", "--weight-depth=32",
           "--tile-slots=16", "--drain-lanes=8", "--name=mixdit_4x4")
"""The machine that the constants in `machine` describe."""
# Running jobs


def send_gemm(machine: Machine, plan: Gemm):
    """Queue the packets of a GEMM."""
    for packet in plan.act_packets:
        machine.act.send(packet, is_kept_whole=plan.job["KIND"] == GEMM_PACKED)
    for packet in plan.wgt_packets:
        machine.wgt.send(packet)


async def expect_end(
    machine: Machine,
    results: Sequence[Sequence[Beat]],
    counters: dict[str, int],
    *,
    faults: int = 0,
):
    """Wait for the end of the one job under way; check results, faults and counters."""
    ended = await machine.read(pins.JOBS_ENDED)
    if await machine.read(pins.STATUS) & 0xFF:
        await machine.wait_ended(ended + 1)
    for _ in range(2000):
        if not await machine.read(pins.STATUS) & 1 << 17:
            break
    assert machine.out.packets == list(results), difference(machine.out.packets, results)
    assert machine.out.unfinished == []
    machine.out.clear()
    assert await machine.read(pins.JOB_FAULTS) == faults
    for name, value in counters.items():
        assert await machine.counter(name) == value, name
    assert machine.act.is_empty and machine.wgt.is_empty


def difference(got: Sequence[Sequence[Beat]], wanted: Sequence[Sequence[Beat]]) -> str:
    """Where results first differ."""
    for i, (a, b) in enumerate(zip(got, wanted, strict=False)):
        if list(a) != list(b):
            return f"packet {i}:\ngot    {shown(a)}\nwanted {shown(b)}"
    return f"{len(got)} packets, not {len(wanted)}"


def shown(packet: Sequence[Beat]) -> str:
    """A packet in hex, the lowest byte first."""
    return " | ".join("".join("--" if x is None else f"{x:02x}" for x in beat) for beat in packet)


async def run_gemm(machine: Machine, plan: Gemm):
    """Run one GEMM alone and check everything."""
    send_gemm(machine, plan)
    assert await machine.start(plan.job) == 0
    await expect_end(machine, plan.results, plan.counters)


async def run_conversion(
    machine: Machine,
    rows: Matrix,
    *,
    source: Float = FP32,
    selection: Selection,
    order: Sequence[int] = (),
    table: int = NO_TABLE,
    is_transposed: bool = False,
    flags: int = 0,
) -> list[Blocks]:
    """Make a packed B of its columns `rows`; check it to the byte and return it."""
    made = Activations.of(rows, source, selection, order)
    job = {
        "KIND": CONVERT_TRANSPOSED if is_transposed else CONVERT,
        "M": 0,
        "N": len(rows),
        "K": len(rows[0]),
        "TILES": 0,
        "FORMAT": source.code,
        "FLAGS": flags | (REORDER if order else 0),
        "TABLE": table,
        **selection.registers,
    }
    if is_transposed:
        packets = [
            row_bytes(row, source)
            for columns in in_chunks(rows, COLS)
            for row in zip(*columns, strict=True)
        ]
    else:
        packets = [row_bytes(row, source) for row in rows]
    for packet in packets:
        machine.act.send(packet)
    assert await machine.start(job) == 0
    results = [beats_of(packed_tile(x, pins.WEIGHT_BYTES), RESULT_BYTES) for x in made.tiles]
    await expect_end(machine, results, made.counters())
    return made.tiles


def cocotb_test(function):
    """A cocotb test with a limit on simulated time."""
    return cocotb.test(timeout_time=2, timeout_unit="ms")(function)


# Registers


@cocotb_test
async def identification(dut):
    """The letters, the version and what the machine was built for."""
    machine = await Machine.begin(dut, 1)
    wanted = {
        "ID": int.from_bytes(b"MXDT", "big"),
        "VERSION": 3 << 16,
        "ROWS": ROWS,
        "COLS": COLS,
        "ACC_WIDTH": 40,
        "K_MAX": K_MAX,
        "ACT_BYTES": pins.ACT_BYTES,
        "WEIGHT_BYTES": pins.WEIGHT_BYTES,
        "RESULT_BYTES": RESULT_BYTES,
        "ACT_DEPTH": ACT_DEPTH,
        "WEIGHT_DEPTH": 32,
        "TILE_SLOTS": TILE_SLOTS,
        "FORMATS": 0b111,
        "STAGE_DEPTH": 98,
        "DRAIN_LANES": DRAIN_LANES,
        "TABLES": TABLES,
        "FRACTION_BITS": FRACTION_BITS,
        "ROUNDING": 0,
        "OUTPUTS": 0b11111,
        "CELL_STAGES": 1,
    }
    found = {name: await machine.read(address) for name, address in pins.CONSTANTS.items()}
    dut._log.info("%s", found)
    assert {name: found[name] for name in wanted} == wanted
    status = await machine.read(pins.STATUS)
    assert status == found["JOB_SLOTS"] << 8


SETTINGS = {
    **{address: 0xFFFFFFFF for address in pins.JOB.values()},
    pins.IRQ_ENABLE: 0x3F,
    pins.TABLE_SELECT: 0xFFFFFFFF,
    pins.MAXIMUM_CHANNEL: 0xFFFF,
}


@cocotb_test
async def register_access(dut):
    """SLVERR, unaligned addresses, byte strobes, widths, and either order of the channels."""
    machine = await Machine.begin(dut, 2)
    readable = {
        *pins.CONSTANTS.values(),
        *SETTINGS,
        *range(pins.STATUS, pins.IRQ_PENDING + 4, 4),
        pins.MAXIMUM,
        *range(0x100, 0x148, 4),
    }
    settable = {*SETTINGS, pins.IRQ_PENDING}
    entries = {pins.ORDER_ENTRY, pins.TAG_ENTRY, pins.TABLE_CLEAR}
    for address in [*range(0, 0x180, 4), 0x400, 0x800, 0x8C0, 0xFFC]:
        _, response = await machine.fetch(address)
        assert response == (OKAY if address in readable else SLVERR), f"read {address:#x}"
        if address not in entries | {pins.CONTROL}:
            response = await machine.access(address, 0, 0xF)
            assert response == (OKAY if address in settable else SLVERR), f"write {address:#x}"
    for address, width in SETTINGS.items():
        assert await machine.read(address) == 0
        await machine.write(address, 0xFFFFFFFF)
        assert await machine.read(address) == width
        assert await machine.access(address + 1, 0x12345678, 0b0101, delay=2) == OKAY
        partly = 0xFF34FF78 & width
        assert await machine.read(address + 3) == partly
        assert await machine.access(address + 2, 0, 0, delay=-3) == OKAY
        assert await machine.read(address + 2) == partly
    assert await machine.access(pins.CONTROL, ABORT, 0b1110) == OKAY
    assert not await machine.read(pins.STATUS) & 1 << 16
    assert await machine.access(pins.CONTROL + 3, ABORT, 0b0001) == OKAY
    assert await machine.read(pins.STATUS) & 1 << 16
    for address in entries:
        assert await machine.access(address, 0, 0b0111) == SLVERR


# Every job holds all later mistakes too that it can, so the order of the checks shows.
BAD = {
    "M": 0,
    "N": 0,
    "K": K_MAX + 1,
    "TILES": 0,
    "FORMAT": 3,
    "OUTPUT": 5,
    "FLAGS": BIAS | REORDER,
    "TABLE": TABLES,
    "SELECTION": 4,
}
CURES = (
    (9, {"KIND": 4}, {"KIND": GEMM}),
    (12, {"FLAGS": 8 | BIAS | REORDER}, {"FLAGS": BIAS | REORDER}),
    (1, {}, {"M": 1, "N": 1}),
    (2, {}, {"K": 33}),
    (3, {}, {"TILES": 1}),
    (4, {}, {"FORMAT": 2}),
    (10, {}, {"OUTPUT": 0}),
    (5, {}, {"SELECTION": TOP, "UNITS": 4}),
    (6, {}, {"SELECTION": THRESHOLD, "THRESHOLD": 0x80000000}),
    (7, {}, {"THRESHOLD": INFINITY + 1}),
    (7, {}, {"SELECTION": STATIC}),
    (11, {}, {"TABLE": 1}),
    (14, {}, {}),
)


@cocotb_test
async def refusals(dut):
    """Every refusal, in the order of the checks; none consumes anything."""
    machine = await Machine.begin(dut, 3)
    await machine.load_table(1, [5, 5, 6])
    job = dict(BAD)
    for code, ill, cured in CURES:
        job |= ill
        assert await machine.start(job) == code, (code, job)
        job |= cured
    await machine.load_table(1, [5, 6])
    assert await machine.start(job) == 15
    await machine.load_table(1, range(33), [False, True])
    assert await machine.start(job) == 16
    await machine.load_table(1, range(33), [False, True, False, True])
    assert await machine.start(job) == 16
    await machine.load_table(1, range(34), [False, True, False])
    assert await machine.start(job) == 15

    # Edges of single checks.
    good = {"KIND": GEMM, "M": 1, "N": 1, "K": 33, "TILES": 1}
    for change, code in (
        ({"N": 0}, 1),
        ({"K": 0}, 1),
        ({"TILES": TILE_SLOTS + 1}, 3),
        ({"TILES": 9, "K": K_MAX}, 3),
        ({"SELECTION": HEAD, "UNITS": 2}, 6),
        ({"SELECTION": STATIC, "TABLE": 0}, 16),
        ({"FLAGS": REORDER, "TABLE": 0}, 15),
        ({"KIND": GEMM_PACKED, "FLAGS": REORDER}, 12),
        ({"KIND": GEMM_PACKED, "FLAGS": MEASURE}, 12),
        ({"KIND": GEMM_PACKED, "OUTPUT": 5}, 10),
        ({"KIND": CONVERT, "OUTPUT": 1}, 12),
        ({"KIND": CONVERT, "FLAGS": BIAS}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "FLAGS": REORDER}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "FLAGS": MEASURE}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "OUTPUT": 4}, 12),
    ):
        assert await machine.start(good | change) == code, change
    assert await machine.read(pins.IRQ_PENDING) == REFUSED
    await machine.write(pins.IRQ_ENABLE, REFUSED)
    await machine.edges(2)
    assert dut.irq.value == 1
    await machine.write(pins.IRQ_PENDING, REFUSED)
    await machine.edges(2)
    assert dut.irq.value == 0

    # A full queue, and all other mistakes beside it; then an abort, which counts before that.
    slots = await machine.read(pins.CONSTANTS["JOB_SLOTS"])
    for started in range(slots):
        assert await machine.start(good) == 0
        assert await machine.read(pins.STATUS) == (slots - started - 1) << 8 | started + 1
    assert await machine.start(BAD | {"KIND": 4}) == 8
    await machine.write(pins.CONTROL, ABORT)
    assert await machine.start(BAD | {"KIND": 4}) == 13
    await machine.write(pins.CONTROL, RESUME)
    assert await machine.read(pins.JOBS_ENDED) == 0
    rng = machine.rng
    plan = plan_gemm(random_matrix(rng, 1, 8), random_weights(rng, 2, 8), selection=select_top(0))
    await run_gemm(machine, plan)


@cocotb_test
async def commands_together(dut):
    """Several commands in one write of CONTROL."""
    machine = await Machine.begin(dut, 4)
    job = {"KIND": GEMM, "M": 1, "N": 1, "K": 1, "TILES": 1}
    assert await machine.start(job) == 0

    async def command(bits: int) -> tuple[int, int, bool]:
        await machine.write(pins.CONTROL, bits)
        status = await machine.read(pins.STATUS)
        return await machine.read(pins.REFUSAL), status & 0xFF, bool(status & 1 << 16)

    assert await command(START | ABORT) == (13, 0, True)
    assert await command(START | RESUME) == (13, 0, False)
    assert await command(START | RESUME) == (0, 1, False)
    assert await command(ABORT | RESUME) == (0, 0, True)
    assert await command(RESUME) == (0, 0, False)
    assert await command(START) == (0, 1, False)
    assert await command(START | ABORT | RESUME) == (13, 0, True)


# Jobs


@cocotb_test
async def gemm_formats(dut):
    """All formats of activations and floating-point results, ragged sizes, every selection."""
    machine = await Machine.begin(dut, 5)
    rng = machine.rng
    machine.act.pause_chance = machine.wgt.pause_chance = 0.1
    machine.out.pause_chance = 0.3
    tags = [True, False, True]
    await machine.load_table(1, tags=tags)
    ranges = ((FP32, None), (FP16, 9), (BF16, None))
    cases = (
        (7, 6, 40, FP32, FP32, 2, select_top(1), False),
        (5, 4, 41, FP16, FP16, 1, select_above(0x37000000), True),
        (9, 3, 35, BF16, BF16, 2, select_static(tags), False),
        (3, 9, 17, FP16, BF16, 1, select_all(True), True),
        (13, 5, 16, BF16, FP16, 4, select_all(False), True),
        (10, 1, 33, FP32, FP16, 3, select_top(3), True),
    )
    for m, n, k, source, target, group_tiles, selection, has_bias in cases:
        center = dict(ranges)[source]
        rows = random_matrix(rng, m, k, source, center)
        weights = random_weights(rng, n, k)
        biases = [x[0] for x in random_matrix(rng, n, 1)] if has_bias else None
        plan = plan_gemm(
            rows,
            weights,
            source=source,
            target=target,
            group_tiles=group_tiles,
            selection=selection,
            biases=biases,
            table=1,
        )
        await run_gemm(machine, plan)


def with_precision(block: Block, is_mx9: bool) -> Block:
    """The same H, with an L of ones if it is to be MX9."""
    return replace(block, low=(1,) * 16 if is_mx9 else None)


@cocotb_test
async def gemm_extremes(dut):
    """Overflow, underflow, NaN blocks on both sides, biases of every class, ties and zeros."""
    machine = await Machine.begin(dut, 6)
    rng = machine.rng
    k = 24
    scales = (12, 60, 120, 190, 240)
    rows = [random_matrix(rng, 1, k, center=x)[0] for x in scales] + [[1 << 31] * k]
    columns = [x for center in (15, 64, 127, 200) for x in random_weights(rng, 1, k, center)[0]]
    columns = [[with_precision(x, i == 1) for i, x in enumerate(column)] for column in columns]
    plain = plan_gemm(rows, [columns], selection=select_top(1), group_tiles=2)
    await run_gemm(machine, plain)
    for target in (FP16, BF16):
        await run_gemm(
            machine,
            plan_gemm(rows, [columns], selection=select_top(1), target=target, group_tiles=2),
        )
    for biases in (
        [INFINITY, INFINITY | 1 << 31, INFINITY | 5, 1 << 31],
        [0x00000001, 0x807FFFFF, 0x7F7FFFFF, 0xFF7FFFFF],
        [0x00800000, 0x80800000, 0x3F800000, 0x00800001],
    ):
        await run_gemm(machine, plan_gemm(rows, [columns], selection=select_top(1), biases=biases))
    cancelling = [[0x40000000 if i % 2 else 0xC0000000 for i in range(k)]]
    ones = [[quantize_tile([[0x3F800000] * k], [False, False])[0][0]] * 2]
    await run_gemm(
        machine,
        plan_gemm(cancelling, ones, selection=select_all(False), biases=[1 << 31, 1]),
    )
    for source in (FP32, FP16, BF16):
        special = with_specials(rng, random_matrix(rng, 6, k, source), source, 3)
        weights = random_weights(rng, 5, k)
        weights[1][0][0] = quantize([INFINITY] * 16, weights[1][0][0].low is not None).block
        await run_gemm(
            machine,
            plan_gemm(special, weights, source=source, target=source, selection=select_top(1)),
        )


@cocotb_test
async def gemm_rounding(dut):
    """What lies so far below the anchors that it is rounded, and results that are subnormal."""
    machine = await Machine.begin(dut, 18)
    rng = machine.rng
    one = FP32.encode(0, Fraction(1))
    minus_one = one | 1 << 31
    columns = [[one] * 16 + x[16:] for x in random_matrix(rng, 4, 48)]
    weights = [quantize_tile(columns, [True] * 3)[0]]
    for below in (14, 17, 19, 20, 22, 24, 26, 28, 40):
        # The first block sets the anchor and adds up to nothing.
        rows = [
            [one, minus_one] * 8
            + [random_number(rng, FP32, 127 - below + rng.randint(-3, 0), 1) for _ in range(32)]
            for _ in range(4)
        ]
        await run_gemm(machine, plan_gemm(rows, weights, selection=select_top(rng.randint(0, 3))))
    rows = [random_matrix(rng, 1, 48, center=x)[0] for x in range(100, 127, 3)]
    await run_gemm(
        machine,
        plan_gemm(rows, weights, target=FP16, selection=select_all(True), group_tiles=3),
    )


@cocotb_test
async def choices_at_the_edge(dut):
    """Equal magnitudes go to the lower K-block; a threshold must be exceeded; NaNs rank first."""
    machine = await Machine.begin(dut, 19)
    one = FP32.encode(0, Fraction(1))
    nan, infinity = INFINITY | 1 << 31 | 1, INFINITY
    rows = [[x] * 16 + [one | 1 << 31] * 16 + [x + 1] * 16 + [one] * 16 for x in (one - 1, one - 2)]
    special = [[one] * 16 + [infinity] * 16 + [nan] * 16 + [one + 1] * 16]
    for matrix in (rows, special):
        for units in range(5):
            await run_conversion(machine, matrix, selection=select_top(units))
        for threshold in (one - 2, one - 1, one, infinity):
            await run_conversion(machine, matrix, selection=select_above(threshold))


@cocotb_test
async def mx_results_go_round(dut):
    """Results in MX6 and MX9, and then these as the activations of GEMM_PACKED."""
    machine = await Machine.begin(dut, 7)
    rng = machine.rng
    machine.out.pause_chance = 0.3
    for target, m, n, group_tiles, source in (
        (MX6, 6, 21, 2, FP32),
        (MX9, 9, 34, 1, BF16),
        (MX9, 7, 5, 4, FP32),
    ):
        rows = with_specials(rng, random_matrix(rng, m, 19, source), source, 1)
        weights = random_weights(rng, n, 19)
        biases = [x[0] for x in random_matrix(rng, n, 1)]
        plan = plan_gemm(
            rows,
            weights,
            source=source,
            target=target,
            group_tiles=group_tiles,
            selection=select_top(1),
            biases=biases,
        )
        send_gemm(machine, plan)
        assert await machine.start(plan.job) == 0
        await machine.wait_ended(await machine.read(pins.JOBS_ENDED) + 1)
        got = list(machine.out.packets)
        await expect_end(machine, plan.results, plan.counters)

        # The packets, placed behind precision beats, are the next packed activations.
        k_blocks = -(-n // 16)
        tile_count = -(-m // ROWS)
        tags = (1 << k_blocks) - 1 if target == MX9 else 0
        packets = [tags.to_bytes(pins.ACT_BYTES, "little") for _ in range(tile_count)]
        places = [
            tile
            for group in in_chunks(range(tile_count), group_tiles)
            for _ in range(k_blocks)
            for tile in group
        ]
        for tile, packet in zip(places, got, strict=True):
            packets[tile] += b"".join(bytes(x or 0 for x in beat) for beat in packet)
        made = Activations.of(rows, source, select_top(1))
        first = product(made.tiles, weights, biases)
        follow = plan_packed_gemm(
            mx_results(first, target), n, random_weights(rng, 6, n), group_tiles=group_tiles
        )
        assert follow.act_packets == packets
        await run_gemm(machine, follow)


@cocotb_test
async def conversions(dut):
    """CONVERT and CONVERT_TRANSPOSED make weights that a GEMM then uses."""
    machine = await Machine.begin(dut, 8)
    rng = machine.rng
    machine.act.pause_chance = 0.1
    machine.out.pause_chance = 0.3
    tags = [False, True, True]
    await machine.load_table(0, tags=tags)
    for source, n, k, selection, is_transposed in (
        (FP32, 6, 35, select_top(1), False),
        (FP16, 5, 40, select_static(tags), False),
        (BF16, 4, 16, select_all(True), False),
        (FP32, 7, 35, select_top(2), True),
        (FP16, 6, 17, select_all(False), True),
        (BF16, 3, 33, select_static(tags), True),
    ):
        columns = with_specials(rng, random_matrix(rng, n, k, source), source, 1)
        weights = await run_conversion(
            machine,
            columns,
            source=source,
            selection=selection,
            table=0,
            is_transposed=is_transposed,
        )
        plan = plan_gemm(random_matrix(rng, 5, k), weights, selection=select_top(1))
        await run_gemm(machine, plan)


@cocotb_test
async def tables(dut):
    """Channel orders and tags: loading, refusing, clearing, using."""
    machine = await Machine.begin(dut, 9)
    rng = machine.rng
    k = 37
    order = rng.sample(range(k), k)
    tags = [True, False, True]
    rows, weights = random_matrix(rng, 6, k), random_weights(rng, 3, k)
    selection = select_static(tags)
    plan = plan_gemm(rows, weights, selection=selection, order=order, table=1, group_tiles=2)

    # Entries out of turn, out of range, or not whole change nothing.
    assert await machine.start(plan.job) == 15
    await machine.load_table(1, order[:5], tags[:1])
    assert await machine.start(plan.job) == 15
    for address, entry in (
        (pins.ORDER_ENTRY, order[5] << 16 | 4),
        (pins.ORDER_ENTRY, order[5] << 16 | 6),
        (pins.ORDER_ENTRY, K_MAX << 16 | 5),
        (pins.TAG_ENTRY, 0 << 16),
        (pins.TAG_ENTRY, 2 << 16),
    ):
        assert await machine.access(address, entry, 0xF) == SLVERR
    assert await machine.access(pins.ORDER_ENTRY, order[5] << 16 | 5, 0b1011) == SLVERR
    for place in range(5, k):
        await machine.write(pins.ORDER_ENTRY, order[place] << 16 | place)
    assert await machine.start(plan.job) == 16
    for k_block in (1, 2):
        await machine.write(pins.TAG_ENTRY, k_block << 16 | int(tags[k_block]))
    await run_gemm(machine, plan)

    # A channel that stands twice; clearing tags or order alone.
    await machine.write(pins.ORDER_ENTRY, order[0] << 16 | k)
    assert await machine.start(plan.job) == 14
    await machine.write(pins.TABLE_CLEAR, 1)
    assert await machine.start(plan.job) == 15
    for place, channel in enumerate(order):
        await machine.write(pins.ORDER_ENTRY, channel << 16 | place)
    await machine.write(pins.TABLE_CLEAR, 2)
    assert await machine.start(plan.job) == 16
    await run_gemm(machine, plan_gemm(rows, weights, selection=select_top(1), order=order, table=1))

    # A table that a job under way uses can't be written, the other one can.
    for k_block, tag in enumerate(tags):
        await machine.write(pins.TAG_ENTRY, k_block << 16 | int(tag))
    assert await machine.start(plan.job) == 0
    assert await machine.access(pins.TABLE_CLEAR, 3, 0xF) == SLVERR
    assert await machine.access(pins.ORDER_ENTRY, k << 16 | k, 0xF) == SLVERR
    assert await machine.access(pins.TAG_ENTRY, 3 << 16, 0xF) == SLVERR
    other = list(reversed(range(k)))
    await machine.load_table(0, other)
    send_gemm(machine, plan)
    await expect_end(machine, plan.results, plan.counters)

    # A conversion through an order; no such table.
    await run_conversion(
        machine,
        random_matrix(rng, 5, k, FP16),
        source=FP16,
        selection=select_top(1),
        order=other,
        table=0,
    )
    await machine.write(pins.TABLE_SELECT, TABLES)
    for address in (pins.ORDER_ENTRY, pins.TAG_ENTRY, pins.TABLE_CLEAR):
        assert await machine.access(address, 0, 0xF) == SLVERR

    # Entries beyond the largest K.
    await machine.load_table(0, range(K_MAX), [True] * (K_MAX // 16))
    assert await machine.access(pins.ORDER_ENTRY, K_MAX, 0xF) == SLVERR
    assert await machine.access(pins.TAG_ENTRY, K_MAX // 16 << 16, 0xF) == SLVERR


@cocotb_test
async def channel_maxima(dut):
    """MEASURE records each arriving channel; before any job all read 0."""
    machine = await Machine.begin(dut, 10)
    rng = machine.rng
    assert await machine.maxima(20) == [0] * 20
    for k, source, order in ((18, FP32, True), (9, FP16, False), (12, BF16, False)):
        rows = with_specials(rng, random_matrix(rng, 5, k, source), source, 1)
        permutation = rng.sample(range(k), k) if order else []
        await machine.load_table(0, permutation)
        plan = plan_gemm(
            rows,
            random_weights(rng, 2, k),
            source=source,
            selection=select_top(0),
            order=permutation,
            table=0,
            flags=MEASURE,
        )
        await run_gemm(machine, plan)
        wanted = column_maxima(rows, source)
        assert await machine.maxima(20) == wanted + [0] * (20 - k)
    plan = plan_gemm(rows, random_weights(rng, 2, k), source=BF16, selection=select_top(0))
    await run_gemm(machine, plan)
    assert await machine.maxima(20) == wanted + [0] * (20 - k)
    rows = random_matrix(rng, 2, 5)
    await run_conversion(machine, rows, selection=select_all(False), flags=MEASURE)
    wanted = column_maxima(rows, FP32)
    assert await machine.maxima(20) == wanted + [0] * 15

    # Aborted jobs leave what had arrived, or what was there if nothing had.
    rows = random_matrix(rng, 3, 17)
    job = plan_gemm(rows, random_weights(rng, 1, 17), selection=select_top(0), flags=MEASURE).job
    for arrived in (rows[:0], rows[:1]):
        for row in arrived:
            machine.act.send(row_bytes(row, FP32))
        assert await machine.start(job) == 0
        await machine.edges(50)
        await machine.write(pins.CONTROL, ABORT)
        await machine.write(pins.CONTROL, RESUME)
        if arrived:
            wanted = column_maxima(arrived, FP32)
        assert await machine.maxima(20) == wanted + [0] * (20 - len(wanted))
    await machine.reset()
    assert await machine.maxima(20) == [0] * 20


@cocotb_test
async def subnormal_magnitudes(dut):
    """Subnormals, zeros in every block, still rank by their patterns and are measured so."""
    machine = await Machine.begin(dut, 16)
    rng = machine.rng
    for source in (FP32, BF16):
        small, large = 0x1, (1 << (source.precision - 1)) - 1
        rows = [[0] * 16 + [small] * 16 + [large] * 16 + [small] * 16]
        weights = random_weights(rng, 1, 64)
        above = select_above(widen(small, source))
        plan = plan_gemm(rows, weights, source=source, selection=above, flags=MEASURE)
        await run_gemm(machine, plan)
        assert await machine.maxima(64) == column_maxima(rows, source)
        # A conversion's packet shows which blocks were chosen.
        for selection in (select_top(1), select_top(2), above):
            await run_conversion(machine, rows, source=source, selection=selection)


@cocotb_test
async def jobs_in_a_row(dut):
    """As many jobs of all kinds as fit, started at once, packets and results in their order."""
    machine = await Machine.begin(dut, 17)
    rng = machine.rng
    machine.act.pause_chance = machine.out.pause_chance = 0.2
    k = 30
    first, last = (
        plan_gemm(
            random_matrix(rng, m, k),
            random_weights(rng, 5, k),
            selection=select_top(1),
            target=target,
            biases=[x[0] for x in random_matrix(rng, 5, 1)],
        )
        for m, target in ((5, MX9), (3, FP16))
    )
    job, packets, results = conversion_of(rng, 6, k)
    tiles = [quantize_tile(random_matrix(rng, 3, k), [True, False])[0]]
    packed = plan_packed_gemm(tiles, k, random_weights(rng, 2, k))
    for plan in (first, packed):
        assert await machine.start(plan.job) == 0
    assert await machine.start(job) == 0
    assert await machine.start(last.job) == 0
    send_gemm(machine, first)
    send_gemm(machine, packed)
    for packet in packets:
        machine.act.send(packet)
    send_gemm(machine, last)
    await machine.wait_ended(4)
    wanted = first.results + packed.results + results + last.results
    await expect_end(machine, wanted, last.counters)
    assert await machine.read(pins.JOBS_ENDED) == 4


# Broken packets


def row_beats(row: Sequence[int], source: Float) -> list[tuple[bytes, int]]:
    """A packet of activations as beats of data and tkeep."""
    return in_beats(row_bytes(row, source), pins.ACT_BYTES)


def in_beats(data: bytes, size: int) -> list[tuple[bytes, int]]:
    """A packet as beats of data and tkeep."""
    return [(x, (1 << len(x)) - 1) for x in in_chunks(data, size)]


async def run_broken(machine: Machine, plan: Gemm, act, wgt, faults: int):
    """Run a GEMM from these packets of beats; the results are those of the plan."""
    for packet in act:
        machine.act.send_beats(packet)
    await machine.write(pins.IRQ_PENDING, 0x3F)
    machine.wgt.gate_open = not faults & (ACT_LENGTH | ACT_KEEP)
    for packet in wgt:
        machine.wgt.send_beats(packet)
    assert await machine.start(plan.job) == 0
    if not machine.wgt.gate_open:
        # The fault is pending before the job can end.
        for _ in range(200):
            if await machine.read(pins.IRQ_PENDING) == faults << 2:
                break
        assert await machine.read(pins.IRQ_PENDING) == faults << 2
        machine.wgt.gate_open = True
    await expect_end(machine, plan.results, plan.counters, faults=faults)
    assert await machine.read(pins.IRQ_PENDING) == faults << 2 | ENDED


@cocotb_test
async def broken_rows(dut):
    """Rows that end early, end late or have the wrong tkeep; the next job is good again."""
    machine = await Machine.begin(dut, 11)
    rng = machine.rng
    k = 37
    rows, weights = random_matrix(rng, 5, k), random_weights(rng, 5, k)
    selection = select_top(1)
    good = plan_gemm(rows, weights, selection=selection)
    wgt = [in_beats(x, pins.WEIGHT_BYTES) for x in good.wgt_packets]
    act = [row_beats(row, FP32) for row in rows]
    whole = (1 << pins.ACT_BYTES) - 1

    def with_row(i: int, beats) -> list:
        return [beats if j == i else x for j, x in enumerate(act)]

    for i in (0, 4):
        cut = [list(row) for row in rows]
        cut[i] = rows[i][:16] + [0] * (k - 16)
        early = plan_gemm(cut, weights, selection=selection)
        await run_broken(machine, early, with_row(i, act[i][:2]), wgt, ACT_LENGTH)
        beyond = [(rng.randbytes(32), whole), (rng.randbytes(32), 7)]
        late = with_row(i, [*act[i], *beyond])
        await run_broken(machine, good, late, wgt, ACT_LENGTH)
        # A longer row's beats are whole, also where the row should have ended.
        end = (act[i][-1][0] + rng.randbytes(12), whole)
        late = with_row(i, [*act[i][:-1], end, *beyond])
        await run_broken(machine, good, late, wgt, ACT_LENGTH | ACT_KEEP)
    for beats, faults in (
        ([*act[2][:-1], (act[2][-1][0], whole)], ACT_KEEP),
        ([*act[2][:-1], (act[2][-1][0], whole >> 13)], ACT_KEEP),
        ([*act[2][:1], (act[2][1][0], whole - 2), *act[2][2:]], ACT_KEEP),
        ([*act[2][:1], (act[2][1][0], 0), *act[2][2:]], ACT_KEEP),
        (act[2], 0),
    ):
        await run_broken(machine, good, with_row(2, beats), wgt, faults)

    # The other kinds of jobs.
    columns = [list(row) for row in rows[:3]]
    for is_transposed in (False, True):
        job = {
            "KIND": CONVERT_TRANSPOSED if is_transposed else CONVERT,
            "N": 3,
            "K": k,
            **selection.registers,
        }
        packets = zip(*columns, strict=True) if is_transposed else columns
        packets = [row_beats(row, FP32) for row in packets]
        packets[1].append((rng.randbytes(32), whole))
        packets[2][-1] = (packets[2][-1][0], whole)
        for packet in packets:
            machine.act.send_beats(packet)
        assert await machine.start(job) == 0
        made = Activations.of(columns, FP32, selection)
        result = beats_of(packed_tile(made.tiles[0], pins.WEIGHT_BYTES), RESULT_BYTES)
        await expect_end(machine, [result], made.counters(), faults=ACT_LENGTH | ACT_KEEP)


@cocotb_test
async def broken_packed(dut):
    """Packed weights and packed activations that end early or late or have a wrong tkeep."""
    machine = await Machine.begin(dut, 12)
    rng = machine.rng
    k, n = 40, 5
    tags = [True, False, True]
    tiles = [quantize_tile(x, tags)[0] for x in in_chunks(random_matrix(rng, 6, k), ROWS)]
    weights = [quantize_tile(x, tags)[0] for x in in_chunks(random_matrix(rng, n, k), COLS)]
    biases = [x[0] for x in random_matrix(rng, n, 1)]
    good = plan_packed_gemm(tiles, k, weights, biases=biases)
    act = [in_beats(fill(x, pins.ACT_BYTES), pins.ACT_BYTES) for x in good.act_packets]
    wgt = [in_beats(x, pins.WEIGHT_BYTES) for x in good.wgt_packets]
    nothing = Block(0, (0,) * 8, (0,) * 16, (0,) * 16, None)
    empty = Block(0, (0,) * 8, (0,) * 16, (0,) * 16, (0,) * 16)

    def without_end(tile: Blocks) -> Blocks:
        return [[row[0], nothing, empty] for row in tile]

    # Bias, precision, three beats of a K-block and two of its residuals, of the first packet.
    cut_weights = [without_end(weights[0]), weights[1]]
    cut_result = product(tiles[:1], cut_weights, biases) + product(tiles[1:], weights, biases)
    early = plan_packed_gemm(tiles, k, weights, biases=biases)
    early.results = float_packets(cut_result, FP32, 1)
    early.counters = {}
    await run_broken(machine, early, act, [wgt[0][:7], *wgt[1:]], WEIGHT_LENGTH)
    extra = (rng.randbytes(16), 0xFFFF)
    await run_broken(machine, good, act, [[*wgt[0], extra, extra], *wgt[1:]], WEIGHT_LENGTH)
    holed = [*wgt[0][:4], (wgt[0][4][0], 0xFF7F), *wgt[0][5:]]
    await run_broken(machine, good, act, [wgt[0], wgt[1], holed, wgt[3]], WEIGHT_KEEP)
    both = [[*wgt[0], extra], wgt[1], holed, wgt[3]]
    await run_broken(machine, good, act, both, WEIGHT_LENGTH | WEIGHT_KEEP)

    # Precision, two beats of a K-block and one of its residuals.
    early = plan_packed_gemm([without_end(tiles[0]), tiles[1]], k, weights, biases=biases)
    await run_broken(machine, early, [act[0][:4], act[1]], wgt, ACT_LENGTH)
    extra = (rng.randbytes(32), (1 << 32) - 1)
    await run_broken(machine, good, [[*act[0], extra], act[1]], wgt, ACT_LENGTH)
    holed = [*act[1][:-1], (act[1][-1][0], (1 << 31) - 1)]
    await run_broken(machine, good, [act[0], holed], wgt, ACT_KEEP)
    await run_broken(machine, good, act, wgt, 0)


# Abort and reset


def conversion_of(rng: random.Random, n: int, k: int) -> tuple[dict[str, int], list, list]:
    """A conversion to MX9: job, its packets of activations, what must come of it."""
    columns = random_matrix(rng, n, k)
    made = Activations.of(columns, FP32, select_all(True))
    job = {"KIND": CONVERT, "N": n, "K": k, **select_all(True).registers}
    results = [beats_of(packed_tile(x, pins.WEIGHT_BYTES), RESULT_BYTES) for x in made.tiles]
    return job, [row_bytes(x, FP32) for x in columns], results


@cocotb_test
async def abort_and_resume(dut):
    """An abort in the middle of a job and of a packet of results, and a good job after it."""
    machine = await Machine.begin(dut, 13)
    rng = machine.rng
    k = 40
    plan = plan_gemm(random_matrix(rng, 6, k), random_weights(rng, 5, k), selection=select_top(1))
    await run_gemm(machine, plan)
    cycles = await machine.counter("CYCLES")

    # Two of a packet's beats leave, a third is offered, the rest of the rows is on its way.
    job, packets, results = conversion_of(rng, 9, k)
    for packet in packets[:6]:
        machine.act.send(packet)
    machine.act.send_beats(in_beats(packets[6], pins.ACT_BYTES)[:2], is_ended=False)
    machine.out.allowance = 2
    assert await machine.start(job) == 0
    assert await machine.start(job) == 0
    await machine.wait_taken()
    await machine.edges(100)
    assert len(machine.out.unfinished) == 2 and dut.m_axis_out_tvalid.value == 1
    await machine.write(pins.CONTROL, ABORT)
    status = await machine.read(pins.STATUS)
    assert status & 0xFF == 0 and status >> 16 == 0b11
    assert await machine.start(plan.job) == 13

    # Everything is swallowed, a beat in every cycle.
    machine.act.send_beats(in_beats(packets[6], pins.ACT_BYTES)[2:])
    for packet in plan.wgt_packets * 3:
        machine.wgt.send(packet)
    for packet in packets * 3:
        machine.act.send(packet)
    while not (machine.act.is_empty and machine.wgt.is_empty):
        await RisingEdge(dut.aclk)
        assert dut.s_axis_act_tready.value == 1 and dut.s_axis_wgt_tready.value == 1

    # The offered beat stays; then the packet is ended by a beat that holds nothing.
    machine.out.allowance = None
    while await machine.read(pins.STATUS) & 1 << 17:
        pass
    assert machine.out.unfinished == []
    (packet,) = machine.out.packets
    assert packet[-1] == (None,) * RESULT_BYTES
    assert packet[:-1] == results[0][: len(packet) - 1] and len(packet) >= 4
    machine.out.clear()

    # What the last job that ended left is still there; a packet cut by RESUME is dropped.
    assert await machine.read(pins.JOBS_ENDED) == 1
    assert await machine.counter("CYCLES") == cycles
    assert await machine.read(pins.IRQ_PENDING) == ENDED | REFUSED
    machine.act.send_beats(in_beats(packets[0], pins.ACT_BYTES)[:2], is_ended=False)
    weight_beats = in_beats(plan.wgt_packets[0], pins.WEIGHT_BYTES)
    machine.wgt.send_beats(weight_beats[:2], is_ended=False)
    await machine.wait_taken()
    await machine.write(pins.CONTROL, RESUME)
    assert not await machine.read(pins.STATUS) & 1 << 16
    machine.act.send_beats(in_beats(packets[0], pins.ACT_BYTES)[2:])
    machine.wgt.send_beats(weight_beats[2:])
    await run_gemm(machine, plan)
    for packet in packets:
        machine.act.send(packet)
    assert await machine.start(job) == 0
    await expect_end(machine, results, {})


@cocotb_test
async def reset_in_a_job(dut):
    """One cycle of reset at many moments of a job; all is as after power-up."""
    machine = await Machine.begin(dut, 14)
    rng = machine.rng
    k = 33
    tags = [True, False, False]
    order = rng.sample(range(k), k)
    plan = plan_gemm(
        random_matrix(rng, 9, k),
        random_weights(rng, 6, k),
        selection=select_static(tags),
        order=order,
        table=0,
        target=MX9,
        group_tiles=2,
    )
    slots = await machine.read(pins.CONSTANTS["JOB_SLOTS"])
    for moment in range(5, 200, 39):
        await machine.load_table(0, order, tags)
        await machine.write(pins.IRQ_ENABLE, ENDED)
        send_gemm(machine, plan)
        machine.out.pause_chance = 0.5
        assert await machine.start(plan.job) == 0
        await machine.edges(moment)
        await machine.reset(edges=1 + moment % 3)
        for address in SETTINGS:
            assert await machine.read(address) == 0
        for address in (
            pins.JOBS_ENDED,
            pins.REFUSAL,
            pins.JOB_FAULTS,
            pins.IRQ_PENDING,
            *range(0x100, 0x148, 4),
        ):
            assert await machine.read(address) == 0, hex(address)
        assert await machine.read(pins.STATUS) == slots << 8
        assert await machine.start(plan.job) == 15
        assert await machine.start(plan.job | {"FLAGS": 0}) == 16
    await machine.load_table(0, order, tags)
    await run_gemm(machine, plan)


@cocotb_test
async def ready_around_reset(dut):
    """No tready from the edge that sees aresetn low to the end of the cycle after the last one."""
    machine = await Machine.begin(dut, 15)
    rng = machine.rng
    for resets in (1, 3):
        # A drain is when both inputs are always ready; beats are offered all the time.
        await machine.write(pins.CONTROL, ABORT)
        machine.act.send(rng.randbytes(1000))
        machine.wgt.send(rng.randbytes(500))
        await machine.edges(4)
        assert dut.s_axis_act_tready.value == 1 and dut.s_axis_wgt_tready.value == 1
        dut.aresetn.value = 0
        for i in range(resets):
            await RisingEdge(dut.aclk)
            if i:
                assert dut.s_axis_act_tready.value == 0 and dut.s_axis_wgt_tready.value == 0
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)
        assert dut.s_axis_act_tvalid.value == 1 and dut.s_axis_wgt_tvalid.value == 1
        assert dut.s_axis_act_tready.value == 0 and dut.s_axis_wgt_tready.value == 0
        await machine.reset()
        plan = plan_gemm(
            random_matrix(rng, 2, 5), random_weights(rng, 2, 5), selection=select_top(0)
        )
        await run_gemm(machine, plan)


# Running it


@pytest.mark.skipif(
    shutil.which("iverilog") is None and not os.environ.get("MIXDIT_REQUIRE_ICARUS"),
    reason="no iverilog (Debian: iverilog); MIXDIT_REQUIRE_ICARUS=1 makes this a failure")
def test_verilog_from_docs(tmp_path: Path):
    """Make the Verilog as a user does, build it with Icarus, and run every test of this file."""
    subprocess.run([sys.executable, "-m", "hw", *OPTIONS, "--output", tmp_path], cwd=ROOT,
                   check=True, capture_output=True)
    runner = get_runner("icarus")
    runner.build(
        sources=sorted(tmp_path.glob("mixdit_4x4*.v")),
        hdl_toplevel="mixdit_4x4",
        build_dir=tmp_path,
        build_args=["-g2012", "-DSRAM_POISON"],
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        hdl_toplevel="mixdit_4x4",
        test_module=__name__,
        build_dir=tmp_path,
        test_dir=tmp_path,
        results_xml=str(tmp_path / "results.xml"),
        extra_env={"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    ran, failed = get_results(results)
    assert ran > 0 and failed == 0
