"""Results of any form to memory: each goes to its writer, and none loses a word to another."""

from functools import partial

import cocotb
import pytest

from hw.contract.config import Config
from hw.memory.result_sink import ResultSink
from hw.memory.work import Form
from sim_tests import bench, drive
from sim_tests.memory.result_works import (
    ADDRESS_BITS,
    blocks,
    count,
    numbers,
    stored,
    token_tiles,
    weights,
    work_layout,
)
from sim_tests.stimuli.operands import configuration, handed_over

KINDS = (numbers, weights, blocks, count)
OF_PASSES = (partial(numbers, by_row=True), token_tiles)


def draw(rng, amount):
    """Draw works of all forms in any order."""
    every = [*KINDS, *(OF_PASSES if configuration().vector_lanes else ())]
    kinds = [every[at] for at in (*rng.permutation(len(every)),
                                  *rng.integers(len(every), size=max(0, amount - len(every))))]
    works = []
    for region, (kind, after) in enumerate(zip(kinds, [*kinds[1:], None], strict=True)):
        ends = int(rng.integers(2)) if after else 1
        size = (configuration().result_bytes if kind in (weights, blocks, token_tiles)
                else drive.parameters()["data_bytes"])
        works.append(kind(rng, configuration(), region, size, ends=ends))
        # A command has one form.
        works[-1].fields["is_last"] = int(ends or after is not kind or rng.random() < 0.3)
    return works


async def write(dut, works, idle=0.0, stall=0.0):
    """Send works and their beats, and compare every byte that is written.

    What belongs together is written before what comes behind it, and its last word alone has
    ``ends``, if it has.
    """
    size = drive.parameters()["data_bytes"]
    layout = work_layout(configuration())
    beats = [beat for work in works for beat in work.beats]
    sending = [cocotb.start_soon(drive.send(dut, name, words, idle)) for name, words in (
        ("i", beats), ("work", [drive.pack(layout, work.fields)[0] for work in works]))]
    flips, begin = drive.rng("stall"), drive.cycle()
    left, ends, groups = {}, 0, []
    for work in works:
        left |= work.memory
        if work.fields["form"] != Form.NUMBERS.value or work.fields["is_last"]:
            groups.append((left, work.fields["ends"], work.after))
            left = {}
    assert not left
    for left, ends, after in groups:
        left = dict(left)
        while left:
            dut.o__ready.value = int(flips.random() >= stall)
            await drive.ticks(dut, 1)
            assert drive.cycle() - begin < 100_000, f"{len(left)} bytes are missing"
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                memory, marks = stored([int(dut.o__payload.value)], size, after)
                for address, octet in memory.items():
                    assert left.pop(address, None) == octet, f"{address:#x}"
                assert marks == [int(ends and not left)]
    for each in sending:
        await each
    dut.o__ready.value = 1
    for _ in range(20):
        await drive.ticks(dut, 1)
        assert not int(dut.o__valid.value), "a word too many"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def writes_results_of_any_form(dut, idle, stall):
    await drive.reset(dut)
    works = draw(drive.rng(), drive.amount(12, 60))
    await write(dut, works, idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    works = draw(drive.rng(), 4)
    await write(dut, works, **({"idle": drive.LongPause(11, 300)} if side == "idle"
                               else {"stall": 0.95}))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def a_count_goes_to_every_place_of_a_word(dut, stall):
    """Alone and behind results; each bit of the count, and each of the address."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), drive.parameters()["data_bytes"]
    works = [count(rng, config, 0, size, m=1 << bit, address=4 * bit, ends=bit & 1)
             for bit in range(32)]
    works += [count(rng, config, 0, size, address=1 << bit) for bit in range(2, ADDRESS_BITS)]
    works += [numbers(rng, config, 1, size, m=2, ends=0), count(rng, config, 2, size)]
    works[-2].fields["is_last"] = 1
    await write(dut, works, stall=stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def says_that_a_tile_is_overlong(dut):
    await drive.reset(dut)
    config, size = configuration(), configuration().result_bytes
    layout = work_layout(configuration())
    dut.o__ready.value = 1
    for stride, is_overlong in ((1 << 16, False), (64, True)):
        work = weights(drive.rng(), config, 0, size, n=2 * config.cols, k=200, stride=stride)
        sending = [cocotb.start_soon(drive.send(dut, name, words)) for name, words in (
            ("i", work.beats), ("work", drive.pack(layout, work.fields)))]
        seen = False
        while not all(each.done() for each in sending):
            await drive.ticks(dut, 1)
            seen |= bool(int(dut.overlong.value))
        assert seen == is_overlong


CASES = [(4, 4, 32, 32), (3, 16, 64, 64), (5, 2, 8, 8), (4, 8, 16, 64), (6, 4, 4, 8)]


@pytest.mark.parametrize("rows, cols, act_bytes, data_bytes", CASES)
def test_result_sink(rows, cols, act_bytes, data_bytes):
    """Beats of results that are several packed ones, and packed ones shorter than words.

    64 bytes are two blocks of FP16.
    """
    config = Config.sized(rows=rows, cols=cols, k_max=512, act_bytes=act_bytes,
                          weight_bytes=data_bytes, drain_lanes=2 * cols, blocks_per_cycle=2)
    simulate(config, data_bytes)


@pytest.mark.parametrize("rows, cols, act_bytes, data_bytes, lanes", [
    (4, 4, 32, 32, 4), (3, 5, 16, 32, 1)])
def test_result_sink_of_a_vector_unit(rows, cols, act_bytes, data_bytes, lanes):
    simulate(Config.sized(rows=rows, cols=cols, k_max=512, act_bytes=act_bytes,
                          bus_bytes=data_bytes, vector_lanes=lanes), data_bytes)


def simulate(config, data_bytes):
    bench.simulate(ResultSink(config, address_bits=ADDRESS_BITS, data_bytes=data_bytes), __name__,
                   f"result_sink_{config.rows}x{config.cols}_{config.act_bytes}_{data_bytes}"
                   f"{'_vector' * bool(config.vector_lanes)}",
                   parameters=handed_over(config, data_bytes=data_bytes))
