"""Channels into any order, tokens into channels, neither: every element, place, mark and cycle."""

import cocotb
import numpy as np
import pytest

from hw.contract.config import Config
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over
from sim_tests.stimuli.reorder_works import (
    LATENCY,
    ReorderWithTables,
    cycles_of,
    draw_works,
    lanes_of,
    lengths,
    orders,
    passed,
    reordered,
    run,
    transposed,
    write_order,
)


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def reorders_rows_of_every_length(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    for k in lengths(rng, config):
        for name, places in orders(rng, k).items():
            table = int(rng.integers(config.tables))
            await write_order(dut, table, places)
            works = [reordered(rng, config, table, places) for _ in range(3)]
            watch = await run(dut, works, idle, stall)
            if not idle and not stall:
                expected = cycles_of([segment for work in works for segment in work.segments])
                actual = watch.taken["o"][-1] - watch.taken["i"][0]
                assert actual == expected, f"{name} of {k}: {actual} cycles, not {expected}"


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(name=["identity", "reversal", "conflict_free"])
async def takes_and_gives_a_block_per_cycle_without_conflicts(dut, name):
    """A block per cycle, that is, or as fast as a stream that brings parts of a block."""
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    for k in {min(16, config.k_max), config.k_max // 16 * 16 or 1, config.k_max}:
        places = orders(rng, k)[name]
        if k > 16 and k % 16 and name == "reversal":  # some of its blocks then share banks
            continue
        await write_order(dut, 0, places)
        work = reordered(rng, config, 0, places, m=20)
        watch = await run(dut, [work])
        cycles = -(-work.sent["count"] // lanes_of(config))
        assert np.array_equal(np.diff(watch.taken["i"]), cycles[:-1]), "the input rests"
        last = -(-k // 16) - 1  # block of the first row
        assert watch.taken["o"][0] - watch.taken["i"][last] == LATENCY - 1 + cycles[last]
        if np.all(cycles == 1):
            assert np.all(np.diff(watch.taken["o"]) == 1), "the output rests"


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def transposes_slabs_of_every_size(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    works = [transposed(rng, config, channels, tokens)
             for channels in sorted({1, config.cols - 1, config.cols} - {0})
             for tokens in (1, 15, 16, 17, 32, 47, config.k_max) if tokens <= config.k_max]
    watch = await run(dut, works, idle, stall)
    if not idle and not stall:
        expected = cycles_of([segment for work in works for segment in work.segments])
        assert watch.taken["o"][-1] - watch.taken["i"][0] == expected


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def transposing_never_rests(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    tokens = config.k_max // 16 * 16 or config.k_max
    works = [transposed(rng, config, config.cols, tokens) for _ in range(4)]
    watch = await run(dut, works)
    counts = np.concatenate([work.sent["count"] for work in works])
    assert np.array_equal(np.diff(watch.taken["i"]), (-(-counts // lanes_of(config)))[:-1])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def transposing_needs_no_order(dut):
    """It goes on while the order of its table is being written."""
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    work = transposed(rng, config, config.cols, min(20, config.k_max))
    watch = await run(dut, [work])

    async def keep_writing():
        while True:
            await write_order(dut, work.sent["job"]["table"], rng.permutation(config.k_max))

    writing = cocotb.start_soon(keep_writing())
    again = await run(dut, [work])
    writing.cancel()
    assert np.ptp(again.taken["o"]) == np.ptp(watch.taken["o"])


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def passes_through_in_the_same_cycle(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    works = [passed(rng, config, k) for k in lengths(rng, config)]
    watch = await run(dut, works)
    assert watch.taken["i"] == watch.taken["o"]
    assert np.all(np.diff(watch.taken["i"]) == 1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def passes_through_again_when_all_has_left(dut):
    """The first block that passes follows the last one of the segments a cycle later."""
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    places = rng.permutation(config.k_max)
    await write_order(dut, 0, places)
    for before in (reordered(rng, config, 0, places), transposed(rng, config, config.cols, 5)):
        after = passed(rng, config, config.k_max)
        blocks = len(after.expected["elements"])
        watch = await run(dut, [before, after])
        assert watch.taken["i"][-blocks:] == watch.taken["o"][-blocks:]
        assert watch.taken["o"][-blocks] - watch.taken["o"][-blocks - 1] == 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def changes_mode_from_job_to_job(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    for _ in range(drive.amount(2, 20)):
        tables = [rng.permutation(int(rng.integers(1, config.k_max + 1)))
                  for _ in range(config.tables)]
        for table, places in enumerate(tables):
            await write_order(dut, table, places)
        await run(dut, draw_works(rng, config, tables, 25), idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"], after=[5, 30, 100])
async def survives_a_long_pause(dut, side, after):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    places = rng.permutation(config.k_max)
    await write_order(dut, 0, places)
    works = [reordered(rng, config, 0, places, m=3), transposed(rng, config, config.cols, 16),
             passed(rng, config, config.k_max), reordered(rng, config, 0, places, m=3)]
    await run(dut, works, **{side: drive.LongPause(after, 300)})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def offers_a_block_before_its_reader_is_ready(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    work = transposed(rng, config, config.cols, 1)
    running = cocotb.start_soon(run(dut, [work], stall=drive.LongPause(0, 400)))
    await drive.ticks(dut, 300)
    assert int(dut.o__valid.value) and not int(dut.o__ready.value)
    await running


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def a_wrong_order_spoils_its_own_job_only(dut, stall):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    right = rng.permutation(config.k_max)
    await write_order(dut, 0, right)
    place_limit = 1 << (config.k_max - 1).bit_length()
    for wrong in (np.full(config.k_max, place_limit - 1), np.zeros(config.k_max, int),
                  rng.integers(0, place_limit, config.k_max)):
        await write_order(dut, 1, wrong)
        works = []
        for _ in range(4):
            works += [reordered(rng, config, 1, wrong, m=1), reordered(rng, config, 0, right, m=1),
                      transposed(rng, config, config.cols, 3)]
        await run(dut, works, stall=stall)


@pytest.mark.parametrize("cols, k_max, float_formats, act_bytes", [
    (1, 100, ("fp16",), 8),
    (4, 16, ("bf16",), 32),
    (5, 264, ("fp32", "fp16", "bf16"), 32),
    (16, 250, ("fp32",), 32),
    (40, 15, ("fp16", "bf16"), 32),  # a column tile has more blocks than k_block can count
    (20, 300, ("fp32", "bf16"), 16),
])
def test_reorder(cols, k_max, float_formats, act_bytes):
    config = Config.sized(rows=3, cols=cols, k_max=k_max, float_formats=float_formats,
                          act_bytes=act_bytes)
    bench.simulate(ReorderWithTables(config), __name__, f"reorder_{cols}_{k_max}",
                   parameters=handed_over(config))
