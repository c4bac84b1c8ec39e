"""Rows of every measure, back to back: numbers, offsets and factors as golden's, and how fast."""

import cocotb
import numpy as np
import pytest
from cocotb.triggers import gather

from golden.memory.jobs import Rows
from golden.vector import row_maximum, row_mean, row_scale_of, row_statistics, to_lane
from golden.vector.formats import DROPPED_BITS
from hw.vector.row_passes import RowPasses, row_block_layout, row_numbers_layout
from sim_tests import bench, drive
from sim_tests.stimuli.number_rows import corner_rows, random_rows

BLOCKS_MAX = 72
EPSILON = np.float32(1e-3)
MEASURES = (Rows.NONE, Rows.LAYER_NORM, Rows.RMS_NORM, Rows.MAXIMUM)
SCALED = (Rows.NONE, Rows.MAXIMUM)
"""Rows that may have a factor of their job."""


def pattern(number):
    """Return the pattern of an FP32 number."""
    return int(np.asarray(number, np.float32).view(np.uint32))


def expected_operands(row, rows, scalar):
    """Return offset and factor as the machine has them; None where it has none."""
    x = row.view(np.float32)
    given = None if scalar is None else pattern(to_lane(scalar)) >> DROPPED_BITS
    match rows:
        case Rows.LAYER_NORM | Rows.RMS_NORM:
            statistics, is_centred = row_statistics(x), rows is Rows.LAYER_NORM
            scale = row_scale_of(statistics, EPSILON, is_centred=is_centred)
            return (pattern(row_mean(statistics)) if is_centred else None,
                    pattern(to_lane(scale)) >> DROPPED_BITS)
        case Rows.MAXIMUM:
            return pattern(row_maximum(x)), given
        case _:
            return None, given


def blocks_of(rng, row, rows, scalar, job_last):
    """Cut a row into blocks, with garbage behind its end."""
    blocks = -(-len(row) // 16)
    padded = rng.integers(0, 1 << 32, (blocks, 16), np.uint32)
    padded.reshape(-1)[:len(row)] = row
    return [{"elements": [int(each) for each in block],
             "count": min(16, len(row) - 16 * number), "row_last": int(number == blocks - 1),
             "job_last": int(number == blocks - 1 and job_last), "measure": {
                 "rows": rows.value, "columns": len(row), "is_scaled": int(scalar is not None),
                 "scalar": pattern(EPSILON if scalar is None else scalar)}}
            for number, block in enumerate(padded)]


async def pass_rows(dut, rows, measures, idle=0.0, stall=0.0):
    """Send rows, compare all that leaves, and return the cycles from the first block on."""
    await drive.reset(dut)
    lanes, rng = drive.parameters()["lanes"], drive.rng("padding")
    scalars = [np.float32(rng.standard_normal()) if measure in SCALED and rng.random() < 0.5
               else None for measure in measures]
    ends = rng.random(len(rows)) < 0.3
    blocks = [block for about in zip(rows, measures, scalars, ends, strict=True)
              for block in blocks_of(rng, *about)]
    words = [row_block_layout().const(block).as_value().value for block in blocks]
    groups = sum(-(-len(row) // lanes) for row in rows)
    begin = drive.cycle()
    received, _ = await gather(drive.receive(dut, "o", groups, stall),
                               drive.send(dut, "i", words, idle))
    cycles = drive.cycle() - begin
    layout, found = row_numbers_layout(lanes), iter(received)
    for place, (row, measure, scalar) in enumerate(zip(rows, measures, scalars, strict=True)):
        with np.errstate(all="ignore"):
            offset, factor = expected_operands(row, measure, scalar)
        for at in range(0, len(row), lanes):
            group = layout.from_bits(next(found))
            count = min(lanes, len(row) - at)
            what = f"row {place}, {measure}, number {at}"
            is_last = at + lanes >= len(row)
            assert (group["count"], group["row_last"], group["job_last"]) == (
                count, is_last, is_last and ends[place]), what
            assert [group["numbers"][lane] for lane in range(count)] == row[at:at + count].tolist()
            operands = group["operands"]
            for name, expected in (("addend", offset), ("row_factor", factor)):
                assert operands[name]["enable"] == (expected is not None), f"{what}: {name}"
                if expected is not None:
                    assert operands[name]["value"] == expected, f"{what}: {name}"
            assert operands["addend"]["subtracts"]
    return cycles


def draw_measures(rng, count):
    return [MEASURES[index] for index in rng.integers(0, len(MEASURES), count)]


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def rows_leave_with_what_they_measured(dut, idle, stall):
    rng = drive.rng()
    rows = random_rows(rng, drive.amount(40, 400), most_columns=300)
    await pass_rows(dut, rows, draw_measures(rng, len(rows)), idle, stall)


@cocotb.test(timeout_time=20, timeout_unit="ms")
@cocotb.parametrize(measure=[measure.value for measure in MEASURES])
async def corners_of_rows(dut, measure):
    rows = [row for row in corner_rows() if len(row) <= 16 * BLOCKS_MAX]
    await pass_rows(dut, rows, [Rows(measure)] * len(rows))


@cocotb.test(timeout_time=20, timeout_unit="ms")
async def long_rows_leave_while_the_next_is_measured(dut):
    """The next row comes, is added up and measured while one leaves."""
    rng, lanes = drive.rng(), drive.parameters()["lanes"]
    columns = 16 * BLOCKS_MAX
    rows = [rng.integers(0x3F000000, 0x40000000, columns, np.uint32) for _ in range(8)]
    cycles = await pass_rows(dut, rows, [Rows.LAYER_NORM] * len(rows))
    # A row comes, block by block, its parts are added up, and the latest mean and scale follow. Of
    # one lane and two there is no gap; of more, a row leaves sooner than the next one is measured.
    measuring = BLOCKS_MAX + columns // (2 * lanes) + 90
    each = {1: columns, 2: columns // 2, 4: 300, 8: 214}[lanes]
    assert cycles < len(rows) * each + measuring, f"{cycles} cycles"


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_row_passes(lanes):
    bench.simulate(RowPasses(lanes=lanes, blocks_max=BLOCKS_MAX), __name__, f"row_passes_{lanes}",
                   parameters={"lanes": lanes})
