"""Passes through the vector unit, one after the other: every choice of stages, stalls, speed."""

from functools import reduce

import cocotb
import numpy as np
import pytest
from amaranth import Const
from cocotb.triggers import RisingEdge, gather

from golden.memory.jobs import Function, Output, Rows
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.job_codes import FORMAT_CODES, AnyKind
from hw.contract.result_rows import result_rows_layout
from hw.contract.tile_block import raw_block_layout
from hw.streams.packet_guard import beat_layout
from hw.vector.vector_unit import VectorUnit, pass_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over
from sim_tests.stimuli.passes import CHOICES, Pass, draw_gemm, draw_pass, numbers

MACHINES = {
    "four lanes": Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, vector_lanes=4),
    "one lane": Config.sized(rows=3, cols=5, k_max=100, bus_bytes=32, vector_lanes=1),
    "two lanes": Config.sized(rows=2, cols=2, k_max=64, bus_bytes=8, vector_lanes=2),
    "eight lanes": Config.sized(rows=3, cols=32, k_max=256, bus_bytes=64, vector_lanes=8),
    "two rows at once": Config.sized(rows=5, cols=8, k_max=256, bus_bytes=32, drain_lanes=16,
                                     vector_lanes=4),
}
NUMBERS = (Output.FP32, Output.FP16, Output.BF16)


def word(layout, fields):
    """Pack one payload."""
    return Const.cast(layout.const(fields)).value


