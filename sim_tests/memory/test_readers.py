"""The pieces of memory that operands lie in: every walk, ragged ends, fences, nothing beyond."""

import itertools

import cocotb
import pytest
from cocotb.triggers import gather

from golden.memory.layouts import longest_packet
from hw.contract.config import Config
from hw.memory.beside_reader import BesideReader
from hw.memory.row_reader import RowReader
from hw.memory.tile_reader import TileReader
from hw.memory.work import (
    FENCE_BITS,
    Walk,
    beside_layout,
    piece_layout,
    rows_layout,
    tiles_layout,
)
from sim_tests import bench, drive
from sim_tests.memory.addresses import near_the_last, reached
from sim_tests.stimuli.operands import configuration, handed_over

SIZES = {"address_bits": 40, "length_bits": 24}
NO_FENCE = {"waits": 0, "ended": 0}


def fence(waits, ended):
    """Give a fence as a work has it."""
    return {"waits": waits, "ended": ended % (1 << FENCE_BITS)}


def rows_pieces(config, work):
    """List the pieces of activations, by loops."""
    size, stride = 4 if work["is_wide"] else 2, work["stride"]
    match Walk(work["walk"]):
        case Walk.ROWS:
            for row in range(work["rows"]):
                yield work["address"] + row * stride, work["length"]
        case Walk.COLUMNS:
            for col in range(0, work["cols"], config.cols):
                for row in range(work["rows"]):
                    yield (work["address"] + row * stride + col * size,
                           min(config.cols, work["cols"] - col) * size)
        case Walk.TILES:
            for tile, row in enumerate(range(0, work["rows"], config.rows)):
                lines = min(config.rows, work["rows"] - row)
                longest = longest_packet(lines, 16 * work["k_blocks"], config.act_bytes)
                yield work["address"] + tile * stride, min(stride or longest, longest)


def tiles_pieces(config, work):
    """List the pieces of weights, each with whether it ends its packet."""
    stride = work["stride"]
    for _ in range(0, work["m"], work["group_rows"]):
        for tile, col in enumerate(range(0, work["n"], config.cols)):
            cols = min(config.cols, work["n"] - col)
            if work["has_bias"]:
                yield work["bias"] + 4 * col, 4 * cols, 0
            longest = longest_packet(cols, 16 * work["k_blocks"], config.weight_bytes)
            yield work["address"] + tile * stride, min(stride or longest, longest), 1


def beside_pieces(config, work):
    """List the pieces of what lies beside rows: vectors, each a packet, and a residual, one too."""
    for name in ("bias", "channel"):
        if work[f"has_{name}"]:
            yield work[name], work["length"], 1
    if not work["has_residual"]:
        return
    residual, stride, m, n = (work[name] for name in ("residual", "stride", "m", "n"))
    if not stride:
        yield residual, work["length"], 1
    elif not work["in_tiles"]:
        for row in range(m):
            yield residual + row * stride, work["length"], int(row == m - 1)
    else:
        for first in range(0, m, work["group_rows"]):
            for col in range(0, n, config.cols):
                end, cols = min(first + work["group_rows"], m), min(config.cols, n - col)
                for row in range(first, end):
                    yield (residual + row * stride + 4 * col, 4 * cols,
                           int(row == m - 1 and col + cols == n))


def inside(address):
    return reached(address, SIZES["address_bits"])


def draw_address(rng):
    """Draw an address of any magnitude, or one from where all addresses are soon used up."""
    if rng.random() < 0.5:
        return near_the_last(rng, SIZES["address_bits"])
    return int(rng.integers(1 << int(rng.integers(1, 41))))


def draw_rows(rng, config, walk):
    k_blocks = int(rng.integers(1, config.k_blocks_max + 1))
    longest = longest_packet(config.rows, 16 * k_blocks, config.act_bytes)
    return {"walk": walk.value, "address": draw_address(rng),
            "stride": int(rng.integers(1, 2 * longest)) * int(rng.random() < 0.9),
            "rows": int(rng.integers(1, 20)),
            "cols": int(rng.integers(1, 4 * config.cols)), "k_blocks": k_blocks,
            "is_wide": int(rng.integers(2)), "length": int(rng.integers(1, 3_000)),
            "fence": NO_FENCE}


def draw_tiles(rng, config):
    k_blocks = int(rng.integers(1, config.k_blocks_max + 1))
    longest = longest_packet(config.cols, 16 * k_blocks, config.weight_bytes)
    return {"address": draw_address(rng), "bias": draw_address(rng),
            "has_bias": int(rng.integers(2)), "m": int(rng.integers(1, 40)),
            "group_rows": config.rows * int(rng.integers(1, 4)),
            "n": int(rng.integers(1, 4 * config.cols)),
            "stride": int(rng.integers(1, 2 * longest)) * int(rng.random() < 0.9),
            "k_blocks": k_blocks, "fence": NO_FENCE, "side_fence": NO_FENCE}


