"""Where `Scatter` writes, for orders that make sense and for those that do not."""

import cocotb
import numpy as np
import pytest

from hw.activations.calibration_tables import order_read_signature
from hw.activations.scatter import Scatter, bank_write_signature, segment_words
from hw.contract.config import Config
from hw.contract.tile_block import raw_block_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over
from sim_tests.stimuli.reorder_works import lanes_of


async def writes_of(dut, config, block, places):
    """Scatter one block; return its (bank, word, element) in order, and the cycles they took."""
    members = bank_write_signature(config).members
    layout = order_read_signature(config).members["destinations"].shape
    dut.order__destinations.value = drive.pack(layout, places[None])[0]
    await drive.send(dut, "i", [block])
    writes, cycles = [], 0
    await drive.ticks(dut, 1)
    while int(dut.is_busy.value):
        enabled = int(dut.write__en.value)
        words, elements = (
            drive.unpack(members[name].shape, [int(getattr(dut, f"write__{name}").value)])[0]
            for name in ("words", "elements"))
        writes += [(bank, int(words[bank]), int(elements[bank]))
                   for bank in range(16) if enabled >> bank & 1]
        cycles += 1
        await drive.ticks(dut, 1)
    return sorted(writes), cycles


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def writes_each_element_once_and_none_beyond_the_words(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    dut.can_write.value = 1
    lanes = lanes_of(config)
    limit, words = 1 << (config.k_max - 1).bit_length(), segment_words(config)
    for spread in [1, 16, *[limit] * drive.amount(400, 1000)]:
        places = rng.integers(limit - spread, limit, 16)
        elements, count = rng.integers(0, 1 << 16, 16), int(rng.integers(1, 17))
        block = drive.pack(raw_block_layout(config), {
            "elements": elements[None], "count": [count], "row_last": [1],
            "job": {"reorder": [1]}})[0]
        writes, cycles = await writes_of(dut, config, block, places)
        wanted = [(place % 16, place // 16, element)
                  for place, element in zip(places[:count], elements, strict=False)]
        assert cycles == sum(np.bincount(places[at : min(at + lanes, count)] % 16).max()
                             for at in range(0, count, lanes))
        assert writes == sorted(w for w in wanted if w[1] < words)


@pytest.mark.parametrize(("k_max", "act_bytes"), [(264, 32), (300, 32), (300, 16), (264, 2)])
def test_scatter(k_max, act_bytes):
    config = Config.sized(rows=1, cols=1, k_max=k_max, float_formats=("fp16",),
                          act_bytes=act_bytes)
    bench.simulate(Scatter(config), __name__, f"scatter_{k_max}_{act_bytes}",
                   parameters=handed_over(config))
