"""Whole jobs on the machine, compared with what they must give."""

import random
from collections.abc import Sequence

import cocotb

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    NO_TABLE,
    Activations,
    Blocks,
    Gemm,
    Matrix,
    Selection,
    random_matrix,
    row_bytes,
    select_all,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    FP32,
    Beat,
    Float,
    Rounding,
    beats_of,
    in_chunks,
    packed_tile,
)
from sim_tests.from_docs.pins import (
    COLS,
    CONVERT,
    CONVERT_TRANSPOSED,
    GEMM_PACKED,
    REORDER,
    RESULT_BYTES,
)

SETTINGS = {
    **{address: 0xFFFFFFFF for address in pins.JOB.values()},
    pins.IRQ_ENABLE: 0x3F,
    pins.TABLE_SELECT: 0xFFFFFFFF,
    pins.MAXIMUM_CHANNEL: 0xFFFF,
}


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
    rounding: Rounding = round,
) -> list[Blocks]:
    """Make a packed B of its columns `rows`; check it to the byte and return it."""
    made = Activations.of(rows, source, selection, order, rounding)
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


def in_beats(data: bytes, size: int) -> list[tuple[bytes, int]]:
    """A packet as beats of data and tkeep."""
    return [(x, (1 << len(x)) - 1) for x in in_chunks(data, size)]


def conversion_of(rng: random.Random, n: int, k: int) -> tuple[dict[str, int], list, list]:
    """A conversion to MX9: job, its packets of activations, what must come of it."""
    columns = random_matrix(rng, n, k)
    made = Activations.of(columns, FP32, select_all(True))
    job = {"KIND": CONVERT, "N": n, "K": k, **select_all(True).registers}
    results = [beats_of(packed_tile(x, pins.WEIGHT_BYTES), RESULT_BYTES) for x in made.tiles]
    return job, [row_bytes(x, FP32) for x in columns], results
