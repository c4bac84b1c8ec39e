"""Result packets in FP32, FP16 and BF16: numbers, their places, tkeep, one beat per cycle."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.floats import flush, narrow
from golden.formats import BF16, FP16, FP32
from hw.contract.job_codes import Output
from hw.contract.result_rows import packet_beat_layout, result_rows_layout
from hw.results.float_packets import FloatPackets
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over, small_config

FORMATS = {Output.FP32: FP32, Output.FP16: FP16, Output.BF16: BF16}


def draw_groups(rng, config, count):
    """Draw groups of results, as fields of `result_rows_layout`; a few are infinite or NaN."""
    shape = (count, config.drain_lanes)
    patterns = rng.integers(0, 1 << 32, shape, dtype=np.uint32)
    in_fp16 = rng.integers(0, 1 << 31, shape, dtype=np.uint32) % (45 << 23) + (100 << 23)
    patterns = np.where(rng.random(shape) < 0.5, patterns, in_fp16 | patterns & 0x80000000)
    patterns = np.where((patterns & 0x7F800000) == 0x7F800000, 0x7FC00000, patterns)
    patterns = np.where(rng.random(shape) < 0.02, 0xFF800000, patterns)
    return {
        "results": flush(patterns.astype(np.uint32).view(np.float32)).view(np.uint32),
        "rows": rng.integers(1, min(config.drain_rows, config.rows) + 1, count),
        "cols": rng.integers(1, config.cols + 1, count),
        "output": rng.choice([output.value for output in FORMATS], count),
        "token_tile": rng.integers(0, config.tile_slots, count),
        "block_ends": rng.integers(0, 2, count), "tile_last": rng.integers(0, 2, count),
        "job_last": rng.integers(0, 2, count),
    }


def expected_beat(config, results, rows, cols, output):
    """Lay a group's numbers out: the beat's bytes, zero where there are none, and its tkeep."""
    words, keep = bytearray(config.result_bytes), np.zeros(config.result_bytes, bool)
    float_format = FORMATS[Output(output)]
    pitch = config.row_bytes * float_format.width // 32
    values = results.reshape(config.drain_rows, config.cols)[:rows, :cols]
    for row, line in enumerate(narrow(values.view(np.float32), float_format)):
        packed = line.tobytes()
        words[row * pitch : row * pitch + len(packed)] = packed
        keep[row * pitch : row * pitch + len(packed)] = True
    return bytes(words), keep


async def send_groups(dut, groups, idle, stall):
    """Send groups, compare every packet, and return the cycle in which each came."""
    config = configuration()
    await drive.reset(dut)
    left_at = []

    async def follow():
        while True:
            await drive.ticks(dut, 1)
            if int(dut.o__valid.value) and int(dut.o__ready.value):
                left_at.append(drive.cycle())

    following = cocotb.start_soon(follow())
    count = len(groups["rows"])
    _, words = await gather(
        drive.send(dut, "i", drive.pack(result_rows_layout(config), groups), idle),
        drive.receive(dut, "o", count, stall))
    following.cancel()
    width = config.result_bytes
    for number, word in enumerate(words):
        context = {key: int(groups[key][number]) for key in ("rows", "cols", "output", "job_last")}
        data, keep = expected_beat(config, groups["results"][number], *list(context.values())[:3])
        octets = (word & (1 << 8 * width) - 1).to_bytes(width, "little")
        got_keep = np.array([word >> 8 * width + at & 1 for at in range(width)], bool)
        drive.compare(got_keep, keep, "keep", number=number, **context)
        drive.compare(np.frombuffer(octets, np.uint8), np.frombuffer(data, np.uint8), "data",
                      number=number, **context)
    ends = drive.unpack(packet_beat_layout(config), [word >> 9 * width << 9 * width
                                                     for word in words])
    assert all(ends["last"]), "every beat is a packet"
    drive.compare(ends["job_last"], groups["job_last"], "job_last")
    return left_at


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5, drive.LongPause(7, 50)])
async def places_the_numbers_there_are(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    await send_groups(dut, draw_groups(rng, config, drive.amount(300, 5_000)), idle, stall)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def sends_a_packet_every_cycle(dut):
    rng, config = drive.rng(), configuration()
    left_at = await send_groups(dut, draw_groups(rng, config, 100), 0.0, 0.0)
    assert list(np.diff(left_at)) == [1] * 99


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def offers_a_packet_before_its_reader_is_ready(dut):
    config = configuration()
    groups = draw_groups(drive.rng(), config, 2)
    await drive.reset(dut)
    sending = cocotb.start_soon(drive.send(dut, "i", drive.pack(result_rows_layout(config),
                                                                groups)))
    await drive.ticks(dut, 5)
    assert int(dut.o__valid.value) and not sending.done()
    await drive.receive(dut, "o", 2)
    assert sending.done()


@pytest.mark.parametrize("rows, cols, drain_rows", [(2, 3, 1), (3, 5, 2), (3, 4, 4), (1, 1, 1)])
def test_float_packets(rows, cols, drain_rows):
    config = small_config(rows=rows, cols=cols, drain_lanes=drain_rows * cols)
    bench.simulate(FloatPackets(config), __name__, f"float_packets_{rows}x{cols}_{drain_rows}",
                   parameters=handed_over(config))
