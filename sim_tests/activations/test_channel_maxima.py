"""Largest magnitudes per channel: every format and K, over tiles and jobs, without a rest."""

import cocotb
import numpy as np
import pytest

from golden.formats import FLOAT_FORMATS
from golden.mx import to_blocks
from hw.activations.channel_maxima import ChannelMaxima
from hw.contract.config import Config
from hw.contract.job_codes import FORMAT_CODES
from hw.contract.tile_block import raw_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over


def draw_rows(rng, name, m, k):
    """Draw patterns (m, k), with subnormals, infinities and NaNs among them, some channels small.

    Few exponents make ties; each channel has its largest in any row.
    """
    form = FLOAT_FORMATS[name]
    exponent = rng.integers(0, 4, (m, k)) + rng.integers(0, (1 << form.exponent_bits) - 4, (1, k))
    exponent[rng.random((m, k)) < 0.05] = 0
    exponent[rng.random((m, k)) < 0.01] = (1 << form.exponent_bits) - 1
    mantissa = rng.integers(0, 1 << form.mantissa_bits, (m, k))
    mantissa[rng.random((m, k)) < 0.2] = 0
    sign = rng.integers(0, 2, (m, k))
    return sign << form.width - 1 | exponent << form.mantissa_bits | mantissa


def block_fields(config, name, rows, **job):
    """Describe a job's blocks as fields of `raw_block_layout`."""
    elements = to_blocks(rows.astype(np.uint32), -1)
    row, k_block = np.divmod(np.arange(elements.shape[0] * elements.shape[1]), elements.shape[1])
    k = rows.shape[1]
    return {
        "elements": elements.reshape(-1, 16), "count": np.minimum(16, k - 16 * k_block),
        "k_block": k_block, "row": row % config.rows, "row_last": k_block == k_block.max(),
        "tile_last_row": row % config.rows == config.rows - 1,
        "job": {"float_format": FORMAT_CODES[name], **job},
    }


def as_fp32(pattern, name):
    """Give the FP32 pattern of one magnitude, by plain arithmetic of the format's definition."""
    form = FLOAT_FORMATS[name]
    exponent, mantissa = divmod(int(pattern), 1 << form.mantissa_bits)
    if exponent == (1 << form.exponent_bits) - 1:
        return 0x7F800000 | mantissa << 23 - form.mantissa_bits
    if name != "fp16":
        return int(pattern) << 32 - form.width
    value = (mantissa + 1024 * (exponent > 0)) * 2.0 ** (max(exponent, 1) - 25)
    return int(np.float32(value).view(np.uint32))


async def start(dut):
    """Reset, as the whole machine does."""
    await drive.reset(dut)
    dut.rst.value = dut.forget.value = 1
    await drive.ticks(dut, 1)
    dut.rst.value = dut.forget.value = 0


async def listen(dut, config, fields, rng, pause=0.0):
    """Show a job's blocks, with pauses in which another block is shown but not taken."""
    words = drive.pack(raw_block_layout(config), fields)
    blocks = int(fields["k_block"].max()) + 1
    junk = (1 << raw_block_layout(config).size) - 1
    for number, word in enumerate(words):
        while rng.random() < pause:
            dut.taken.value, dut.block.value, dut.job_first.value = 0, word ^ junk, 1
            await drive.ticks(dut, 1)
        dut.taken.value, dut.block.value = 1, word
        dut.job_first.value = int(number < blocks)
        await drive.ticks(dut, 1)
    dut.taken.value = 0


async def read_all(dut, channels):
    """Read channels as software does: set the number, wait four cycles."""
    maxima = []
    for channel in channels:
        dut.channel.value = int(channel)
        await drive.ticks(dut, 5)  # seen at the fifth edge
        maxima.append(int(dut.maximum.value))
    return maxima


async def check(dut, rng, name, rows, what):
    """Read every channel in any order."""
    largest = (rows & (1 << FLOAT_FORMATS[name].width - 1) - 1).max(axis=0)
    channels = rng.permutation(len(largest))
    drive.compare(await read_all(dut, channels), [as_fp32(largest[c], name) for c in channels],
                  what, format=name, k=len(largest), m=len(rows))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(pause=[0.0, 0.5])
