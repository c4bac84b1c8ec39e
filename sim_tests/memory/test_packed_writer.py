"""Packed tiles and packed results to words of memory: every shape, precision bits, no byte more."""

import cocotb
import pytest
from cocotb.triggers import gather

from golden.memory.descriptor import ALIGNMENT
from hw.contract.config import Config
from hw.memory.packed_writer import PackedWriter
from sim_tests import bench, drive
from sim_tests.memory.addresses import near_the_last
from sim_tests.memory.result_works import (
    ADDRESS_BITS,
    blocks,
    stored,
    token_tiles,
    weights,
    work_layout,
    write,
)
from sim_tests.stimuli.operands import configuration, handed_over


def size_of_word():
    return drive.parameters()["data_bytes"]


def size_of_beat():
    return configuration().act_bytes


def draw(rng, count):
    """Draw works of all forms in any order, every other one the last of its command."""
    kinds = [blocks, blocks, *as_they_come()]
    return [kinds[rng.integers(len(kinds))](
        rng, configuration(), region, size_of_beat(), ends=region & 1) for region in range(count)]


def as_they_come():
    """List the kinds of tiles that leave as they are."""
    return [weights, *([token_tiles] if configuration().vector_lanes else [])]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def writes_what_golden_packs(dut, idle, stall):
    await drive.reset(dut)
    works = draw(drive.rng(), drive.amount(8, 40))
    await write(dut, configuration(), works, size_of_word(), idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    works = draw(drive.rng(), 3)
    await write(dut, configuration(), works, size_of_word(), **{side: drive.LongPause(11, 300)})


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(is_mx9=[0, 1])
async def writes_results_of_every_shape(dut, is_mx9):
    """Whole and short tiles in whole and short groups; N about the ends of blocks and of tiles."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    rows, together = config.rows, max(config.cols, 16)
    works = []
    for m, tiles in ((1, 1), (rows, 1), (rows + 1, 1), (2 * rows, 2), (3 * rows, 2),
                     (4 * rows + 1, 2), (2 * rows - 1, 3)):
        for n in (1, 16, 17, together, together + 1, 2 * together - 1):
            works.append(blocks(rng, config, len(works), size, m=m, n=n, tiles=tiles,
                                is_mx9=is_mx9))
    await write(dut, config, works, size_of_word())


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def writes_several_beats_of_precision_bits(dut):
    """Blocks about the ends of what one beat covers, where words are short enough for that."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    covered = 8 * size
    if covered > 64:
        covered = 16  # no second beat; the same shapes
    works = [blocks(rng, config, region, size, m=m, tiles=2, n=16 * count - int(rng.integers(16)),
                    is_mx9=is_mx9)
             for region, (m, count, is_mx9) in enumerate(
                 (m, count, is_mx9) for m in (1, 2 * config.rows + 1) for is_mx9 in (0, 1)
                 for count in (covered, covered + 1, 2 * covered, 2 * covered + 3))]
    await write(dut, config, works, size_of_word())


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_a_beat_each_cycle(dut):
    await drive.reset(dut)
    works = draw(drive.rng(), 6)
    cycles = await write(dut, configuration(), works, size_of_word())
    beats = sum(work.words for work in works)
    assert cycles <= beats + len(works) + 2, f"{cycles} cycles for {beats} beats"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(kind=["weights", "blocks", "token tiles"])
async def a_single_tile_takes_what_it_needs_whatever_its_stride(dut, kind):
    """A stride is the way to the next tile: where there is none, it says nothing."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    if kind == "weights":
        works = [weights(rng, config, 0, size, n=config.cols, k=150, stride=0)]
    elif kind == "token tiles":
        if not config.vector_lanes:
            return
        works = [token_tiles(rng, config, 0, size, m=config.rows, n=150, stride=0)]
    else:
        works = [blocks(rng, config, 0, size, m=config.rows, n=150, tiles=2, stride=0)]
    await write(dut, config, works, size_of_word())


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(n=[65535 * 16, 65536 * 16, 1 << 31])
async def goes_on_where_a_row_has_many_blocks(dut, n):
    """N is a number of 32 bits: the first blocks of a long row, and no end yet."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    work = blocks(rng, config, 0, size, m=1, tiles=1, n=16 * 5, is_mx9=0, stride=1 << 31)
    work.fields["n"] = n
    cocotb.start_soon(drive.send(dut, "i", work.beats))
    word = drive.pack(work_layout(config), work.fields)
    cocotb.start_soon(drive.send(dut, "work", word))
    memory, ends = stored(await drive.receive(dut, "o", work.words, patience=500),
                          size_of_word())
    assert memory == work.memory and not any(ends)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def addresses_beyond_the_last_are_marked_and_stay_so(dut):
    """Tiles that are there and tiles that are not, from one to the next or within one."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    works = []
    for most_bits in (7, 8, 12, 33):
        for kind in (blocks, *as_they_come()):
            shape = {blocks: {"m": 3 * config.rows, "tiles": 1}, weights: {},
                     token_tiles: {"m": 3 * config.rows}}[kind]
            far = {"stride": ALIGNMENT * int(rng.integers(1 << 20, 1 << 26))}
            works.append(kind(
                rng, config, 0, size, n=2 * config.cols + 1, **shape,
                **(far if most_bits == 33 else {}),
                address=near_the_last(rng, ADDRESS_BITS, ALIGNMENT, most_bits=most_bits)))
    await write(dut, config, works, size_of_word())


async def write_too_much(dut, work, after, stall):
    """Write a work whose tiles are too long, and one behind it; return words and dropped words."""
    layout, dropped = work_layout(configuration()), 0
    words, is_done = [], False

    async def watch():
        nonlocal dropped
        flips = drive.rng("stall")
        while not is_done:
            dut.o__ready.value = int(flips.random() >= stall)
            await drive.ticks(dut, 1)
            dropped += int(dut.overlong.value)
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                words.append(int(dut.o__payload.value))

    watching = cocotb.start_soon(watch())
    await gather(
        drive.send(dut, "work", [drive.pack(layout, each.fields)[0] for each in (work, after)]),
        drive.send(dut, "i", work.beats + after.beats))
    await drive.ticks(dut, 10)
    is_done = True
    await watching
    return words, dropped


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(kind=["weights", "blocks", "token tiles"], stall=[0.0, 0.5])
async def writes_nothing_beyond_a_stride(dut, kind, stall):
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), size_of_beat()
    if kind == "weights":
        long = weights(rng, config, 0, size, n=3 * config.cols - 1, k=200)
    elif kind == "token tiles":
        if not config.vector_lanes:
            return
        long = token_tiles(rng, config, 0, size, m=3 * config.rows - 1, n=200)
    else:
        long = blocks(rng, config, 0, size, m=3 * config.rows - 1, n=200, tiles=2, is_mx9=1)
    # The same tiles, each cut off after 64 bytes, and closer together.
    stride, address = long.fields["stride"], long.fields["address"]
    long.fields["stride"] = ALIGNMENT
    kept = {address + (at - address) // stride * ALIGNMENT + (at - address) % stride: octet
            for at, octet in long.memory.items() if (at - address) % stride < ALIGNMENT}
    after = blocks(rng, config, 1, size)
    words, dropped = await write_too_much(dut, long, after, stall)
    assert dropped == long.words - len(kept) // size > 0
    memory, _ = stored(words, size_of_word())
    assert memory == kept | after.memory


CASES = [(4, 4, 32, 32), (3, 16, 4, 4), (2, 32, 2, 2), (5, 48, 16, 16), (1, 1, 2, 2),
         (8, 8, 64, 64), (4, 4, 32, 64), (3, 16, 2, 16)]


@pytest.mark.parametrize("rows, cols, act_bytes, data_bytes", CASES)
def test_packed_writer(rows, cols, act_bytes, data_bytes):
    config = Config.sized(rows=rows, cols=cols, k_max=512, act_bytes=act_bytes,
                          weight_bytes=data_bytes, blocks_per_cycle=2,
                          float_formats=("fp16",) if act_bytes < 4 else ("fp32", "fp16"))
    simulate(config, data_bytes)


VECTOR = [(4, 4, 32, 32, 4), (3, 5, 16, 32, 1), (5, 16, 8, 8, 2)]


@pytest.mark.parametrize("rows, cols, act_bytes, data_bytes, lanes", VECTOR)
def test_packed_writer_of_a_vector_unit(rows, cols, act_bytes, data_bytes, lanes):
    simulate(Config.sized(rows=rows, cols=cols, k_max=512, act_bytes=act_bytes,
                          bus_bytes=data_bytes, vector_lanes=lanes), data_bytes)


def simulate(config, data_bytes):
    bench.simulate(PackedWriter(config, address_bits=ADDRESS_BITS, data_bytes=data_bytes),
                   __name__,
                   f"packed_writer_{config.rows}x{config.cols}_{config.act_bytes}_{data_bytes}"
                   f"{'_vector' * bool(config.vector_lanes)}",
                   parameters=handed_over(config, data_bytes=data_bytes))
