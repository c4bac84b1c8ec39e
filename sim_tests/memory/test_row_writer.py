"""Rows of results to words of memory: ragged jobs, any place of a row, speed."""

import cocotb
import pytest

from hw.contract.config import Config
from hw.memory.row_writer import RowWriter
from sim_tests import bench, drive
from sim_tests.memory.addresses import near_the_last
from sim_tests.memory.result_works import ADDRESS_BITS, numbers, write
from sim_tests.stimuli.operands import configuration, handed_over


def draw(rng, count, **chosen):
    """Draw works, every other one the last of its command."""
    return [numbers(rng, configuration(), region, drive.parameters()["data_bytes"],
                    ends=region & 1, **chosen) for region in range(count)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def puts_every_row_to_its_place(dut, idle, stall):
    await drive.reset(dut)
    works = draw(drive.rng(), drive.amount(12, 60))
    await write(dut, configuration(), works, drive.parameters()["data_bytes"], idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def puts_rows_to_their_places_that_come_one_by_one(dut, idle, stall):
    """Those of a pass: a packet has a row, however many drain at once; jobs come in between."""
    await drive.reset(dut)
    config, rng = configuration(), drive.rng()
    works = [numbers(rng, config, region, drive.parameters()["data_bytes"], ends=region & 1,
                     by_row=bool(rng.random() < 0.7)) for region in range(drive.amount(12, 60))]
    works.append(numbers(rng, config, 100, drive.parameters()["data_bytes"], by_row=True,
                         m=2 * config.rows + 1, n=2 * config.cols))
    await write(dut, config, works, drive.parameters()["data_bytes"], idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    works = draw(drive.rng(), 4)
    await write(dut, configuration(), works, drive.parameters()["data_bytes"],
                **{side: drive.LongPause(11, 300)})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def rows_begin_at_every_byte_of_a_word(dut):
    """A column of tiles whose rows go through all places, and whose ends cross words."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), drive.parameters()["data_bytes"]
    works = [numbers(rng, config, 2 * offset + is_wide, size, m=config.rows + 1, tiles=2,
                     n=config.cols + 1, is_wide=is_wide, stride=size * 8,
                     address=(2 * offset + is_wide << 32) + offset * (2 + 2 * is_wide))
             for is_wide in (0, 1) for offset in range(size // (2 + 2 * is_wide))]
    await write(dut, config, works, size)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_jobs_of_one_row_and_of_one_column(dut):
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), drive.parameters()["data_bytes"]
    shapes = [(1, 1), (1, 3 * config.cols), (3 * config.rows, 1), (config.rows, config.cols),
              (2 * config.rows, config.cols), (2 * config.rows + 1, 2 * config.cols)]
    works = [numbers(rng, config, region, size, m=m, n=n, tiles=tiles)
             for region, (m, n, tiles) in enumerate(
                 (m, n, tiles) for m, n in shapes for tiles in (1, 2))]
    works += [numbers(rng, config, 50, size, m=1, stride=0)]
    await write(dut, config, works, size)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def addresses_beyond_the_last_are_marked_and_stay_so(dut):
    """Rows that are there and rows that are not, from one to the next or within one."""
    await drive.reset(dut)
    config, rng, size = configuration(), drive.rng(), drive.parameters()["data_bytes"]
    works = []
    for is_wide in (0, 1):
        unit = 2 + 2 * is_wide
        for most_bits in (4, 4, 8, 12, 33, 33):
            far = int(rng.integers(16 * config.cols, 1 << 32)) // unit
            near = int(rng.integers(2 * config.cols + 1, 100))
            works.append(numbers(
                rng, config, 0, size, m=2 * config.rows + 1, n=2 * config.cols + 1, tiles=1,
                is_wide=is_wide, stride=unit * (far if most_bits == 33 else near),
                address=near_the_last(rng, ADDRESS_BITS, unit, most_bits=most_bits)))
        for edge in (1 << ADDRESS_BITS - 1, 1 << ADDRESS_BITS):
            works.append(numbers(rng, config, 0, size, m=1, n=config.cols + 1, is_wide=is_wide,
                                 address=edge - unit))
    await write(dut, config, works, size)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_a_piece_each_cycle(dut):
    await drive.reset(dut)
    config, size = configuration(), drive.parameters()["data_bytes"]
    works = draw(drive.rng(), 4, tiles=2, m=8 * config.rows)
    cycles = await write(dut, config, works, size)
    words = sum(work.words for work in works)  # in which each piece lies
    assert cycles <= words + len(works) + 2, f"{cycles} cycles for {words} words"


CASES = [(4, 4, 4, 32), (5, 3, 12, 16), (3, 5, 20, 32), (2, 1, 2, 4), (6, 8, 16, 64), (4, 8, 16, 8),
         (3, 5, 10, 4)]


@pytest.mark.parametrize("rows, cols, drain_lanes, data_bytes", CASES)
def test_row_writer(rows, cols, drain_lanes, data_bytes):
    config = Config.sized(rows=rows, cols=cols, drain_lanes=drain_lanes, k_max=256, act_bytes=4,
                          weight_bytes=4)
    simulate(config, data_bytes)


@pytest.mark.parametrize("rows, cols, lanes", [(4, 4, 4), (3, 5, 1)])
def test_row_writer_of_a_vector_unit(rows, cols, lanes):
    simulate(Config.sized(rows=rows, cols=cols, bus_bytes=32, k_max=256, vector_lanes=lanes), 32)


def simulate(config, data_bytes):
    bench.simulate(RowWriter(config, address_bits=ADDRESS_BITS, data_bytes=data_bytes), __name__,
                   f"row_writer_{config.rows}x{config.cols}_{config.drain_lanes}_{data_bytes}"
                   f"{'_vector' * bool(config.vector_lanes)}",
                   parameters=handed_over(config, data_bytes=data_bytes))