async def measures_jobs_of_every_format_and_length(dut, pause):
    rng, config = drive.rng(), configuration()
    await start(dut)
    for name in config.float_formats:
        for k in sorted({1, 2, 15, 16, 17, 32, 33, config.k_max}):
            for m in (1, 2, int(rng.integers(3, 4 * config.rows))):
                if k <= config.k_max:
                    rows = draw_rows(rng, name, m, k)
                    await listen(dut, config, block_fields(config, name, rows, measure=1), rng,
                                 pause)
                    await check(dut, rng, name, rows, "maxima")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def keeps_its_maxima_through_jobs_that_do_not_measure(dut):
    rng, config = drive.rng(), configuration()
    await start(dut)
    name = config.float_formats[0]
    rows = draw_rows(rng, name, 5, config.k_max)
    await listen(dut, config, block_fields(config, name, rows, measure=1), rng)
    for job in ({"measure": 0}, {"measure": 1, "transposed": 1}):
        other = draw_rows(rng, config.float_formats[-1], 7, config.k_max)
        await listen(dut, config, block_fields(config, config.float_formats[-1], other, **job), rng)
    await check(dut, rng, name, rows, "maxima")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def shows_the_same_while_no_cycle_is_free(dut):
    """A job that measures in every cycle reads the memory alone."""
    rng, config = drive.rng(), configuration()
    await start(dut)
    name = config.float_formats[0]
    rows = draw_rows(rng, name, 2, config.k_max) | 1
    await listen(dut, config, block_fields(config, name, rows, measure=1), rng)
    for channel in (0, config.k_max - 1):
        before, = await read_all(dut, [channel])
        listening = cocotb.start_soon(
            listen(dut, config, block_fields(config, name, rows[:, ::-1], measure=1), rng))
        await drive.ticks(dut, 1)
        dut.channel.value = config.k_max - 1 - channel
        while not listening.done():
            assert int(dut.maximum.value) == before
            await drive.ticks(dut, 1)
        await drive.ticks(dut, 5)
        await check(dut, rng, name, rows[:, ::-1], "maxima")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def each_job_begins_anew(dut):
    """A job of large numbers, then at once one of small numbers."""
    rng, config = drive.rng(), configuration()
    await start(dut)
    name = config.float_formats[0]
    for k in (16, config.k_max):
        rows = draw_rows(rng, name, 3, min(k, config.k_max))
        large = np.full_like(rows, (1 << FLOAT_FORMATS[name].width - 1) - 1)
        await listen(dut, config, block_fields(config, name, large, measure=1), rng)
        await listen(dut, config, block_fields(config, name, rows, measure=1), rng)
        await check(dut, rng, name, rows, "maxima")


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(distance=range(4))
async def shows_what_the_last_block_changed(dut, distance):
    """Software has set the channel already, however shortly before; five cycles later all is there.

    The write that follows a block meets the read of the same word.
    """
    rng, config = drive.rng(), configuration()
    await start(dut)
    name = config.float_formats[0]
    for _ in range(20):
        rows = draw_rows(rng, name, 1, min(16, config.k_max))
        fields = block_fields(config, name, rows, measure=1)
        dut.channel.value = config.k_max - 1
        await drive.ticks(dut, 6)
        channel = int(rng.integers(rows.shape[1]))
        dut.channel.value = channel
        await drive.ticks(dut, distance)
        await listen(dut, config, fields, rng)  # returns with the edge that takes the block
        await drive.ticks(dut, 5)
        wanted = as_fp32(rows[0, channel] & (1 << FLOAT_FORMATS[name].width - 1) - 1, name)
        assert int(dut.maximum.value) == wanted, (channel, distance)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_channel_that_is_not_there_reads_as_zero(dut):
    rng, config = drive.rng(), configuration()
    await start(dut)
    name = config.float_formats[0]
    rows = draw_rows(rng, name, 2, config.k_max) | 1
    await listen(dut, config, block_fields(config, name, rows, measure=1), rng)
    beyond = [16 * config.k_blocks_max, 16 * config.k_blocks_max + 5, 1 << 15, (1 << 16) - 1]
    assert await read_all(dut, beyond) == [0] * len(beyond)
    await check(dut, rng, name, rows, "maxima")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def what_the_last_job_did_not_measure_reads_as_zero(dut):
    rng, config = drive.rng(), configuration()
    await start(dut)
    channels = 16 * config.k_blocks_max
    assert await read_all(dut, range(channels)) == [0] * channels, "before any job"
    name = config.float_formats[0]
    for k in (config.k_max, min(config.k_max, 18), 1):
        rows = draw_rows(rng, name, 2, k) | 1
        await listen(dut, config, block_fields(config, name, rows, measure=1), rng)
        await check(dut, rng, name, rows, "maxima")
        beyond = channels - k
        assert await read_all(dut, range(k, channels)) == [0] * beyond, f"beyond K={k}"
    await start(dut)
    assert await read_all(dut, range(channels)) == [0] * channels, "after a reset"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def an_aborted_job_leaves_what_had_arrived_or_nothing(dut):
    """The reset of an abort, at any moment of a job's first rows."""
    rng, config = drive.rng(), configuration()
    await start(dut)
    first, second = config.float_formats[0], config.float_formats[-1]
    blocks = config.k_blocks_max
    for taken in range(2 * blocks + 1):
        before = draw_rows(rng, first, 2, config.k_max)
        await listen(dut, config, block_fields(config, first, before, measure=1), rng)
        await drive.ticks(dut, 1)
        rows = draw_rows(rng, second, 2, config.k_max)
        fields = block_fields(config, second, rows, measure=1)
        words = drive.pack(raw_block_layout(config), fields)
        for number in range(taken):
            dut.taken.value, dut.block.value = 1, words[number]
            dut.job_first.value = int(number < blocks)
            await drive.ticks(dut, 1)
        dut.taken.value, dut.rst.value = 0, 1  # the last one is about to be written
        await drive.ticks(dut, 2)
        dut.rst.value = 0
        await drive.ticks(dut, 6)
        there = max(0, taken - 1)
        if not there:
            await check(dut, rng, first, before, "the maxima before")
            continue
        rows = rows[:, : 16 * there]
        rows[1, 16 * max(0, there - blocks):] = 0  # of the second row this much had arrived
        await check(dut, rng, second, rows, f"{there} blocks")
        beyond = range(rows.shape[1], 16 * blocks)
        assert await read_all(dut, beyond) == [0] * len(beyond)


@pytest.mark.parametrize("k_max, float_formats", [
    (100, ("fp32", "fp16", "bf16")),
    (32, ("fp16", "bf16")),
    (16, ("fp32",)),
    (5, ("bf16",)),
])
def test_channel_maxima(k_max, float_formats):
    config = Config.sized(rows=3, cols=2, k_max=k_max, float_formats=float_formats)
    bench.simulate(ChannelMaxima(config), __name__, f"channel_maxima{k_max}",
                   parameters=handed_over(config))