def job_word(one):
    m, n = one.x.shape
    kind = AnyKind.GEMM if one.resident else (
        AnyKind.VECTOR if one.output in NUMBERS else AnyKind.VECTOR_PACKED)
    return word(job_layout(configuration()), {
        "kind": kind.value, "m": m, "n": n, "k": n, "k_blocks": -(-n // 16),
        # Of a GEMM the array's business: whoever looks at it would be wrong.
        "has_bias": 1 if one.resident else int(one.bias is not None), "output": one.output.value,
        "stages": one.stages, "policy": {"units": one.policy.get("units", 0)}})


def block_words(rng, one):
    """Cut the rows of a pass into blocks, with garbage behind their ends."""
    m, n = one.x.shape
    blocks = -(-n // 16)
    padded = rng.integers(0, 1 << 32, (m, blocks * 16), np.uint32)
    padded[:, :n] = one.x
    layout = pass_block_layout()
    return [word(layout, {
        "elements": padded[row, 16 * block:16 * block + 16].tolist(),
        "count": min(16, n - 16 * block), "row_last": int(block == blocks - 1),
        "job_last": int(block == blocks - 1 and row == m - 1)})
        for row in range(m) for block in range(blocks)]


def beside_words(rng, one):
    """Cut what comes beside rows into beats, with garbage behind the ends of packets."""
    lanes = configuration().vector_lanes
    layout, words = beat_layout(4 * lanes), []
    for packet in one.beside(configuration()):
        for number, row in enumerate(packet):
            for at in range(0, len(row), lanes):
                values = rng.integers(0, 1 << 32, lanes, np.uint32)
                part = row[at:at + lanes]
                values[:len(part)] = part
                words.append(word(layout, {
                    "data": int.from_bytes(values.astype("<u4").tobytes(), "little"),
                    "keep": (1 << 4 * len(part)) - 1,
                    "last": int(number == len(packet) - 1 and at + lanes >= len(row))}))
    return words


def groups_of(config, one, values, rng=None):
    """List the groups in which results of a GEMM drain, as fields of `result_rows_layout`."""
    for tile in one.tiles(config):
        for first in range(0, len(tile.rows), config.drain_rows):
            rows = tile.rows[first:first + config.drain_rows]
            part = values[rows.start:rows.stop, tile.columns]
            tile_last = rows.stop == tile.rows.stop
            filled = np.zeros((config.drain_rows, config.cols), np.uint32)
            if rng is not None:
                filled = rng.integers(0, 1 << 32, filled.shape, np.uint32)
            filled[:part.shape[0], :part.shape[1]] = part
            about = {"results": filled.ravel().tolist(), "rows": part.shape[0],
                     "cols": part.shape[1], "output": one.output.value, "token_tile": tile.place,
                     "part": 0, "block_ends": tile.columns.start // config.cols % 2,
                     "tile_last": int(tile_last), "job_last": int(tile_last and tile.job_ends)}
            if rng is not None:
                about |= {
                    "through_lanes": 1, "columns_end": int(tile.columns_end),
                    "group_ends": int(tile.group_ends),
                    "factors": [{"value": 0 if one.sums is None else int(one.sums[row]),
                                 "enable": int(one.sums is not None)} for row in rows]
                    + [{"value": 0, "enable": 1}] * (config.drain_rows - len(rows))}
            yield about


async def run(dut, passes, idle=0.0, stall=0.0):
    """Send passes, compare all that leaves, and return the cycles from the first block on."""
    await drive.reset(dut)
    config, rng = configuration(), drive.rng("padding")
    jobs = [job_word(one) for one in passes]
    rows_only = [one for one in passes if not one.resident]
    blocks = reduce(list.__add__, [block_words(rng, one) for one in rows_only], [])
    beside = reduce(list.__add__, [beside_words(rng, one) for one in passes], [])
    tiles = [word(result_rows_layout(config), group) for one in passes if one.resident
             for group in groups_of(config, one, one.x, rng)]
    groups = {"rows": len(tiles), "blocks": 0}
    for one in passes:
        m, n = one.x.shape
        if not one.resident:
            groups[name_of(one)] += m * -(-n // size_of(one))
    reports = []

    async def watch():
        while len(reports) < len(passes):
            await RisingEdge(dut.clk)
            if int(dut.saturated__valid.value):
                reports.append(int(dut.saturated__payload.value))

    watching = cocotb.start_soon(watch())
    begin = drive.cycle()
    rows, packed, *_ = await gather(
        drive.receive(dut, "rows", groups["rows"], stall),
        drive.receive(dut, "blocks", groups["blocks"], stall),
        drive.send(dut, "i", blocks, idle), drive.send(dut, "beside", beside, idle),
        drive.send(dut, "tiles", tiles, idle),
        drive.send(dut, "jobs__rows", [job_word(one) for one in rows_only]),
        *(drive.send(dut, f"jobs__{name}", jobs) for name in ("pipe", "results")))
    cycles = drive.cycle() - begin
    await watching
    streams = {"rows": iter(rows), "blocks": iter(packed)}
    for number, one in enumerate(passes):
        expected, saturated = one.run()
        assert reports[number] == (saturated != 0), f"pass {number}: {saturated} saturated"
        compare(config, one, expected, streams[name_of(one)], f"pass {number}: {one.stages}")
    return cycles


def name_of(one):
    return "rows" if one.resident or one.output in NUMBERS else "blocks"


def size_of(one):
    return configuration().cols if one.output in NUMBERS else 16


def compare(config, one, expected, words, what):
    """Compare what leaves of a pass with golden's."""
    m, n = expected.shape
    layout = (result_rows_layout if name_of(one) == "rows" else raw_block_layout)(config)
    if one.resident:
        for wanted in groups_of(config, one, expected):
            group = layout.from_bits(next(words))
            for name, value in wanted.items():
                found = list(group[name]) if name == "results" else group[name]
                found = found.value if name == "output" else found
                assert found == value, f"{what}: {name}"
        return
    for row in range(m):
        for at in range(0, n, size_of(one)):
            group, count = layout.from_bits(next(words)), min(size_of(one), n - at)
            row_last = at + count == n
            here = f"{what}, row {row}, column {at}"
            job_last = row_last and row == m - 1
            assert group["job_last"] == job_last, here
            wanted = expected[row, at:at + count].tolist()
            if one.output in NUMBERS:
                assert (group["rows"], group["cols"], group["output"].value) == (
                    1, count, one.output.value), here
                assert [group["results"][lane] for lane in range(count)] == wanted, here
                continue
            assert (group["count"], group["k_block"], group["row"], group["row_last"]) == (
                count, at // 16, row % config.rows, row_last), here
            tile_last = row % config.rows == config.rows - 1 or row == m - 1
            assert not row_last or group["tile_last_row"] == tile_last, here
            assert group["job"]["float_format"] == FORMAT_CODES["fp32"], here
            assert not group["job"]["is_pass"], here
            assert group["job"]["policy"]["units"] == one.policy.get("units", 0), here
            assert [group["elements"][lane] for lane in range(16)] == [
                *wanted, *[0] * (16 - count)], here


def draw(rng, count, most_rows=6, **more):
    most = configuration().k_max
    return [draw_pass(rng, int(rng.integers(1, most_rows)), int(rng.integers(1, most + 1)),
                      tuple(Output), **more) for _ in range(count)]


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.6], stall=[0.0, 0.6])
async def passes_follow_each_other(dut, idle, stall):
    rng = drive.rng()
    passes = draw(rng, drive.amount(25, 250))
    for one in passes:
        one.policy = {"units": int(rng.integers(0, 2))}
    await run(dut, passes, idle, stall)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.6], stall=[0.0, 0.6])
