"""Room for tiles: what fits, in every cycle, of tiles of any size that come and go."""

from collections import deque

import cocotb
import pytest

from hw.operands.tile_space import TileSpace
from sim_tests import bench, drive


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(largest=["small", "any"], leaves=[0.1, 0.3, 0.6])
async def says_what_fits(dut, largest, leaves):
    rng, sizes = drive.rng(), drive.parameters()
    depth, slots, most = sizes["depth"], sizes["slots"], (1 << sizes["block_bits"]) - 1
    limit = min(most, depth if largest == "any" else max(1, depth // slots))
    stored = deque()
    await drive.reset(dut)
    for _ in range(drive.amount(2_000, 20_000)):
        if stored and rng.random() < leaves:
            dut.released.value, dut.released_blocks.value = 1, stored[0]
        else:
            dut.released.value, dut.released_blocks.value = 0, int(rng.integers(most + 1))
        is_offered = rng.random() < 0.5
        blocks = int(rng.integers(1, limit + 1) if is_offered else rng.integers(most + 1))
        fits = blocks <= depth - sum(stored) and len(stored) < slots
        dut.blocks.value, dut.take.value = blocks, int(is_offered and fits)
        await drive.ticks(dut, 1)
        assert int(dut.fits.value) == fits, f"{blocks} blocks beside {list(stored)}"
        if int(dut.released.value):
            stored.popleft()
        if is_offered and fits:
            stored.append(blocks)


@pytest.mark.parametrize("depth, slots, block_bits", [
    (23, 4, 4), (6, 3, 3), (100, 8, 7), (1, 1, 1)])
def test_tile_space(depth, slots, block_bits):
    parameters = {"depth": depth, "slots": slots, "block_bits": block_bits}
    bench.simulate(TileSpace(**parameters), __name__, f"tile_space_{depth}", parameters=parameters)