def draw_beside(rng, config, **chosen):
    has = dict(zip(("has_bias", "has_channel", "has_residual"),
                   rng.permutation([1, *rng.integers(2, size=2)]).tolist(), strict=True))
    return has | {
        "bias": draw_address(rng), "channel": draw_address(rng), "residual": draw_address(rng),
        "length": 4 * int(rng.integers(1, 800)), "m": int(rng.integers(1, 20)),
        "n": int(rng.integers(1, 4 * config.cols)), "in_tiles": int(rng.integers(2)),
        "group_rows": config.rows * int(rng.integers(1, 4)),
        "stride": 4 * int(rng.integers(1, 2_000)) * int(rng.random() < 0.7),
        "index": int(rng.integers(8)), "side_fence": NO_FENCE, "residual_fence": NO_FENCE} | chosen


async def list_pieces(dut, layout, works, expected, idle, stall):
    """Send works, and compare the pieces that they become."""
    words = [drive.pack(layout, work)[0] for work in works]
    received, _ = await gather(drive.receive(dut, "o", len(expected), stall),
                               drive.send(dut, "work", words, idle))
    pieces = [piece_layout(**SIZES).from_bits(word) for word in received]
    found = [(piece["address"], piece["length"], piece["last"]) for piece in pieces]
    assert found == [(inside(address), *others) for address, *others in expected]
    await drive.ticks(dut, 10)
    assert not int(dut.o__valid.value), "a piece too many"


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def rows_walk_through_activations(dut, idle, stall):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    works = [draw_rows(rng, config, walk) for _ in range(12)
             for walk in rng.permutation(list(Walk))]
    expected = [(*piece, 1) for work in works for piece in rows_pieces(config, work)]
    await list_pieces(dut, rows_layout(**SIZES), works, expected, idle, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def tiles_walk_through_weights(dut, idle, stall):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    works = [draw_tiles(rng, config) for _ in range(20)]
    expected = [piece for work in works for piece in tiles_pieces(config, work)]
    await list_pieces(dut, tiles_layout(address_bits=40), works, expected, idle, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def beside_walks_through_all_that_there_is(dut, idle, stall):
    """Every choice of the three, with a residual of one row, of some, and of one for all."""
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    works = [draw_beside(rng, config, in_tiles=in_tiles, has_bias=bias,
                         has_channel=channel, has_residual=residual, **rows)
             for bias, channel, residual in itertools.product((0, 1), repeat=3)
             if bias or channel or residual
             for in_tiles in (0, 1)
             for rows in ({}, {"m": 1}, {"stride": 0}, {"m": 7, "stride": 404}, {"n": 1},
                          {"m": 2 * config.rows, "group_rows": config.rows, "stride": 404},
                          {"n": 2 * config.cols})]
    works = [works[at] for at in rng.permutation(len(works))]
    expected = [piece for work in works for piece in beside_pieces(config, work)]
    await list_pieces(dut, beside_layout(**SIZES), works, expected, idle, stall)


async def begin_works_of_any_size(dut, layout, draw, pieces_of):
    """Compare the first pieces of works that nobody could end, with a reset after each."""
    config, count = configuration(), 3
    dut.o__ready.value = 1
    for _ in range(drive.amount(60, 600)):
        work = draw()
        expected = list(itertools.islice(pieces_of(config, work), count))
        dut.work__payload.value, dut.work__valid.value = drive.pack(layout, work)[0], 1
        found = []
        while len(found) < len(expected):
            await drive.ticks(dut, 1)
            if int(dut.o__valid.value):
                piece = piece_layout(**SIZES).from_bits(int(dut.o__payload.value))
                found.append((piece["address"], piece["length"], piece["last"]))
        assert found == expected, f"{work}"
        dut.work__valid.value, dut.rst.value = 0, 1
        await drive.ticks(dut, 1)
        dut.rst.value = 0
        await drive.ticks(dut, 1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def rows_begin_works_of_any_size(dut):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    await begin_works_of_any_size(
        dut, rows_layout(**SIZES), lambda: draw_rows(rng, config, rng.choice(list(Walk))) | {
            "rows": int(rng.integers(4 * config.rows, 1 << 32)),
            "cols": int(rng.integers(1, 1 << 32)), "index": int(rng.integers(8)),
            "stride": int(rng.integers(1 << 32)), "length": int(rng.integers(1, 1 << 24))},
        lambda config, work: ((inside(address), length, 1)
                              for address, length in rows_pieces(config, work)))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def tiles_begin_works_of_any_size(dut):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    await begin_works_of_any_size(
        dut, tiles_layout(address_bits=40), lambda: draw_tiles(rng, config) | {
            "m": int(rng.integers(1, 1 << 32)), "n": int(rng.integers(4 * config.cols, 1 << 32)),
            "group_rows": int(rng.integers(1, config.tile_slots * config.rows + 1)),
            "index": int(rng.integers(8)),
            "stride": int(rng.integers(1 << 32))},
        lambda config, work: ((inside(address), length, last)
                              for address, length, last in tiles_pieces(config, work)))


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def beside_begins_works_of_any_size(dut):
    await drive.reset(dut)
    rng, config = drive.rng(), configuration()
    await begin_works_of_any_size(
        dut, beside_layout(**SIZES), lambda: draw_beside(
            rng, config, m=int(rng.integers(4, 1 << 32)), n=int(rng.integers(1, 1 << 32)),
            stride=int(rng.integers(1, 1 << 32)), length=int(rng.integers(1, 1 << 24)),
            group_rows=int(rng.integers(1, config.tile_slots * config.rows + 1)), has_residual=1),
        lambda config, work: ((inside(address), *others)
                              for address, *others in beside_pieces(config, work)))


async def hold(dut, layout, work, completed, holds, free):
    """Offer a work at one count of ended commands; then let it go at another."""
    dut.completed.value = completed
    dut.o__ready.value, dut.work__valid.value = 0, 1
    dut.work__payload.value = drive.pack(layout, work)[0]
    await drive.ticks(dut, 4)
    assert int(dut.o__valid.value) == (not holds), f"{work} at {completed}"
    dut.completed.value, dut.o__ready.value = free, 1
    await drive.ticks(dut, 1)
    while not int(dut.work__ready.value):
        await drive.ticks(dut, 1)
    dut.work__valid.value = 0
    await drive.ticks(dut, 3)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def rows_wait_for_what_has_to_end(dut):
    await drive.reset(dut)
    work = draw_rows(drive.rng(), configuration(), Walk.ROWS)
    for (ended, completed, holds), waits in itertools.product(
            [(5, 4, True), (5, 5, False), (5, 6, False), (2, (1 << 32) - 1, True),
             ((1 << 32) - 1, 3, False), (0, (1 << 32) - 3, True),
             (0x5555_5556, 0x5555_5555, True), (0x5555_5555, 0x5555_5653, False),
             (0x5555_5555, 0x5555_554D, True)], (0, 1)):
        fenced = work | {"fence": fence(waits, ended)}
        await hold(dut, rows_layout(**SIZES), fenced, completed, holds and waits, ended)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def tiles_wait_for_weights_and_for_biases(dut):
    await drive.reset(dut)
    work = draw_tiles(drive.rng(), configuration()) | {"n": 3, "m": 1}
    for first, has_bias, waits, side_waits in itertools.product(
            (8, 0x5555_5555, 0xAAAA_AAAA), (0, 1), (0, 1), (0, 1)):
        fenced = work | {"has_bias": has_bias, "fence": fence(waits, first + 1),
                         "side_fence": fence(side_waits, first + 3)}
        for past in range(4):
            holds = (waits and past < 1) or (has_bias and side_waits and past < 3)
            await hold(dut, tiles_layout(address_bits=40), fenced, first + past, bool(holds),
                       first + 3)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def beside_waits_for_each_that_there_is(dut):
    await drive.reset(dut)
    rng = drive.rng()
    for first, has, waits, residual_waits in itertools.product(
            (8, 0x5555_5555, 0xAAAA_AAAA), range(1, 8), (0, 1), (0, 1)):
        bias, channel, residual = (has >> bit & 1 for bit in range(3))
        fenced = draw_beside(rng, configuration(), has_bias=bias, has_channel=channel,
                             has_residual=residual, m=2, in_tiles=0,
                             side_fence=fence(waits, first + 1),
                             residual_fence=fence(residual_waits, first + 3))
        for past in range(4):
            holds = ((bias or channel) and waits and past < 1) or (
                residual and residual_waits and past < 3)
            await hold(dut, beside_layout(**SIZES), fenced, first + past, bool(holds), first + 3)


@pytest.mark.parametrize("rows, cols, blocks", [(4, 4, 1), (3, 5, 1), (8, 2, 1), (8, 8, 2)])
@pytest.mark.parametrize("kind", [RowReader, TileReader])
def test_readers(kind, rows, cols, blocks):
    config = Config.sized(rows=rows, cols=cols, k_max=600, act_bytes=32 * blocks,
                          blocks_per_cycle=blocks, weight_bytes=32 * blocks)
    name = {RowReader: "rows", TileReader: "tiles"}[kind]
    bench.simulate(kind(config, **SIZES), __name__, f"{name}_reader_{rows}x{cols}",
                   only=rf"\.{name}_", parameters=handed_over(config))


def test_beside_reader():
    config = Config.sized(rows=4, cols=4, k_max=600, bus_bytes=32, vector_lanes=2)
    bench.simulate(BesideReader(config, **SIZES), __name__, "beside_reader", only=r"\.beside_",
                   parameters=handed_over(config))