async def results_of_the_array_go_through_between_passes(dut, idle, stall):
    rng, config = drive.rng(), configuration()
    jobs = draw(rng, drive.amount(10, 100))
    for _ in range(drive.amount(12, 120)):
        m, n, resident = (int(rng.integers(1, most)) for most in (
            6 * config.rows, min(config.k_max, 6 * config.cols), 4))
        jobs.append(draw_gemm(rng, m, n, resident, tuple(Output)))
    await run(dut, [jobs[place] for place in rng.permutation(len(jobs))], idle, stall)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def every_choice_of_stages(dut):
    rng = drive.rng()
    await run(dut, [draw_pass(rng, int(rng.integers(1, 4)), int(rng.integers(1, 40)), tuple(Output),
                              choice) for choice in range(len(CHOICES))])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def short_rows_do_not_lose_their_place(dut):
    """Rows of a group, and of one number, of which many are under way."""
    rng = drive.rng()
    passes = [draw_pass(rng, 40, n, tuple(Output)) for n in (1, 2, 3, 4, 5, 8, 1, 1)]
    await run(dut, passes)


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_number_that_saturates_is_told_of_its_pass_alone(dut):
    rng = drive.rng()
    x = numbers(rng, 3, 20)
    x[1, 7] = np.float32(96).view(np.uint32)
    good = np.minimum(np.abs(numbers(rng, 3, 20).view(np.float32)), 2).view(np.uint32)
    await run(dut, [Pass(x=each, function=Function.EXP2, output=output)
                    for output in (Output.FP32, Output.MX9) for each in (good, x, good)])


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def a_pass_takes_its_numbers_and_little_more(dut):
    """A group of lanes per cycle, with a vector of columns and a residual for every number."""
    rng, config = drive.rng(), configuration()
    lanes, n, m = config.vector_lanes, config.k_max // 16 * 16, 12
    x = rng.integers(0x3F000000, 0x40000000, (m, n), np.uint32)
    one = Pass(x=x, rows=Rows.MAXIMUM, factor=numbers(rng, n), residual=numbers(rng, m, n))
    cycles = await run(dut, [one])
    groups = m * -(-n // lanes)
    # Before the first group: the first row, and the vector. After the last: lanes and queues.
    around = n // 16 + n // lanes + 80
    # A column tile is no longer than one group where there are as many lanes as columns.
    assert cycles < groups + around, f"{cycles} cycles for {groups} groups"


@pytest.mark.parametrize("machine", list(MACHINES))
def test_vector_unit(machine):
    config = MACHINES[machine]
    bench.simulate(VectorUnit(config), __name__, f"vector_unit_{machine.replace(' ', '_')}",
                   parameters=handed_over(config))
