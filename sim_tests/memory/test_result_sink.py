"""Results of any form to memory: each goes to its writer, and none loses a word to another."""

import cocotb
import pytest

from hw.contract.config import Config
from hw.memory.result_sink import ResultSink
from hw.memory.work import results_layout
from sim_tests import bench, drive
from sim_tests.memory.result_works import ADDRESS_BITS, blocks, count, numbers, weights, write
from sim_tests.stimuli.operands import configuration, handed_over

KINDS = (numbers, weights, blocks, count)


def draw(rng, amount):
    """Draw works of all forms in any order."""
    kinds = [*rng.permutation(KINDS), *rng.choice(KINDS, max(0, amount - len(KINDS)))]
    return [kind(rng, configuration(), region, drive.parameters()["data_bytes"],
                 ends=int(rng.integers(2))) for region, kind in enumerate(kinds)]


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def writes_results_of_any_form(dut, idle, stall):
    await drive.reset(dut)
    works = draw(drive.rng(), drive.amount(12, 60))
    await write(dut, configuration(), works, drive.parameters()["data_bytes"], idle, stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    await drive.reset(dut)
    works = draw(drive.rng(), 4)
    await write(dut, configuration(), works, drive.parameters()["data_bytes"],
                **{side: drive.LongPause(11, 300)})


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
    await write(dut, config, works, size, stall=stall)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def says_that_a_tile_is_overlong(dut):
    await drive.reset(dut)
    config, size = configuration(), drive.parameters()["data_bytes"]
    layout = results_layout(address_bits=ADDRESS_BITS)
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


CASES = [(4, 4, 32), (3, 16, 64), (5, 2, 8)]


@pytest.mark.parametrize("rows, cols, data_bytes", CASES)
def test_result_sink(rows, cols, data_bytes):
    config = Config.sized(rows=rows, cols=cols, k_max=512, act_bytes=data_bytes,
                          weight_bytes=data_bytes, drain_lanes=2 * cols,
                          float_formats=("fp32",))
    bench.simulate(ResultSink(config, address_bits=ADDRESS_BITS, data_bytes=data_bytes), __name__,
                   f"result_sink_{rows}x{cols}_{data_bytes}",
                   parameters=handed_over(config, data_bytes=data_bytes))
